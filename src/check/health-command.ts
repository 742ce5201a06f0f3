/** `tracker health`: one request to the health API, for the health check of a container. */
import { EXIT, type Host } from '../cli/host.ts'
import { type Invocation, Misuse, optionValue, secondsValue } from '../cli/invocation.ts'
import { printResult } from '../cli/output.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth, printService } from '../client/health-report.ts'
import { parseTrackerUrl, type TrackerUrl } from '../client/tracker-url.ts'
import { rounded } from '../text/figures.ts'

const PORT_VARIABLE = 'HEALTH_CHECK_API_PORT'
const DEFAULT_PORT = '1313'
const PATH = '/health_check'

interface HealthResult {
  readonly url: string
  /** As the report has it; null: no report. */
  readonly status: string | null
  readonly http_status: number | null
  readonly elapsed_ms: number
  readonly services: readonly object[]
  /** What is wrong; null: nothing. */
  readonly message: string | null
}

export async function health(invocation: Invocation, host: Host): Promise<number> {
  const milliseconds = secondsValue(invocation, 'timeout', { min: 0.01, max: 3600 }, 4)
  const url = readUrl(invocation.arguments[0], host.env[PORT_VARIABLE])
  const insecure = invocation.options.has('insecure')
  const since = performance.now()
  const elapsed = () => rounded(performance.now() - since, 3)
  const finish = (result: HealthResult, lines: readonly string[] = []): number => {
    printResult(host, invocation, result, () =>
      [
        `${result.url}: ${result.message ?? result.status} (${result.elapsed_ms.toFixed(1)} ms)`,
        ...lines,
        '',
      ].join('\n'),
    )
    // With --format text the result itself says why.
    if (result.message !== null && optionValue(invocation, 'format') !== 'text')
      host.complain(`tracker health: ${result.url}: ${result.message}\n`)
    return result.message === null ? EXIT.success : EXIT.failure
  }
  try {
    const answer = await askHealth(url, { milliseconds, insecure })
    const { status, services } = answer
    const noReport = status === null ? `${answer.statusLine}, but no health report` : null
    return finish(
      {
        url: url.href,
        status,
        http_status: answer.httpStatus,
        elapsed_ms: elapsed(),
        services,
        message: answer.problem ?? noReport,
      },
      services.map((service) => `  ${service.status.padEnd(5)}  ${printService(service)}`),
    )
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return finish({
      url: url.href,
      status: null,
      http_status: null,
      elapsed_ms: elapsed(),
      services: [],
      message: error.reason,
    })
  }
}

/** From a port, `HOST:PORT` or a URL; without a word, the health API of this machine. */
function readUrl(word: string | undefined, portVariable: string | undefined): TrackerUrl {
  const port = portVariable || DEFAULT_PORT
  if (word === undefined && !isPort(port))
    throw new Misuse(`${PORT_VARIABLE} must be a port from 1 to 65535, not ${JSON.stringify(port)}`)
  if (word !== undefined && /^\d+$/.test(word) && !isPort(word))
    throw new Misuse(`URL must be a port from 1 to 65535, HOST:PORT or a URL, not ${word}`)
  if (word !== undefined && !/[:/]/.test(word) && !isPort(word))
    throw new Misuse(`URL lacks a port: ${word}:${DEFAULT_PORT}`)
  const text = word === undefined || isPort(word) ? `127.0.0.1:${word ?? port}` : word
  const url = parseTrackerUrl(text.includes('://') ? text : `http://${text}`)
  if (typeof url === 'string') throw new Misuse(url)
  if (url.scheme === 'udp') throw new Misuse(`${text}: expected http:// or https://`)
  if (url.path !== '') return url
  // `href` lacks a path, but ends with the slash that every URL has.
  return { ...url, path: PATH, href: `${url.href.replace(/\/$/, '')}${PATH}` }
}

const isPort = (text: string): boolean =>
  /^\d{1,5}$/.test(text) && Number(text) <= 65_535 && Number(text) > 0
