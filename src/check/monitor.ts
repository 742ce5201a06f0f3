/**
 * Asks targets repeatedly and counts the answers (docs/behaviours.md T7). Announces no peer, and has at most one
 * request to a target in flight.
 */
import type { Family } from '../bittorrent.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { scrapeHttp } from '../client/http.ts'
import { resolve } from '../client/resolve.ts'
import { UdpClient } from '../client/udp.ts'
import { joinPort } from '../wire/address.ts'
import { AT_ONCE, type CheckOptions, Limiter } from './checks.ts'
import { type ProbeStatus, Statistics } from './latency.ts'
import type { Target } from './target.ts'

/** A target, or one address family of it, with its own statistics. */
export interface Series {
  readonly target: Target
  /** undefined: any that the name has. */
  readonly family: Family | undefined
  /** The `ip:port` that was asked last; `host:port` until it is known. */
  remote: string
  readonly statistics: Statistics
}

export interface Probe {
  readonly series: Series
  /** Counts the probes of the series, from 1. */
  readonly sequence: number
  readonly status: ProbeStatus
  /** Until the answer came, or the probe was given up. */
  readonly milliseconds: number
  /** Why there is no usable answer. */
  readonly message: string | undefined
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
  const limiter = new Limiter(AT_ONCE)
  const all = targets.map(async (target) => {
    const { host, port } = target.url
    const families =
      target.kind === 'health' ? [undefined] : await limiter.run(() => familiesOf(host, options))
    return families.map((family) => ({
      target,
      family,
      remote: joinPort(host, port),
      statistics: new Statistics(),
    }))
  })
  return (await Promise.all(all)).flat()
}

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

/** Resolves when the time is over or `stop` aborts; requests in flight then do not count. */
export async function monitor(
  series: readonly Series[],
  options: CheckOptions,
  { interval, duration }: Times,
  stop: AbortSignal,
  report: (probe: Probe) => void,
): Promise<void> {
  const limiter = new Limiter(AT_ONCE)
  const start = performance.now()
  const follow = async (one: Series): Promise<void> => {
    let turn = 0
    for (;;) {
      const result = await unless(
        stop,
        limiter.run(() => ask(one, options)),
      )
      if (stop.aborted || !result) return
      one.statistics.record(result.status, result.milliseconds, result.message)
      report({ ...result, series: one, sequence: one.statistics.total })
      // A request that took longer than the interval skips the turns it missed.
      const now = performance.now()
      turn = Math.max(turn + 1, Math.ceil((now - start) / interval))
      if (turn * interval >= duration) return
      await unless(stop, Bun.sleep(start + turn * interval - now))
    }
  }
  await Promise.all(series.map(follow))
}

async function ask(
  series: Series,
  options: CheckOptions,
): Promise<Omit<Probe, 'series' | 'sequence'>> {
  let since = performance.now()
  const start = () => {
    since = performance.now()
  }
  const elapsed = () => performance.now() - since
  try {
    const problem = await (series.target.kind === 'health'
      ? askService(series, options)
      : askTracker(series, options, start))
    return {
      status: problem === undefined ? 'ok' : 'error',
      milliseconds: elapsed(),
      message: problem,
    }
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    const status = error.kind === 'timeout' ? 'timeout' : 'error'
    return { status, milliseconds: elapsed(), message: error.reason }
  }
}

async function askService(series: Series, options: CheckOptions): Promise<string | undefined> {
  const { remote, problem } = await askHealth(series.target.url, options)
  series.remote = remote
  return problem
}

/** `start` is called when everything is ready for the request. */
async function askTracker(
  series: Series,
  options: CheckOptions,
  start: () => void,
): Promise<undefined> {
  const { url, kind } = series.target
  const family = series.family ?? options.family
  // Resolved each time: the name may move while it is watched.
  const [address] = await resolve(url.host, { ...options, family })
  series.remote = joinPort(address!.ip, url.port)
  if (kind === 'http') {
    start()
    await scrapeHttp(url, address!, [options.infoHash], options)
    return
  }
  // A single datagram, so that a lost one shows.
  using client = await UdpClient.open(address!, url.port, { ...options, attempts: 1 })
  start()
  await client.connect()
}

/** The result of `work`; undefined: `stop` aborted first. Removes its handler from `stop`, which lives long. */
async function unless<T>(stop: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  if (stop.aborted) return undefined
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const wake = () => resolve(undefined)
  stop.addEventListener('abort', wake, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    stop.removeEventListener('abort', wake)
  }
}
