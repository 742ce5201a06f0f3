/** Keys and whitelist on all threads, which are there as long as the configuration needs them. */
import { Access, type AccessMemory, createAccessMemory } from '../access/access.ts'
import type { Seed } from '../memory/hash.ts'
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
  /** Those at the start, which are filled. */
  readonly tables: Tables
  /** Has all threads serve their next requests with them. */
  readonly follow: (tables: Tables) => Promise<void>
}

/** `access`: the tables that there are now. */
export function accessPart({
  storage,
  alone,
  seed,
  tables,
  follow,
}: AccessSetting): Part & { readonly access: Access | undefined } {
  const permissions = storage?.permissions
  let now = tables
  return {
    get access() {
      return now.access
    },
    prepare: async (config) => {
      const before = now
      const memory = createAccessMemory({ ...accessOf(config), seed, before: before.memory })
      const access = memory && new Access(memory, alone)
      const abort = () => permissions?.follow(before.access)
      try {
        await permissions?.prepare(access)
      } catch (error) {
        abort()
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
      }
    },
  }
}
