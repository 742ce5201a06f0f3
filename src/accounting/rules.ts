/**
 * The rules of accounting: what an announce adds to the session that it belongs to. Nothing here remembers anything.
 *
 * Clients report what they moved since they began, so what counts is the growth since the announce before: the session's
 * baselines. What clients really send decides the rest. One with two addresses says everything twice. The downloaded
 * bytes fall a little when data turns out to be bad. A new start begins again at 0, often under the same peer id, and a
 * copied client announces under the peer id of another. Nothing may be counted twice, whatever comes in whatever order.
 *
 * Bytes are whole numbers up to `MOST`, which a 64-bit float holds exactly. Seconds are Unix seconds.
 */
import { type AnnounceEvent, EVENT } from '../bittorrent.ts'

export const MOST: number = Number.MAX_SAFE_INTEGER
/** A fall of the downloaded bytes up to this is bad data that was discarded; beyond it the client began anew. */
const DISCARDED = 64 * 2 ** 20
/** Falls in one hour of the clock that make it look as if two clients shared a peer id. */
const FALLS = 3
const HOUR = 3_600
/** An endpoint that is not known, and is equal to no other. */
export const UNKNOWN = 0

/** What a session is to the swarm since its last announce. Away: it stopped, or a limit keeps it out. */
export const STAND = { away: 0, leecher: 1, seeder: 2 } as const
export type Stand = (typeof STAND)[keyof typeof STAND]

/** A counter of 64 bits; more than `MOST` counts as that. */
export const counter = (high: number, low: number): number =>
  Math.min((high >>> 0) * 2 ** 32 + (low >>> 0), MOST)

/** A sum that stops at `MOST`. */
export const add = (one: number, other: number): number => Math.min(one + other, MOST)

/** `percent` of `bytes`, rounded down. Two steps, because the product may be too large for a float. */
export const share = (bytes: number, percent: number): number => {
  const rest = bytes % 100
  return add(((bytes - rest) / 100) * percent, Math.floor((rest * percent) / 100))
}

/** A session before or after an announce. Owned by its caller and filled again and again. */
export class Session {
  /** Baselines. */
  up = 0
  down = 0
  /** Hash of the endpoint of the announce that was accepted last; `UNKNOWN` after a start of the tracker. */
  endpoint = UNKNOWN
  /** Second of its last announce. */
  seen = 0
  /** Up to this second the time of the record, which all its sessions share, is counted. */
  counted = 0
  stand: Stand = STAND.away
  /** It was seen with bytes left. */
  hasLeeched = false
  /** Its completion is counted. */
  hasCompleted = false
  /** How often its counters fell without a reason in one hour, counted to `FALLS`, and 16 bits of the number of that hour. */
  falls = 0
  fallHour = 0
}

/** What a client reports. Filled again and again. */
export class Report {
  up = 0
  down = 0
  left = 0
  event: AnnounceEvent = EVENT.none
  /** Never `UNKNOWN`. */
  endpoint = 1
  at = 0
  /** A limit of its account keeps it out of the swarm. */
  isLimited = false
  /** Leechers of the swarm beside it, and the second at which one was noticed last. */
  leechers = 0
  leechedAt = 0
}

/** What applies to an announce. Filled again and again. */
export class Terms {
  upPercent = 100
  downPercent = 100
  /** Seconds of silence after which a peer is gone, and the longest time between two announces that is counted. */
  timeout = 0
  longestGap = 0
  mostPerSecond: number = MOST
  overSpeed: OverSpeed = 'flag'
}

/**
 * What follows when more is uploaded in a second than may be: all of it is credited, or what may be, or nothing. Downloads
 * are not judged: to credit less of them would be a reward.
 */
export type OverSpeed = 'flag' | 'clamp' | 'drop'

/** Upload counts at the best percentage that applies, download at the lowest. */
export const upPercentOf = (all: number, torrent: number, account: number): number =>
  Math.max(all, torrent, account)
export const downPercentOf = (all: number, torrent: number, account: number): number =>
  Math.min(all, torrent, account)

/** What an announce adds. Filled again and again. */
export class Credit {
  up = 0
  down = 0
  creditedUp = 0
  creditedDown = 0
  seedSeconds = 0
  leechSeconds = 0
  hasCompleted = false
  hasEnded = false
  /** The client began anew: the baselines fell, or may have. */
  hasRestarted = false
  /** Out of order, or of a copied client: its counters are ignored. */
  isIgnored = false
  /** What looks like cheating. */
  isTooFast = false
  hasNoLeechers = false
  isShared = false
  /** Seconds since the announce before; for a fall, bytes of it. */
  elapsed = 0
  fallen = 0
}

