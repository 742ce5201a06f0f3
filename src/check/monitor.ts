/**
 * Asks targets again and again and counts what comes back. Leaves no peer behind, and has no more than one
 * question to a target on its way.
 */
import type { Family } from '../bittorrent.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { scrapeHttp } from '../client/http.ts'
import { resolve } from '../client/resolve.ts'
import { UdpClient } from '../client/udp.ts'
import { joinPort } from '../wire/address.ts'
import { AT_ONCE, type CheckOptions } from './checks.ts'
import { explain } from './explain.ts'
import { Gate } from './gate.ts'
import { type ProbeStatus, Statistics } from './latency.ts'
import type { Target } from './target.ts'

/** What is asked by itself: a target, or one address family of it. */
export interface Series {
  readonly target: Target
  /** undefined: whichever its name leads to. */
  readonly family: Family | undefined
  /** `ip:port` that was asked last; `host:port` before it is known. */
  remote: string
  readonly statistics: Statistics
}

export interface Probe {
  readonly series: Series
  /** Of the series, from 1. */
  readonly sequence: number
  readonly status: ProbeStatus
  /** Until the answer came, or was given up. */
  readonly milliseconds: number
  /** Why there is none that can be used. */
  readonly message: string | undefined
}

export interface Times {
  /** Milliseconds from the start of one question to that of the next. */
  readonly interval: number
  /** Milliseconds after which no further question is asked. */
  readonly duration: number
}

/** One for each family of a tracker's name, in the order of the targets. */
export async function seriesOf(
  targets: readonly Target[],
  options: CheckOptions,
): Promise<Series[]> {
  const gate = new Gate(AT_ONCE)
  const all = targets.map(async (target) => {
    const { host, port } = target.url
    const families =
      target.kind === 'health' ? [undefined] : await gate.pass(() => familiesOf(host, options))
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
    // The name may lead somewhere later.
    return [options.family]
  }
}

/** Resolves when the time is over or `stop` is given; whatever is on its way then does not count. */
export async function monitor(
  series: readonly Series[],
  options: CheckOptions,
  { interval, duration }: Times,
  stop: AbortSignal,
  told: (probe: Probe) => void,
): Promise<void> {
  const gate = new Gate(AT_ONCE)
  const start = performance.now()
  const follow = async (one: Series): Promise<void> => {
    let turn = 0
    for (;;) {
      const result = await unless(
        stop,
        gate.pass(() => ask(one, options)),
      )
      if (stop.aborted || !result) return
      one.statistics.record(result.status, result.milliseconds, result.message)
      told({ ...result, series: one, sequence: one.statistics.total })
      // A question that took longer than the interval leaves out the turns that it missed.
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
  const begin = () => {
    since = performance.now()
  }
  const elapsed = () => performance.now() - since
  try {
    const problem = await (series.target.kind === 'health'
      ? askService(series, options)
      : askTracker(series, options, begin))
    return {
      status: problem === undefined ? 'ok' : 'error',
      milliseconds: elapsed(),
      message: problem,
    }
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    const status = error.kind === 'timeout' ? 'timeout' : 'error'
    return { status, milliseconds: elapsed(), message: explain(error) }
  }
}

async function askService(series: Series, options: CheckOptions): Promise<string | undefined> {
  const { remote, problem } = await askHealth(series.target.url, options)
  series.remote = remote
  return problem
}

/** `begin` is called when all is ready but the question. */
async function askTracker(
  series: Series,
  options: CheckOptions,
  begin: () => void,
): Promise<undefined> {
  const { url, kind } = series.target
  const family = series.family ?? options.family
  // Anew each time: a name may move while it is watched.
  const [address] = await resolve(url.host, { ...options, family })
  series.remote = joinPort(address!.ip, url.port)
  if (kind === 'http') {
    begin()
    await scrapeHttp(url, address!, [options.infoHash], options)
    return
  }
  // A single datagram: one that is lost is to be seen.
  using client = await UdpClient.open(address!, url.port, { ...options, attempts: 1 })
  begin()
  await client.connect()
}

/** What `work` comes to; undefined: `stop` came first. Leaves nothing at `stop`, which lives long. */
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
