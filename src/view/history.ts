/**
 * The last hour and the last day as figures over time, in rings of fixed size: what the dashboard draws. Kept by
 * the control thread, and gone with the process.
 */
import {
  DROPPED,
  KINDS,
  type ListenerCounters,
  type ListenerType,
  SERVED,
  TIME_BOUNDS,
} from '../memory/counters.ts'
import type { MetricSources } from './metrics.ts'

/** What is kept of each moment: rates are of the time since the moment before. */
export const SERIES = [
  /** Requests a second. */
  'udpServed',
  'udpRefused',
  'udpDropped',
  'httpServed',
  'httpRefused',
  /** Over WebSockets; null without such a listener. */
  'webServed',
  'webRefused',
  /** Offers and answers a second that were handed to the client that they are for. */
  'webRelayed',
  /** WebSockets that are open. */
  'webOpen',
  /** Bytes a second. */
  'bytesReceived',
  'bytesSent',
  /** Times within which half and 99 of 100 requests were answered, in seconds; NaN: none was timed. */
  'udpMedian',
  'udpSlowest',
  'httpMedian',
  'httpSlowest',
  'webMedian',
  'webSlowest',
  'torrents',
  'seeders',
  'leechers',
  /** Bytes. */
  'memoryUsed',
  'residentBytes',
  /** Share of the time that the busiest serving thread ran on a processor, from 0 to 1; NaN: not known. */
  'busiest',
  /** Seconds that the slowest event loop was late. */
  'delay',
  /** Completed downloads that wait for the database. */
  'owed',
] as const
export type Series = (typeof SERIES)[number]
/** By series; what is not known is null. */
export type Moment = Readonly<Record<Series, number | null>>

/** Rings: one moment of each so many seconds. */
export const RANGES = {
  hour: { stepSeconds: 5, steps: 720 },
  day: { stepSeconds: 60, steps: 1_440 },
} as const
export type Range = keyof typeof RANGES

/** What grows, of one moment. */
type Counts = {
  readonly at: number
  readonly rates: Readonly<
    Record<
      | 'udpServed'
      | 'udpRefused'
      | 'udpDropped'
      | 'httpServed'
      | 'httpRefused'
      | 'webServed'
      | 'webRefused'
      | 'webRelayed'
      | 'bytesReceived'
      | 'bytesSent',
      number
    >
  >
  readonly times: Readonly<Record<'udp' | 'http' | 'web', readonly number[]>>
  readonly webOpen: number
  /** Seconds on a processor of each serving thread. */
  readonly ran: readonly (number | undefined)[]
}

function countsOf({ milliseconds, listeners, threads }: MetricSources): Counts {
  const of = (type: ListenerType) =>
    listeners.filter((one) => one.type === type).map(({ counters }) => counters)
  const udp = of('udp_tracker')
  const http = of('http_tracker')
  const web = of('websocket_tracker')
  const sum = (
    all: readonly ListenerCounters[],
    names: readonly Parameters<ListenerCounters['read']>[0][],
  ) =>
    all.reduce((total, counters) => {
      for (const name of names) {
        const { ipv4, ipv6 } = counters.read(name)
        total += ipv4 + ipv6
      }
      return total
    }, 0)
  const timesOf = (all: readonly ListenerCounters[]) => {
    const buckets: number[] = Array(TIME_BOUNDS.length + 1).fill(0)
    for (const counters of all)
      for (const kind of KINDS)
        for (const [i, count] of counters.times(kind).buckets.entries()) buckets[i]! += count
    return buckets
  }
  const all = [...udp, ...http, ...web]
  const ifWeb = (figure: number) => (web.length === 0 ? Number.NaN : figure)
  return {
    at: milliseconds,
    rates: {
      udpServed: sum(udp, Object.values(SERVED)),
      udpRefused: sum(udp, ['errors']),
      udpDropped: sum(udp, DROPPED),
      httpServed: sum(http, Object.values(SERVED)),
      httpRefused: sum(http, ['errors', 'malformed']),
      webServed: ifWeb(sum(web, Object.values(SERVED))),
      webRefused: ifWeb(sum(web, ['errors', 'malformed', 'strayAnswers'])),
      webRelayed: ifWeb(sum(web, ['relayedOffers', 'relayedAnswers'])),
      bytesReceived: sum(all, ['bytesReceived']),
      bytesSent: sum(all, ['bytesSent']),
    },
    times: { udp: timesOf(udp), http: timesOf(http), web: timesOf(web) },
    webOpen: ifWeb(web.reduce((sum, { open: { ipv4, ipv6 } }) => sum + ipv4 + ipv6, 0)),
    ran: threads.filter(({ name }) => name !== 'control').map(({ busy }) => busy?.ran),
  }
}

/**
 * The time within which `share` of the requests between two moments were answered: between the bounds of its
 * bucket by the place in it. NaN: there were none.
 */
