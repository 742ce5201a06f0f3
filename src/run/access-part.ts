/** Keys and whitelist on all threads, which are there as long as the configuration needs them. */
import {
  Access,
  type AccessMemory,
  createAccessMemory,
  emptyUnused,
  type TableMemory,
} from '../access/access.ts'
import type { Seed } from '../memory/hash.ts'
import type { Release } from '../memory/reserve.ts'
import type { Storage } from '../storage/open.ts'
import type { Part } from './part.ts'
import { accessOf } from './policy.ts'

/** The tables as all threads are given them, and as this thread reads them; undefined: an open tracker. */
export type Tables = {
  readonly memory: AccessMemory | undefined
  readonly access: Access | undefined
}

type AccessSetting = {
  readonly storage: Storage | undefined
  /** Whether this thread is the only one. */
  readonly alone: boolean
  readonly seed: Seed
  /** Gives pages of tables back that are not used any more. */
  readonly release: Release | undefined
  /** Those at the start, which are filled. */
  readonly tables: Tables
  /** Has all threads serve their next requests with them; resolves when they do. */
  readonly follow: (tables: Tables) => Promise<void>
}

/** `access`: the tables that there are now. */
export function accessPart({
  storage,
  alone,
  seed,
  release = () => {},
  tables,
  follow,
}: AccessSetting): Part & { readonly access: Access | undefined } {
  const permissions = storage?.permissions
  let now = tables
  /** Kept when it is not needed: see `emptyTable`. */
  let made: TableMemory = { whitelist: now.memory?.whitelist, keys: now.memory?.keys }
  const emptyOthers = async () => {
    try {
      await permissions?.settled()
      emptyUnused(made, now.memory, release)
    } catch {
      // The tracker stops, and nothing needs memory any more.
    }
  }
  return {
    get access() {
      return now.access
    },
    prepare: async (config) => {
      const memory = createAccessMemory({ ...accessOf(config), seed, made })
      made = { whitelist: memory?.whitelist ?? made.whitelist, keys: memory?.keys ?? made.keys }
      const access = memory && new Access(memory, alone)
      const abort = async () => {
        permissions?.follow(now.access)
        await emptyOthers()
      }
      try {
        await permissions?.prepare(access)
      } catch (error) {
        await abort()
        const reason = error instanceof Error ? error.message : String(error)
        throw new Error(`cannot read keys and whitelist: ${reason}`)
      }
      return {
        abort,
        commit: async () => {
          now = { memory, access }
          permissions?.follow(access)
          await follow(now)
        },
        finish: emptyOthers,
      }
    },
  }
}
