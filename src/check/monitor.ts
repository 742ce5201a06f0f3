/**
 * Asks targets repeatedly and counts the answers (docs/behaviours.md T7). Announces no peer, and has at most one
 * request to a target in flight.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Family } from '../bittorrent.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { scrapeHttp } from '../client/http.ts'
import { resolve } from '../client/resolve.ts'
import { UdpClient } from '../client/udp.ts'
import { joinPort } from '../wire/address.ts'
import { type CheckOptions, onEach } from './checks.ts'
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
  const all = await onEach(targets, async (target) => {
    const { host, port } = target.url
    const families = target.kind === 'health' ? [undefined] : await familiesOf(host, options)
    return families.map((family) => ({
      target,
      family,
      remote: joinPort(host, port),
      statistics: new Statistics(),
    }))
  })
  return all.flat()
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
  const start = performance.now()
  const follow = async (one: Series): Promise<void> => {
    for (let turn = 0; turn * interval < duration; ) {
      const wait = Math.max(0, start + turn * interval - performance.now())
      await sleep(wait, undefined, { signal: stop })
      const result = await ask(one, options)
      if (stop.aborted) return
      one.statistics.record(result.status, result.milliseconds, result.message)
      report({ ...result, series: one, sequence: one.statistics.total })
      // A request that took longer than the interval skips the turns it missed.
      turn = Math.max(turn + 1, Math.ceil((performance.now() - start) / interval))
    }
  }
  const stopped = new Promise<void>((resolve) => {
    if (stop.aborted) resolve()
    else stop.addEventListener('abort', () => resolve(), { once: true })
  })
  const followed = series.map((one) =>
    follow(one).catch((error) => {
      // A wait that `stop` ends rejects.
      if (!stop.aborted) throw error
    }),
  )
  await Promise.race([Promise.all(followed), stopped])
}

async function ask(
  series: Series,
  options: CheckOptions,
): Promise<Omit<Probe, 'series' | 'sequence'>> {
  const { kind, url } = series.target
  let since = performance.now()
  const probe = (status: ProbeStatus, message?: string) => {
    return { status, milliseconds: performance.now() - since, message }
  }
  try {
    if (kind === 'health') {
      const { remote, problem } = await askHealth(url, options)
      series.remote = remote
      return probe(problem === undefined ? 'ok' : 'error', problem)
    }
    // Resolved each time: the name may move while it is watched.
    const family = series.family ?? options.family
    const [address] = await resolve(url.host, { ...options, family })
    series.remote = joinPort(address!.ip, url.port)
    // A single datagram, so that a lost one shows.
    using client =
      kind === 'udp'
        ? await UdpClient.open(address!, url.port, { ...options, attempts: 1 })
        : undefined
    since = performance.now()
    await (client?.connect() ?? scrapeHttp(url, address!, [options.infoHash], options))
    return probe('ok')
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return probe(error.kind === 'timeout' ? 'timeout' : 'error', error.reason)
  }
}
