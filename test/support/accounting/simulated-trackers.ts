/** Trackers for the simulation: one that keeps our rules, one with the rules that others use, and the books. */

import {
  begin,
  Credit,
  judge,
  Report,
  Session,
  STAND,
  Terms,
} from '../../../src/accounting/rules.ts'
import { EVENT } from '../../../src/bittorrent.ts'
import { KeptBooks } from './kept-books.ts'
import { type SimulatedAnnounce, type SimulatedTracker, TIMEOUT } from './simulation.ts'

type Stored = { up: number; down: number; seeder: boolean; seen: number }
type Kept = { key: string; account: number; session: Session; hasEnded: boolean; owed: number }

const keyOf = ({ account, peer }: SimulatedAnnounce): string => `${account}/${peer}`

/** `isForgetful`: an ended session is forgotten at once, not when its end is stored. */
export class RuledTracker implements SimulatedTracker {
  readonly #isForgetful: boolean
  readonly #stored = new Map<string, Stored>()
  readonly #credited = new Map<number, number>()
  #kept = new Map<string, Kept>()
  readonly #dirty = new Set<Kept>()
  readonly #terms = Object.assign(new Terms(), { timeout: TIMEOUT, longestGap: TIMEOUT })
  readonly #report = new Report()
  readonly #credit = new Credit()

  constructor(isForgetful = false) {
    this.#isForgetful = isForgetful
  }

  announce(announce: SimulatedAnnounce): void {
    const { account, up, down, left, event, endpoint, at } = announce
    const key = keyOf(announce)
    const report = Object.assign(this.#report, { up, down, left, event, endpoint, at, leechers: 1 })
    let kept = this.#kept.get(key)
    if (kept?.hasEnded) {
      if (event === EVENT.stopped) return
      begin(kept.session, report)
      kept.hasEnded = false
    } else {
      kept ??= this.#read(key, account)
      if (kept) {
        judge(kept.session, report, this.#terms, this.#credit)
        kept.owed += this.#credit.creditedUp
        kept.hasEnded = this.#credit.hasEnded
      } else if (event === EVENT.stopped) return
      else {
        kept = { key, account, session: new Session(), hasEnded: false, owed: 0 }
        begin(kept.session, report)
      }
    }
    this.#kept.set(key, kept)
    this.#dirty.add(kept)
    if (kept.hasEnded && this.#isForgetful) this.#kept.delete(key)
  }

  #read(key: string, account: number): Kept | undefined {
    const row = this.#stored.get(key)
    if (!row) return undefined
    const session = Object.assign(new Session(), row)
    session.stand = row.seeder ? STAND.seeder : STAND.leecher
    session.hasLeeched = !row.seeder
    return { key, account, session, hasEnded: false, owed: 0 }
  }

  write(): void {
    for (const kept of this.#dirty) {
      const { key, account } = kept
      const { up, down, stand, seen } = kept.session
      this.#credited.set(account, this.credited(account) + kept.owed)
      kept.owed = 0
      if (!kept.hasEnded) {
        this.#stored.set(key, { up, down, seeder: stand === STAND.seeder, seen })
        continue
      }
      this.#stored.delete(key)
      this.#kept.delete(key)
    }
    this.#dirty.clear()
  }

  crash(): void {
    this.#kept = new Map()
    this.#dirty.clear()
  }

  credited(account: number): number {
    return this.#credited.get(account) ?? 0
  }
}

/** Forfeits both counters when one fell, credits nothing at `started`, and has its baselines in memory only. */
export class UsualTracker implements SimulatedTracker {
  readonly #credited = new Map<number, number>()
  #kept = new Map<string, { up: number; down: number }>()

  announce(announce: SimulatedAnnounce): void {
    const { account, up, down, event } = announce
    const key = keyOf(announce)
    const before = this.#kept.get(key)
    if (before && event !== EVENT.started && up >= before.up && down >= before.down)
      this.#credited.set(account, this.credited(account) + up - before.up)
    if (event === EVENT.stopped) this.#kept.delete(key)
    else this.#kept.set(key, { up, down })
  }
  write(): void {}
  crash(): void {
    this.#kept = new Map()
  }
  credited(account: number): number {
    return this.#credited.get(account) ?? 0
  }
}

/** The books, with a database that answers at once. */
export class BookedTracker implements SimulatedTracker {
  readonly #kept = new KeptBooks({ settings: { peerTimeoutSeconds: TIMEOUT } })

  announce(announce: SimulatedAnnounce): void {
    this.#kept.now = announce.at
    this.#kept.note({ ...announce, account: announce.account + 1 })
  }
  write(): void {
    this.#kept.expire()
    this.#kept.settle()
  }
  crash(): void {
    this.#kept.crash()
  }
  credited(account: number): number {
    return Number(this.#kept.record(account + 1).creditedUp ?? 0n)
  }
}