export function quantile(
  before: readonly number[],
  after: readonly number[],
  share: number,
): number {
  const counts = after.map((count, i) => Math.max(0, count - (before[i] ?? 0)))
  const rank = share * counts.reduce((sum, count) => sum + count, 0)
  if (rank === 0) return Number.NaN
  let seen = 0
  for (const [i, count] of counts.entries()) {
    if (count === 0 || seen + count < rank) {
      seen += count
      continue
    }
    const low = i === 0 ? 0 : TIME_BOUNDS[i - 1]!
    const high = TIME_BOUNDS[i] ?? low
    return (low + ((high - low) * (rank - seen)) / count) / 1e9
  }
  return Number.NaN
}

/** What `sources` say of the time since `before`. A counter that fell began anew: a thread or a listener is another one. */
function momentOf(sources: MetricSources, before: Counts, now: Counts): readonly number[] {
  const seconds = Math.max(0.001, (now.at - before.at) / 1000)
  const rate = (name: keyof Counts['rates']) =>
    Math.max(0, now.rates[name] - before.rates[name]) / seconds
  const busy = now.ran.map(
    (ran, i) => ((ran ?? Number.NaN) - (before.ran[i] ?? Number.NaN)) / seconds,
  )
  const { totals, memory, process, threads, database } = sources
  const values: Record<Series, number> = {
    udpServed: rate('udpServed'),
    udpRefused: rate('udpRefused'),
    udpDropped: rate('udpDropped'),
    httpServed: rate('httpServed'),
    httpRefused: rate('httpRefused'),
    webServed: rate('webServed'),
    webRefused: rate('webRefused'),
    webRelayed: rate('webRelayed'),
    webOpen: now.webOpen,
    bytesReceived: rate('bytesReceived'),
    bytesSent: rate('bytesSent'),
    udpMedian: quantile(before.times.udp, now.times.udp, 0.5),
    udpSlowest: quantile(before.times.udp, now.times.udp, 0.99),
    httpMedian: quantile(before.times.http, now.times.http, 0.5),
    httpSlowest: quantile(before.times.http, now.times.http, 0.99),
    webMedian: quantile(before.times.web, now.times.web, 0.5),
    webSlowest: quantile(before.times.web, now.times.web, 0.99),
    torrents: totals.torrents,
    seeders: totals.seeders,
    leechers: totals.leechers,
    memoryUsed: memory.used,
    residentBytes: process.residentBytes,
    busiest: Math.min(1, Math.max(0, ...busy)),
    delay: Math.max(...threads.map(({ delay }) => delay)),
    owed: database?.owed ?? 0,
  }
  return SERIES.map((name) => values[name])
}

class Ring {
  readonly #stepSeconds: number
  readonly #steps: number
  /** By step, the time in seconds and then the series. */
  readonly #rows: Float64Array
  #count = 0
  #before: Counts | undefined

  constructor({ stepSeconds, steps }: (typeof RANGES)[Range]) {
    this.#stepSeconds = stepSeconds
    this.#steps = steps
    this.#rows = new Float64Array(steps * (SERIES.length + 1))
  }

  add(sources: MetricSources, now: Counts): void {
    const before = this.#before
    // Half a second early is on time: timers are late, and come closer together then. A clock that was set back begins anew.
    const passed = before === undefined ? 0 : now.at - before.at
    if (passed >= 0 && before !== undefined && passed < this.#stepSeconds * 1000 - 500) return
    this.#before = now
    if (before === undefined || passed < 0) return
    const at = (this.#count++ % this.#steps) * (SERIES.length + 1)
    this.#rows[at] = Math.round(now.at / 1000)
    this.#rows.set(momentOf(sources, before, now), at + 1)
  }

  /** In columns, oldest first. */
  read(): {
    readonly times: readonly number[]
    readonly series: Readonly<Record<Series, readonly (number | null)[]>>
  } {
    const kept = Math.min(this.#count, this.#steps)
    const column = (index: number) =>
      Array.from({ length: kept }, (_, i) => {
        const row = (this.#count - kept + i) % this.#steps
        return shown(this.#rows[row * (SERIES.length + 1) + index]!)
      })
    const series = Object.fromEntries(SERIES.map((name, i) => [name, column(i + 1)]))
    return { times: column(0) as number[], series: series as Record<Series, (number | null)[]> }
  }
}

/** Four digits, as far as a chart can show them; whole numbers whole. */
const shown = (value: number): number | null =>
  Number.isNaN(value) || !Number.isFinite(value)
    ? null
    : Number.isInteger(value)
      ? value
      : Number(value.toPrecision(4))

export class History {
  readonly #rings = { hour: new Ring(RANGES.hour), day: new Ring(RANGES.day) }
  #last: Counts | undefined

  /** To be called once a second. What the last second was like; undefined: this is the first. */
  add(sources: MetricSources): Moment | undefined {
    const now = countsOf(sources)
    for (const ring of Object.values(this.#rings)) ring.add(sources, now)
    const last = this.#last
    this.#last = now
    if (last === undefined) return undefined
    const values = momentOf(sources, last, now)
    return Object.fromEntries(SERIES.map((name, i) => [name, shown(values[i]!)])) as Moment
  }

  read(range: Range) {
    return { stepSeconds: RANGES[range].stepSeconds, ...this.#rings[range].read() }
  }
}
