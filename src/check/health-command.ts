/** `tracker health`: one request to the health API, for the health check of a container. */
import { EXIT, type Host } from '../cli/host.ts'
import { type Invocation, Misuse, secondsValue } from '../cli/invocation.ts'
import { printResult, wantsText } from '../cli/output.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth, printService } from '../client/health-report.ts'
import { parseTrackerUrl, type TrackerUrl } from '../client/tracker-url.ts'
import { rounded } from '../text/figures.ts'

const PORT_VARIABLE = 'HEALTH_CHECK_API_PORT'
const DEFAULT_PORT = '1313'
const PATH = '/health_check'

export async function health(invocation: Invocation, host: Host): Promise<number> {
  const milliseconds = secondsValue(invocation, 'timeout', { min: 0.01, max: 3600 }, 4)
  const url = readUrl(invocation.arguments[0], host.env[PORT_VARIABLE] || DEFAULT_PORT)
  const insecure = invocation.options.has('insecure')
  const since = performance.now()
  const answer = await askHealth(url, { milliseconds, insecure }).catch((error: unknown) => {
    if (!(error instanceof ClientFailure)) throw error
    return { ...NO_ANSWER, problem: error.reason }
  })
  const elapsed = rounded(performance.now() - since, 3)
  const { status, services, degraded = null, memory = null } = answer
  const noReport = status === null ? `${answer.statusLine}, but no health report` : null
  const message = answer.problem ?? noReport
  const result = {
    url: url.href,
    status,
    http_status: answer.httpStatus,
    elapsed_ms: elapsed,
    services,
    memory,
    degraded,
    message,
  }
  // A degraded tracker serves: nothing should restart it.
  const trouble = message ?? (degraded === null ? null : `degraded: ${degraded}`)
  printResult(host, invocation, result, () =>
    [
      `${url.href}: ${trouble ?? status} (${elapsed.toFixed(1)} ms)`,
      ...services.map((service) => `  ${service.status.padEnd(5)}  ${printService(service)}`),
      '',
    ].join('\n'),
  )
  // The text itself says why.
  if (trouble !== null && !wantsText(host, invocation))
    host.complain(`tracker health: ${url.href}: ${trouble}\n`)
  return message === null ? EXIT.success : EXIT.failure
}

const NO_ANSWER = {
  status: null,
  statusLine: '',
  httpStatus: null,
  services: [],
  degraded: undefined,
  memory: undefined,
}

/** From a port, `HOST`, `HOST:PORT` or a URL; without a word, the health API of this machine. */
function readUrl(word: string | undefined, port: string): TrackerUrl {
  const isPort = word === undefined || /^\d+$/.test(word)
  const given = word ?? port
  if (isPort && !(/^\d{1,5}$/.test(given) && Number(given) > 0 && Number(given) <= 65_535))
    throw new Misuse(
      `${word === undefined ? PORT_VARIABLE : 'URL'} must be a port from 1 to 65535, not ${given}`,
    )
  const place = isPort ? `127.0.0.1:${given}` : /[:/]/.test(word) ? word : `${word}:${port}`
  const url = parseTrackerUrl(place.includes('://') ? place : `http://${place}`)
  if (typeof url === 'string') throw new Misuse(url)
  if (url.protocol !== 'http') throw new Misuse(`${word}: expected http:// or https://`)
  if (url.path !== '') return url
  // `href` lacks a path, but ends with the slash that every URL has.
  return { ...url, path: PATH, href: `${url.href.replace(/\/$/, '')}${PATH}` }
}
