/**
 * The tables of a private and of a listed tracker. A tracker that is neither has no `Access` at all, and pays
 * nothing for it.
 */
import type { Seed } from '../memory/hash.ts'
import type { Release } from '../memory/reserve.ts'
import { createKeys, emptyKeys, Keys } from './keys.ts'
import { createWhitelist, emptyWhitelist, Whitelist } from './whitelist.ts'

export type TableMemory = {
  /** undefined: every torrent is served. */
  readonly whitelist: SharedArrayBuffer | undefined
  /** undefined: every client is served. */
  readonly keys: SharedArrayBuffer | undefined
}

/** What every thread is given; survives `postMessage`. */
export type AccessMemory = TableMemory & {
  /** Expired keys are refused. */
  readonly checksExpiration: boolean
}

export type AccessRules = {
  readonly listed: boolean
  readonly private: boolean
  readonly checksExpiration: boolean
  readonly seed: Seed
  /** Memory that was made before: full tables of before, or empty ones. */
  readonly made?: TableMemory | undefined
  /** Most entries, where the usual capacity is too large. */
  readonly whitelistCapacity?: number
  readonly keyCapacity?: number
}

/** undefined: the tracker is public. Throws one line when there is no memory. */
export function createAccessMemory(rules: AccessRules): AccessMemory | undefined {
  const { listed, private: isPrivate, checksExpiration, seed, made } = rules
  if (!listed && !isPrivate) return undefined
  try {
    return {
      whitelist: listed
        ? (made?.whitelist ?? createWhitelist(seed, rules.whitelistCapacity))
        : undefined,
      keys: isPrivate ? (made?.keys ?? createKeys(seed, rules.keyCapacity)) : undefined,
      checksExpiration,
    }
  } catch {
    throw new Error(
      'cannot reserve 2 GiB of address space for whitelist and keys: allow more (ulimit -v, vm.overcommit_memory)',
    )
  }
}

/** Empties those of `made` that are not in `used`. No thread may read or change them any more. */
export function emptyUnused(
  made: TableMemory,
  used: TableMemory | undefined,
  release: Release,
): void {
  if (made.whitelist && made.whitelist !== used?.whitelist) emptyWhitelist(made.whitelist, release)
  if (made.keys && made.keys !== used?.keys) emptyKeys(made.keys, release)
}

export class Access {
  /** undefined: every torrent is served. */
  readonly whitelist: Whitelist | undefined
  /** undefined: every client is served. */
  readonly keys: Keys | undefined
  readonly checksExpiration: boolean

  /** `alone`: no other thread has this memory. */
  constructor(memory: AccessMemory, alone: boolean) {
    this.whitelist = memory.whitelist && new Whitelist(memory.whitelist, alone)
    this.keys = memory.keys && new Keys(memory.keys, alone)
    this.checksExpiration = memory.checksExpiration
  }
}
