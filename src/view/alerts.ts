/**
 * What an operator should know now, in words and with the remedy, the worst first: what the alert rules in
 * share/prometheus watch for, for those who run no Prometheus.
 */
import { count, duration, percent, several, size } from '../text/figures.ts'
import { certificatesOf, type MetricSources } from './metrics.ts'

export type Alert = {
  /** `critical`: clients are not served, or soon will not be. */
  readonly level: 'critical' | 'warning'
  /** One of a closed list. */
  readonly name: string
  /** One or two sentences. */
  readonly text: string
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY_SECONDS = 86_400
/** For how long what happened once is told. */
const TOLD = { drops: 5 * MINUTE, deaths: HOUR, silence: 5 * MINUTE, lost: 15 * MINUTE }
const NEARLY_FULL = 0.9
const FEW_FILES = 0.9
const LATE_SECONDS = 0.5
const BEHIND_SECONDS = 60
const WARNED_DAYS = 14
const CRITICAL_DAYS = 3
/** A tracker that served so many announces in the hour before is silent when it serves none. */
const LEAST_ANNOUNCES = 3_600

/** A counter that grew: by how much within the last `milliseconds`. */
class Growth {
  readonly #milliseconds: number
  readonly #seen: { readonly at: number; readonly total: number }[] = []

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds
  }

  /** Looks about sixty times within the time. A counter that fell began anew. */
  look(at: number, total: number): number {
    const seen = this.#seen
    const newest = seen.at(-1)
    if (newest !== undefined && (newest.total > total || newest.at > at)) seen.length = 0
    while (seen.length > 1 && seen[1]!.at <= at - this.#milliseconds) seen.shift()
    if (seen.length === 0 || at - seen.at(-1)!.at >= this.#milliseconds / 60)
      seen.push({ at, total })
    return total - seen[0]!.total
  }

  /** Whether it was looked at for that long. */
  isWhole(at: number): boolean {
    return this.#seen.length > 0 && at - this.#seen[0]!.at >= this.#milliseconds
  }
}

/** To be asked about once a second: some alerts are about what happened a while ago. */
export class Alerts {
  readonly #drops = new Growth(TOLD.drops)
  readonly #deaths = new Growth(TOLD.deaths)
  readonly #recent = new Growth(TOLD.silence)
  readonly #hour = new Growth(HOUR)
  readonly #lost = new Growth(TOLD.lost)

  of(sources: MetricSources): readonly Alert[] {
    const found = [
      ...this.#serving(sources),
      ...databaseAlerts(sources),
      ...this.#accounting(sources),
      ...certificateAlerts(sources),
      ...machineAlerts(sources),
    ]
    return found.sort((a, b) => Number(b.level === 'critical') - Number(a.level === 'critical'))
  }

  *#serving({
    milliseconds: now,
    degraded,
    memory,
    listeners,
    threadDeaths,
  }: MetricSources): Generator<Alert> {
    if (degraded !== undefined)
      yield { level: 'critical', name: 'degraded', text: sentence(degraded) }
    else if (memory.used >= memory.limit * NEARLY_FULL)
      yield {
        level: 'warning',
        name: 'nearly_full',
        text: `Memory is nearly full: ${size(memory.used)} of ${size(memory.limit)} are in use. Raise runtime.max_memory, or lower core.tracker_policy.max_peer_timeout.`,
      }
    const drops = this.#drops.look(
      now,
      listeners.reduce((sum, one) => sum + (one.drops ?? 0), 0),
    )
    if (drops > 0)
      yield {
        level: 'warning',
        name: 'drops',
        text: `The system dropped ${several(drops, 'datagram')} in the last five minutes, because the receive buffer was full. \`tracker doctor\` says how to enlarge it; more threads or processors help as well.`,
      }
    const deaths = this.#deaths.look(now, threadDeaths)
    if (deaths > 0)
      yield {
        level: 'warning',
        name: 'thread_died',
        text: `${several(deaths, 'serving thread')} died in the last hour and ${deaths === 1 ? 'was' : 'were'} replaced. The log says why; please report it.`,
      }
    const announces = listeners.reduce((sum, { counters }) => {
      const { ipv4, ipv6 } = counters.read('announces')
      return sum + ipv4 + ipv6
    }, 0)
    const recent = this.#recent.look(now, announces)
    const hour = this.#hour.look(now, announces)
    if (recent === 0 && this.#recent.isWhole(now) && hour >= LEAST_ANNOUNCES)
      yield {
        level: 'critical',
        name: 'no_announces',
        text: `No announce was served in the last five minutes, and ${count(hour)} in the hour before. Look at the network, the firewall and the DNS name: \`tracker doctor\`.`,
      }
  }

  *#accounting({ milliseconds: now, accounting, database }: MetricSources): Generator<Alert> {
    if (accounting === undefined) return
    const { lagSeconds, eventsLost } = accounting
    if (lagSeconds > BEHIND_SECONDS && database?.isUp)
      yield {
        level: 'warning',
        name: 'accounting_behind',
        text: `What users moved has waited ${duration(Math.round(lagSeconds))} for the database, which does not keep up. Nothing is lost while the tracker runs.`,
      }
    const lost = this.#lost.look(now, eventsLost)
    if (lost > 0)
      yield {
        level: 'warning',
        name: 'accounting_lost',
        text: `${several(lost, 'announce')} of the last quarter of an hour ${lost === 1 ? 'was' : 'were'} not accounted: the control thread got no turn. Clients that go on announce the same figures again. More processors help.`,
      }
  }
}

function* databaseAlerts({ database }: MetricSources): Generator<Alert> {
  if (database === undefined || database.isUp) return
  const { owed } = database
  const waiting = `${several(owed, 'completed download')} ${owed === 1 ? 'waits' : 'wait'} in memory. `
  yield {
    level: 'critical',
    name: 'database',
    text: `The database does not work; announces are served all the same. ${owed === 0 ? '' : waiting}The log says why.`,
  }
}

function* certificateAlerts(sources: MetricSources): Generator<Alert> {
  for (const { url, ends } of certificatesOf(sources)) {
    const days = Math.floor((ends - sources.milliseconds / 1000) / DAY_SECONDS)
    if (days >= WARNED_DAYS) continue
    const left = days === 0 ? 'ends today' : `ends in ${several(days, 'day')}`
    yield {
      level: days < CRITICAL_DAYS ? 'critical' : 'warning',
      name: 'certificate',
      text: `The certificate of ${url} ${days < 0 ? 'has ended' : left}. Renew it.`,
    }
  }
}

function* machineAlerts({ process, threads }: MetricSources): Generator<Alert> {
  const { openFiles, mostFiles } = process
  if (openFiles !== undefined && mostFiles !== undefined && openFiles >= mostFiles * FEW_FILES)
    yield {
      level: 'warning',
      name: 'files',
      text: `${count(openFiles)} of ${count(mostFiles)} files are open (${percent(openFiles / mostFiles)}): connections will be closed. Raise the limit (LimitNOFILE).`,
    }
  const latest = threads.reduce((a, b) => (b.delay > a.delay ? b : a), { name: '', delay: 0 })
  if (latest.delay >= LATE_SECONDS)
    yield {
      level: 'warning',
      name: 'late',
      text: `Thread ${latest.name} was late by ${latest.delay.toFixed(1)} s: the machine is overloaded.`,
    }
}

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
