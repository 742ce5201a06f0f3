/**
 * Whether an announce is over a limit of its account. It asks what the control thread counted, so a burst within one
 * drain of the rings may pass; the next announce does not.
 */
import { type Announce, COUNT, EVENT, type Limit, type SeatAnnounce } from '../bittorrent.ts'
import type { Seed } from '../memory/hash.ts'
import { Accounts } from './accounts.ts'
import { createRing } from './ring.ts'
import { createSlots, Slots } from './slots.ts'

/** Of what figures are kept: torrents alone, or accounts as well. */
export type AccountingLevel = 'torrents' | 'users'

/** What every thread is given; survives `postMessage`. */
export type AccountingMemory = {
  readonly level: AccountingLevel
  /** By serving thread. The successor of one that died goes on with its ring. */
  readonly rings: readonly SharedArrayBuffer[]
  readonly accounts: SharedArrayBuffer
  readonly slots: SharedArrayBuffer
  readonly seed: Seed
}

/** Throws one line when there is no memory. */
export function createAccountingMemory(
  level: AccountingLevel,
  threads: number,
  seed: Seed,
): AccountingMemory {
  // Without accounts there is nothing to find in either.
  const capacity = level === 'torrents' ? 1 : undefined
  try {
    return {
      level,
      rings: Array.from({ length: threads }, createRing),
      accounts: Accounts.create(capacity),
      slots: createSlots(seed, capacity),
      seed,
    }
  } catch {
    throw new Error(
      'cannot reserve 2 GiB of address space for accounts: allow more (ulimit -v, vm.overcommit_memory)',
    )
  }
}

export class Limits {
  readonly #accounts: Accounts
  readonly #slots: Slots

  constructor(accounts: Accounts, slots: Slots) {
    this.#accounts = accounts
    this.#slots = slots
  }

  /** Opens the memory on a serving thread. `alone`: it is the control thread, too. */
  static over({ accounts, slots }: AccountingMemory, alone: boolean): Limits {
    return new Limits(new Accounts(accounts), new Slots(slots, alone))
  }

  /**
   * The limit that the announce is over; undefined: none. What ends something always passes; `completed` only with nothing
   * left, or it would be a way around every limit.
   */
  of(account: number, announce: Announce | SeatAnnounce): Limit | undefined {
    const accounts = this.#accounts
    const { counts, event, words } = announce
    if (!accounts.restricts || event === EVENT.stopped) return undefined
    const slots = this.#slots
    if ((counts[COUNT.left]! | counts[COUNT.left + 1]!) === 0) {
      if (event === EVENT.completed) return undefined
    } else {
      if (!accounts.canDownload(account)) return 'noDownload'
      const most = accounts.maxDownloads(account)
      if (most > 0 && accounts.leeching(account) >= most && !slots.holdsDownload(account, words))
        return 'slots'
    }
    const most = accounts.maxPeers(account)
    const isOver =
      most > 0 &&
      slots.clients(account, words) >= most &&
      !slots.hasClient(account, words, 0, slots.peerWord(words, 5))
    return isOver ? 'clients' : undefined
  }
}
