/** A slow twin of the rules of accounting: objects that are never changed, and whole numbers without a limit. */
import { type AnnounceEvent, EVENT } from '../../../src/bittorrent.ts'

export const MOST = 2n ** 53n - 1n

export type NaiveSession = {
  readonly up: bigint
  readonly down: bigint
  /** undefined: not known. */
  readonly endpoint: string | undefined
  readonly seen: number
  readonly role: 'away' | 'leecher' | 'seeder'
  readonly leeched: boolean
  readonly completed: boolean
  /** Seconds at which its counters fell without a reason. */
  readonly falls: readonly number[]
}

export type NaiveReport = {
  readonly up: bigint
  readonly down: bigint
  readonly left: bigint
  readonly event: AnnounceEvent
  readonly endpoint: string
  readonly at: number
  readonly limited: boolean
  readonly leechers: number
  readonly leechedAt: number
}

export type NaiveTerms = {
  readonly upPercent: number
  readonly downPercent: number
  readonly timeout: number
  readonly longestGap: number
  readonly mostPerSecond: number
  readonly overSpeed: 'flag' | 'clamp' | 'drop'
}

export type NaiveCredit = {
  readonly up: bigint
  readonly down: bigint
  readonly creditedUp: bigint
  readonly creditedDown: bigint
  readonly seed: number
  readonly leech: number
  readonly completed: boolean
  readonly ended: boolean
  readonly restarted: boolean
  readonly ignored: boolean
  readonly flags: readonly ('speed' | 'no_leechers' | 'shared_id')[]
}

const least = (one: bigint, other: bigint): bigint => (one < other ? one : other)
export const naiveCounter = (wire: bigint): bigint => least(wire, MOST)
export const naiveShare = (bytes: bigint, percent: number): bigint =>
  least((bytes * BigInt(percent)) / 100n, MOST)

const roleOf = ({ event, limited, left }: NaiveReport): NaiveSession['role'] =>
  event === EVENT.stopped || limited ? 'away' : left > 0n ? 'leecher' : 'seeder'

export const naiveBegin = (report: NaiveReport): NaiveSession => ({
  up: report.up,
  down: report.down,
  endpoint: report.endpoint,
  seen: report.at,
  role: roleOf(report),
  leeched: report.left > 0n,
  completed: false,
  falls: [],
})

/** `counted`: up to where the time of the record is counted. */
export function naiveJudge(
  known: NaiveSession,
  countedTo: number,
  report: NaiveReport,
  terms: NaiveTerms,
): { session: NaiveSession; counted: number; credit: NaiveCredit } {
  const { at, event } = report
  const told = (second: number) => (second - at > terms.longestGap ? at : second)
  const before = { ...known, seen: told(known.seen) }
  const counted = told(countedTo)
  const gap = at > before.seen ? at - before.seen : 0
  const started = event === EVENT.started
  const same = before.endpoint === report.endpoint
  const higher = report.up >= before.up
  const late = !started && at <= before.seen
  const restarted = !higher && !late && (started || same || gap > terms.timeout)
  const ignored = !higher && !restarted
  const counts = higher && (same || !started)

  const first = Math.max(before.seen, counted)
  const timed = before.role !== 'away' && gap <= terms.longestGap
  const seconds = timed && at > first ? at - first : 0

  const fell = before.down - report.down
  const up = counts ? report.up - before.up : 0n
  const down = counts && fell < 0n ? -fell : 0n
  const allowed = BigInt(terms.mostPerSecond) * BigInt(gap > 0 ? gap : 1)
  const fast = up > allowed
  const creditable =
    !fast || terms.overSpeed === 'flag' ? up : terms.overSpeed === 'clamp' ? allowed : 0n
  const hour = (second: number) => Math.floor(second / 3600)
  const fallen = ignored && !late
  const falls = fallen ? [...before.falls, at] : before.falls
  const newest = falls.slice(falls.findLastIndex((fall) => hour(fall) !== hour(at)) + 1)
  const leechers =
    report.leechers > 0 || (before.role === 'seeder' && report.leechedAt >= before.seen)
  const completed =
    event === EVENT.completed && report.left === 0n && before.leeched && !before.completed
  const flags: NaiveCredit['flags'][number][] = []
  if (fast) flags.push('speed')
  if (up > 0n && !leechers) flags.push('no_leechers')
  if (fallen && newest.length >= 3) flags.push('shared_id')

  const kept = higher && fell >= 0n && (late || fell <= 64n * 1024n * 1024n)
  return {
    session: {
      up: ignored ? before.up : report.up,
      down: ignored || kept ? before.down : report.down,
      endpoint: ignored ? before.endpoint : report.endpoint,
      seen: Math.max(at, before.seen),
      role: event === EVENT.stopped ? 'away' : ignored ? before.role : roleOf(report),
      leeched: before.leeched || (!ignored && report.left > 0n),
      completed: before.completed || completed,
      falls,
    },
    counted: seconds > 0 ? at : counted,
    credit: {
      up,
      down,
      creditedUp: naiveShare(creditable, terms.upPercent),
      creditedDown: naiveShare(down, terms.downPercent),
      seed: before.role === 'seeder' ? seconds : 0,
      leech: before.role === 'leecher' ? seconds : 0,
      completed,
      ended: event === EVENT.stopped,
      restarted,
      ignored,
      flags,
    },
  }
}