/** Makes `session` a new one, which begins with `report`: nothing is credited for it. */
export function begin(session: Session, report: Report): void {
  session.up = report.up
  session.down = report.down
  session.endpoint = report.endpoint
  session.seen = report.at
  session.stand = standOf(report)
  session.hasLeeched = report.left > 0
  session.hasCompleted = false
  session.falls = 0
  session.fallHour = 0
}

/** Applies `report` to `session`, which is known, and says in `credit` what it adds. */
export function judge(session: Session, report: Report, terms: Terms, credit: Credit): void {
  // The clock was set back: what it said before means nothing.
  const latest = report.at + terms.longestGap
  if (session.seen > latest) session.seen = report.at
  if (session.counted > latest) session.counted = report.at
  const elapsed = Math.max(0, report.at - session.seen)
  const isSame = report.endpoint === session.endpoint
  // Threads are read one after the other: what another one noted in the same second may come in reverse.
  const isLate = report.at <= session.seen && report.event !== EVENT.started
  credit.up = credit.down = credit.creditedUp = credit.creditedDown = 0
  credit.hasRestarted = credit.isIgnored = credit.hasCompleted = false
  credit.isTooFast = credit.hasNoLeechers = credit.isShared = false
  credit.elapsed = elapsed
  credit.hasEnded = report.event === EVENT.stopped
  countTime(session, report.at, elapsed <= terms.longestGap, credit)
  if (report.up >= session.up) {
    // The second address of a client that starts reports what the first one did: more than that is another client.
    const isCopy = report.event === EVENT.started && !isSame
    accept(session, report, terms, credit, isCopy, isLate)
  } else if (isLate) {
    credit.isIgnored = true
  } else if (report.event === EVENT.started || isSame || elapsed > terms.timeout) {
    session.up = report.up
    session.down = report.down
    credit.hasRestarted = true
  } else {
    credit.isIgnored = true
    fall(session, report, credit)
  }
  complete(session, report, credit)
  session.seen = Math.max(session.seen, report.at)
  if (credit.hasEnded) session.stand = STAND.away
  if (credit.isIgnored) return
  session.endpoint = report.endpoint
  session.stand = standOf(report)
  if (report.left > 0) session.hasLeeched = true
}

const standOf = ({ event, isLimited, left }: Report): Stand => {
  if (event === EVENT.stopped || isLimited) return STAND.away
  return left > 0 ? STAND.leecher : STAND.seeder
}

/** The time since its last announce, as what it was then; but no second that another session of its record had. */
function countTime(session: Session, at: number, isShort: boolean, credit: Credit): void {
  const { stand } = session
  credit.seedSeconds = credit.leechSeconds = 0
  if (!isShort || stand === STAND.away) return
  const seconds = Math.max(0, at - Math.max(session.seen, session.counted))
  if (seconds === 0) return
  if (stand === STAND.seeder) credit.seedSeconds = seconds
  else credit.leechSeconds = seconds
  session.counted = at
}

function accept(
  session: Session,
  report: Report,
  terms: Terms,
  credit: Credit,
  isCopy: boolean,
  isLate: boolean,
): void {
  const up = isCopy ? 0 : report.up - session.up
  session.up = report.up
  const growth = report.down - session.down
  const down = isCopy ? 0 : Math.max(0, growth)
  if (growth > 0 || (-growth > DISCARDED && !isLate)) session.down = report.down
  credit.up = up
  credit.down = down
  credit.creditedUp = share(slowed(up, terms, credit), terms.upPercent)
  credit.creditedDown = share(down, terms.downPercent)
  const { stand, seen } = session
  // A leecher is noticed itself, so for it only those count that are there now.
  const had = report.leechers > 0 || (stand === STAND.seeder && report.leechedAt >= seen)
  credit.hasNoLeechers = up > 0 && !had
}

/** What may be credited of `up` bytes. */
function slowed(up: number, terms: Terms, credit: Credit): number {
  const most = Math.floor(terms.mostPerSecond * Math.max(1, credit.elapsed))
  if (up <= most) return up
  credit.isTooFast = true
  if (terms.overSpeed === 'flag') return up
  return terms.overSpeed === 'clamp' ? most : 0
}

function fall(session: Session, report: Report, credit: Credit): void {
  const hour = Math.floor(report.at / HOUR) & 0xffff
  if (session.fallHour !== hour) session.falls = 0
  session.fallHour = hour
  session.falls = Math.min(session.falls + 1, FALLS)
  credit.isShared = session.falls === FALLS
  credit.fallen = session.up - report.up
}

/** Once in a session, and only when it was seen with bytes left: clients say it more than once, and when they seed. */
function complete(session: Session, report: Report, credit: Credit): void {
  if (report.event !== EVENT.completed || report.left > 0) return
  if (!session.hasLeeched || session.hasCompleted) return
  session.hasCompleted = true
  credit.hasCompleted = true
}
