/**
 * A slow twin of the books together with their database: maps, and the rules as they are written. A session that is not
 * in memory is read where it is stored at once, so nothing is ever looked up late.
 */
import { type AnnounceEvent, EVENT } from '../../../src/bittorrent.ts'
import {
  type NaiveReport,
  type NaiveSession,
  type NaiveTerms,
  naiveBegin,
  naiveCounter,
  naiveJudge,
} from './accounting.ts'

export type NaiveAnnounce = {
  readonly account: number
  readonly torrent: number
  readonly peer: number
  readonly endpoint: number
  readonly event: AnnounceEvent
  /** As on the wire. */
  readonly up: bigint
  readonly down: bigint
  readonly left: bigint
  readonly at: number
  readonly limited: boolean
  readonly leechers: number
}

export type NaiveSums = {
  up: bigint
  down: bigint
  creditedUp: bigint
  creditedDown: bigint
  seed: number
  leech: number
  announces: number
  completed: boolean
}
const nothing = (): NaiveSums => ({
  up: 0n,
  down: 0n,
  creditedUp: 0n,
  creditedDown: 0n,
  seed: 0,
  leech: 0,
  announces: 0,
  completed: false,
})
const most = (sum: bigint): bigint => (sum > 2n ** 53n - 1n ? 2n ** 53n - 1n : sum)

type Kept = {
  session: NaiveSession
  ended: boolean
  owed: NaiveSums
  dirty: boolean
  record: string
}
type Row = { up: bigint; down: bigint; seeder: boolean; seen: number }

export type NaiveBookTerms = Omit<NaiveTerms, 'longestGap'> & { readonly idle: number }

export class NaiveBooks {
  readonly #terms: NaiveBookTerms
  /** In memory. */
  #sessions = new Map<string, Kept>()
  #counted = new Map<string, number>()
  /** Bytes left, by session. */
  #left = new Map<string, bigint>()
  /** In the database. */
  readonly rows = new Map<string, Row>()
  readonly records = new Map<string, NaiveSums & { lastSeen: number }>()

  constructor(terms: NaiveBookTerms) {
    this.#terms = terms
  }

  announce(said: NaiveAnnounce): void {
    const record = `${said.account}/${said.torrent}`
    const key = `${record}/${said.peer}`
    const report: NaiveReport = {
      ...said,
      up: naiveCounter(said.up),
      down: naiveCounter(said.down),
      left: naiveCounter(said.left),
      endpoint: String(said.endpoint),
      leechedAt: 0,
    }
    const stopped = said.event === EVENT.stopped
    const kept = this.#sessions.get(key)
    const row = kept ? undefined : this.rows.get(key)
    if ((kept?.ended || !(kept || row)) && stopped) return
    // It was said before the end, and read after it.
    if (kept?.ended && said.event !== EVENT.started && said.at <= kept.session.seen) return
    const longest = this.#terms.timeout + (row ? this.#terms.idle : 0)
    let counted = this.#counted.get(record) ?? 0
    if (row) counted = Math.max(counted, this.records.get(record)!.lastSeen)
    const before: NaiveSession | undefined = row
      ? {
          ...naiveBegin(report),
          ...row,
          endpoint: undefined,
          role: row.seeder ? 'seeder' : 'leecher',
          leeched: !row.seeder,
        }
      : kept?.session
    const owed = kept?.owed ?? nothing()
    if (!before || kept?.ended) {
      this.#sessions.set(key, {
        session: naiveBegin(report),
        ended: false,
        owed,
        dirty: true,
        record,
      })
      owed.announces++
      this.#left.set(key, report.left)
      return
    }
    const judged = naiveJudge(before, counted, report, { ...this.#terms, longestGap: longest })
    const { credit } = judged
    owed.up = most(owed.up + credit.up)
    owed.down = most(owed.down + credit.down)
    owed.creditedUp = most(owed.creditedUp + credit.creditedUp)
    owed.creditedDown = most(owed.creditedDown + credit.creditedDown)
    owed.seed += credit.seed
    owed.leech += credit.leech
    owed.announces++
    if (credit.completed) owed.completed = true
    if (credit.seed + credit.leech > 0) this.#counted.set(record, judged.counted)
    // What was ignored says nothing of what the client has left, unless it is all that is known.
    if (!credit.ignored || row) this.#left.set(key, report.left)
    // What is said first is all that is known of what it is now.
    const { role, leeched } = row ? naiveBegin(report) : judged.session
    const session = { ...judged.session, role, leeched: judged.session.leeched || leeched }
    this.#sessions.set(key, { session, ended: stopped, owed, dirty: true, record })
  }

  /** Silent sessions leave memory when that is stored. */
  #silent = new Set<string>()
  expire(now: number): void {
    for (const [key, kept] of this.#sessions)
      if (!kept.ended && now - kept.session.seen > this.#terms.timeout && !this.#silent.has(key)) {
        this.#silent.add(key)
        kept.session = { ...kept.session, role: 'away' }
        kept.dirty = true
      }
  }
  /** It was heard of again. */
  heard({ account, torrent, peer }: NaiveAnnounce): void {
    this.#silent.delete(`${account}/${torrent}/${peer}`)
  }

  /** What is owed now. The result stores it, and returns what forgets the sessions that left. */
  freeze(): () => () => void {
    const frozen = [...this.#sessions].filter(([, kept]) => kept.dirty)
    const batch = frozen.map(([key, kept]) => {
      const { ended, record, session, owed } = kept
      kept.owed = nothing()
      kept.dirty = false
      const leaves = ended || this.#silent.has(key)
      return { key, kept, ended, leaves, record, session, owed, left: this.#left.get(key)! }
    })
    return () => {
      for (const { key, record, ended, session, owed, left } of batch) {
        const sums = this.records.get(record) ?? { ...nothing(), lastSeen: 0 }
        this.records.set(record, sums)
        sums.up += owed.up
        sums.down += owed.down
        sums.creditedUp += owed.creditedUp
        sums.creditedDown += owed.creditedDown
        sums.seed += owed.seed
        sums.leech += owed.leech
        sums.announces += owed.announces
        sums.completed ||= owed.completed
        sums.lastSeen = Math.max(sums.lastSeen, session.seen)
        const { up, down, seen } = session
        if (ended) this.rows.delete(key)
        else this.rows.set(key, { up, down, seeder: left === 0n, seen })
      }
      return () => {
        for (const { key, leaves, kept } of batch) {
          const now = this.#sessions.get(key)
          const isGone = now && (now.ended || this.#silent.has(key))
          if (!leaves || !isGone || now.dirty || (now !== kept && !now.ended)) continue
          this.#sessions.delete(key)
          this.#silent.delete(key)
        }
      }
    }
  }

  crash(): void {
    this.#sessions = new Map()
    this.#counted = new Map()
    this.#silent = new Set()
  }
}
