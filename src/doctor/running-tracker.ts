/** What the tracker that runs with this configuration says of itself: its health report and its figures. */
import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { getHttp } from '../client/http.ts'
import { parseTrackerUrl } from '../client/tracker-url.ts'
import { type Listener, listenersOf } from '../config/listeners.ts'
import type { Config } from '../config/model.ts'
import { reachable } from '../servers/probe.ts'
import { count, several } from '../text/figures.ts'
import { printAddress } from '../wire/address.ts'
import {
  type Context,
  ok,
  problem,
  type Result,
  type Results,
  type RunningTracker,
  skipped,
  warning,
} from './finding.ts'

const urlOf = ({ scheme, bind_address }: Listener): string =>
  `${scheme}://${printAddress(bind_address)}`

/** Whether the running tracker has this listener. The report does not name the health API that it comes from. */
export function serves(tracker: RunningTracker, listener: Listener): boolean {
  if (listener.name === 'health_check_api') return tracker.isOurs
  return namesService(tracker.answer, urlOf(listener))
}

const namesService = (answer: RunningTracker['answer'], url: string): boolean =>
  answer?.services.some(({ service }) => service.replace(/\/$/, '') === url) ?? false

export async function askTracker(config: Config, milliseconds: number): Promise<RunningTracker> {
  const text = `http://${printAddress(reachable(config.health_check_api.bind_address))}/health_check`
  const silent = { url: text, isOurs: false }
  const url = parseTrackerUrl(text)
  // Port 0: only the log says which port it became.
  if (typeof url === 'string') return silent
  try {
    const answer = await askHealth(url, { milliseconds })
    if (answer.status === null)
      return { ...silent, trouble: `${answer.statusLine}, but no health report` }
    // Ports that the system chose are not known here.
    const known = listenersOf(config).filter(
      ({ name, bind_address }) => name !== 'health_check_api' && bind_address.port !== 0,
    )
    const isOurs = known.length === 0 || known.some((one) => namesService(answer, urlOf(one)))
    return { url: text, answer, isOurs }
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return error.kind === 'connect' ? silent : { ...silent, trouble: error.reason }
  }
}

export const MORE_MEMORY =
  'Set a larger runtime.max_memory, or a smaller core.tracker_policy.max_peer_timeout.'

export async function health({ config, tracker }: Context): Promise<Result> {
  if (config.health_check_api.bind_address.port === 0)
    return skipped('health_check_api.bind_address has port 0: only the log says where it is')
  const { url, answer, trouble, isOurs } = await tracker()
  if (trouble !== undefined)
    return problem(
      `${url}: ${trouble}`,
      'Either the tracker hangs, or another program has the port of its health API.',
      `curl ${url}`,
      'Look at its log and at top; or give health_check_api.bind_address another port.',
    )
  if (answer === undefined)
    return skipped(`no tracker of this configuration runs: nothing answers at ${url}`)
  const services = answer.services.map(({ service }) => service).join(', ')
  if (!isOurs)
    return warning(
      `the tracker at ${url} has none of the listeners of this configuration, but ${services || 'no listener'}`,
      'What is said here does not hold for the tracker that runs.',
      'tracker doctor --config PATH  # with the configuration that it runs with',
    )
  if (answer.problem !== undefined)
    return problem(
      `${url}: ${answer.problem}`,
      'Clients are not served as they should be.',
      `curl ${url}`,
    )
  if (answer.degraded !== undefined)
    return problem(
      `the tracker runs, but is degraded: ${answer.degraded}`,
      'Some clients are refused.',
      MORE_MEMORY,
    )
  return ok(`the tracker runs, and its ${several(answer.services.length, 'service')} answer`)
}

/** What it has done, from its API. */
export async function requests({ config, milliseconds, tracker }: Context): Promise<Results> {
  const api = listenersOf(config).find(({ name }) => name === 'http_api')
  const tokens = Object.values(config.http_api?.access_tokens ?? {})
  const token = tokens.find(({ scope }) => scope !== 'metrics')?.token
  if (api === undefined || token === undefined)
    return skipped('this configuration has no http_api with a token that may read')
  // The token must go to no other program.
  if (!serves(await tracker(), api))
    return skipped('no running tracker is known to have the http_api of this configuration')
  const url = new URL(`${api.scheme}://${printAddress(reachable(api.bind_address))}/api/v1/stats`)
  url.searchParams.set('token', token)
  try {
    // The certificate is for the public name.
    const { status, body } = await getHttp(url, { milliseconds, insecure: true })
    if (status === 200)
      return judge(new Map(Object.entries(JSON.parse(Buffer.from(body).toString()) ?? {})))
    return warning(
      `the API answers a token of this configuration with HTTP status ${status}`,
      'The running tracker may have been started with another configuration.',
      'systemctl restart tracker',
    )
  } catch (error) {
    if (!(error instanceof ClientFailure || error instanceof SyntaxError)) throw error
    return skipped(`its API does not answer with figures: ${error.message}`)
  }
}

function judge(stats: ReadonlyMap<string, unknown>): Results {
  const figure = (name: string): number => Number(stats.get(name) ?? 0)
  const [refused, aborted] = [figure('announces_refused_full'), figure('udp_requests_aborted')]
  const warnings: Result[] = []
  if (refused > 0)
    warnings.push(
      warning(
        `${several(refused, 'announce')} refused or not remembered since it started`,
        'Memory was full.',
        MORE_MEMORY,
      ),
    )
  if (aborted > 0)
    warnings.push(
      warning(
        `${several(aborted, 'datagram')} dropped unread since it started`,
        'More arrived than the serving threads could answer.',
        'runtime.workers = 0  # a thread for each core; then more cores',
      ),
    )
  if (warnings.length > 0) return warnings
  if (!stats.has('torrents')) return skipped('its API does not answer with figures')
  const served = [...stats.keys()].filter((name) => /(announces|scrapes)_handled$/.test(name))
  const total = served.reduce((sum, name) => sum + figure(name), 0)
  return ok(
    `${count(total)} announces and scrapes since it started, for ${several(figure('torrents'), 'torrent')}`,
  )
}
