/** Whether the tracker of the configuration runs, as its health API tells. */

import { ClientFailure } from '../client/failure.ts'
import { askHealth, type HealthAnswer } from '../client/health-report.ts'
import { parseTrackerUrl } from '../client/tracker-url.ts'
import type { Config } from '../config/model.ts'
import { reachable } from '../servers/probe.ts'
import { printAddress } from '../wire/address.ts'
import { type Listener, listenersOf } from './configured-listeners.ts'
import { type Check, ok, problem, skipped, warning } from './finding.ts'

/** What answers where the health API of the configuration should be. */
export interface RunningTracker {
  /** Of the health report. */
  readonly url: string
  /** absent: nothing there answers with a report. */
  readonly answer?: HealthAnswer
  /** Why there is none, where that is not just because nothing listens. */
  readonly trouble?: string
}

/** Whether the report names a listener. */
export const serves = ({ answer }: RunningTracker, { scheme, bind_address }: Listener): boolean =>
  answer?.services.some(
    ({ service }) => service.replace(/\/$/, '') === `${scheme}://${printAddress(bind_address)}`,
  ) ?? false

/** Whether it is the tracker of this configuration: another one may be there. */
export function isOurs(tracker: RunningTracker, config: Config): boolean {
  // The report does not name the API that it comes from; ports that the system chose tell nothing.
  const known = listenersOf(config).filter(
    ({ name, bind_address }) => name !== 'health_check_api' && bind_address.port !== 0,
  )
  const isThere = tracker.answer !== undefined
  return isThere && (known.length === 0 || known.some((listener) => serves(tracker, listener)))
}

export async function askTracker(config: Config, milliseconds: number): Promise<RunningTracker> {
  const bind = config.health_check_api.bind_address
  const text = `http://${printAddress(reachable(bind))}/health_check`
  const url = parseTrackerUrl(text)
  // Port 0: only its log says where it is.
  if (typeof url === 'string') return { url: text }
  try {
    const answer = await askHealth(url, { milliseconds })
    return answer.status === null
      ? { url: text, trouble: `${answer.statusLine}, but no health report` }
      : { url: text, answer }
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return error.kind === 'connect' ? { url: text } : { url: text, trouble: error.reason }
  }
}

export const health: Check = {
  name: 'health',
  async run({ config, tracker }) {
    if (config.health_check_api.bind_address.port === 0)
      return skipped('health_check_api.bind_address has port 0: only the log says where it is')
    const running = await tracker()
    const { url, answer, trouble } = running
    const look = `curl ${url}`
    if (trouble !== undefined)
      return problem(
        `${url}: ${trouble}`,
        look,
        'Either the tracker is stuck (look at its log and at top), or another program has that port: then name another one in health_check_api.bind_address.',
      )
    if (answer === undefined)
      return skipped(
        `no tracker runs with this configuration: nothing answers at ${url}; run this again while it does`,
      )
    if (!isOurs(running, config))
      return warning(
        `a tracker answers at ${url}, but it has none of the listeners of this configuration: ${answer.services.map(({ service }) => service).join(', ') || 'it has none'}`,
        'Look at the configuration that it runs with: --config PATH',
      )
    if (answer.problem !== undefined) return problem(`${url}: ${answer.problem}`, look)
    return ok(`the tracker runs, and its ${answer.services.length} services answer`)
  },
}
