/**
 * Asks targets repeatedly and counts the answers (docs/behaviours.md T7), in memory that does not grow. Announces no
 * peer, and has at most one request to a target in flight.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Family } from '../bittorrent.ts'
import { openClient } from '../client/ask.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { inParallel } from '../client/in-parallel.ts'
import { resolve } from '../client/resolve.ts'
import { UdpClient } from '../client/udp.ts'
import { Histogram } from '../memory/histogram.ts'
import { joinPort } from '../wire/address.ts'
import { AT_ONCE, type CheckOptions } from './checks.ts'
import type { Target } from './targets.ts'

type ProbeStatus = 'ok' | 'timeout' | 'error'

/** A target, or one address family of it, and what was counted so far. */
export interface Series {
  readonly target: Target
  /** undefined: any that the name has. */
  readonly family: Family | undefined
  /** The `ip:port` that was asked last; `host:port` until it is known. */
  remote: string
  /** Probes, by how they ended. */
  readonly counts: Record<ProbeStatus, number>
  /** Latencies of all answers in milliseconds: in a histogram, their sum, and the last one. */
  readonly latencies: Histogram
  sum: number
  last: number
  /** Why the last failed probe failed. */
  lastFailure: string | null
}

/** The answer of one probe. */
interface Answer {
  readonly status: ProbeStatus
  /** Until the answer came, or the probe was given up. */
  readonly milliseconds: number
  /** Why there is no usable answer. */
  readonly message: string | undefined
}

export interface Probe extends Answer {
  readonly series: Series
  /** Counts the probes of the series, from 1. */
  readonly sequence: number
}

export interface Times {
  /** Milliseconds from the start of one request to that of the next. */
  readonly interval: number
  /** Milliseconds after which no further request is sent. */
  readonly duration: number
}

/** One series for each family of a tracker's name, in the order of the targets. */
export async function seriesOf(
  targets: readonly Target[],
  options: CheckOptions,
): Promise<Series[]> {
  const all = await inParallel(targets, AT_ONCE, async (target) => {
    const { host, port } = target.url
    const families = target.kind === 'health' ? [undefined] : await familiesOf(host, options)
    return families.map((family) => newSeries(target, family, joinPort(host, port)))
  })
  return all.flat()
}

export const newSeries = (target: Target, family: Family | undefined, remote: string): Series => ({
  target,
  family,
  remote,
  counts: { ok: 0, timeout: 0, error: 0 },
  latencies: new Histogram(),
  sum: 0,
  last: 0,
  lastFailure: null,
})

async function familiesOf(
  host: string,
  options: CheckOptions,
): Promise<readonly (Family | undefined)[]> {
  try {
    return [...new Set((await resolve(host, options)).map(({ family }) => family))]
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    // The name may get an address later.
    return [options.family]
  }
}

export const probesOf = ({ counts }: Series): number => counts.ok + counts.timeout + counts.error

/** A target that was never asked is not known to be well. */
export const isWell = (series: Series): boolean =>
  probesOf(series) > 0 && series.counts.ok === probesOf(series)

export function record(series: Series, { status, milliseconds, message }: Answer): void {
  series.counts[status]++
  if (status !== 'ok') {
    series.lastFailure = message ?? null
    return
  }
  series.latencies.record(milliseconds)
  series.sum += milliseconds
  series.last = milliseconds
}

/** Resolves when the time is over or `stop` aborts; requests in flight then do not count. */
export async function monitor(
  all: readonly Series[],
  options: CheckOptions,
  { interval, duration }: Times,
  stop: AbortSignal,
  report: (probe: Probe) => void,
): Promise<void> {
  const start = performance.now()
  const follow = async (series: Series): Promise<void> => {
    for (let turn = 0; turn * interval < duration; ) {
      const wait = Math.max(0, start + turn * interval - performance.now())
      await sleep(wait, undefined, { signal: stop })
      const answer = await ask(series, options)
      if (stop.aborted) return
      record(series, answer)
      report({ ...answer, series, sequence: probesOf(series) })
      // A request that took longer than the interval skips the turns it missed.
      turn = Math.max(turn + 1, Math.ceil((performance.now() - start) / interval))
    }
  }
  const stopped = new Promise<void>((resolve) => {
    if (stop.aborted) resolve()
    else stop.addEventListener('abort', () => resolve(), { once: true })
  })
  const followed = all.map((series) =>
    follow(series).catch((error) => {
      // A wait that `stop` ends rejects.
      if (!stop.aborted) throw error
    }),
  )
  await Promise.race([Promise.all(followed), stopped])
}

async function ask(series: Series, options: CheckOptions): Promise<Answer> {
  const { kind, url } = series.target
  let since = performance.now()
  const answer = (status: ProbeStatus, message?: string): Answer => {
    return { status, milliseconds: performance.now() - since, message }
  }
  try {
    if (kind === 'health') {
      const { remote, problem } = await askHealth(url, options)
      series.remote = remote
      return answer(problem === undefined ? 'ok' : 'error', problem)
    }
    // Resolved each time: the name may move while it is watched.
    const family = series.family ?? options.family
    const [address] = await resolve(url.host, { ...options, family })
    series.remote = joinPort(address!.ip, url.port)
    if (kind === 'udp') {
      // A single datagram, so that a lost one shows.
      using client = await UdpClient.open(address!, url.port, { ...options, attempts: 1 })
      since = performance.now()
      await client.connect()
    } else {
      since = performance.now()
      using client = await openClient(url, address!, options)
      await client.scrape([options.infoHash])
    }
    return answer('ok')
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return answer(error.kind === 'timeout' ? 'timeout' : 'error', error.reason)
  }
}
