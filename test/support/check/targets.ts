/** Targets for tests, and the findings about them. */
import { type CheckOptions, checkAll } from '../../../src/check/checks.ts'
import { findingDocument } from '../../../src/check/report.ts'
import { guessTarget, type Target } from '../../../src/check/targets.ts'
import { fakeHttpServer, type Sender } from '../client/fake-http.ts'
import { actionOf, answerTo, type Behaviour, fakeUdpTracker } from '../client/fake-udp.ts'

export const OPTIONS: CheckOptions = { infoHash: new Uint8Array(20).fill(7), milliseconds: 60_000 }

export function target(text: string): Target {
  const found = guessTarget(text)
  if (typeof found === 'string') throw new Error(found)
  return found
}

export const checkOf = (
  texts: readonly string[],
  options: Partial<CheckOptions> = {},
): ReturnType<typeof checkAll> =>
  checkAll(texts.map(target), { ...OPTIONS, ...options }, () => undefined)

/** The documents of the findings, with fixed figures and ports. */
export async function documentsOf(
  texts: readonly string[],
  options: Partial<CheckOptions> = {},
): Promise<unknown> {
  const findings = await checkOf(texts, options)
  const text = JSON.stringify(findings.map(findingDocument))
    .replaceAll(/"latency_ms":[\d.]+/g, '"latency_ms":1')
    .replaceAll(/(\d\.0\.0\.1|::1\]):\d{2,}/g, '$1:PORT')
  return JSON.parse(text)
}

/** A UDP tracker that answers everything, except for requests that `strange` handles and returns true for. */
export const udpTracker = (
  strange: (...question: Parameters<Behaviour>) => boolean | undefined = () => false,
  hostname = '127.0.0.1',
) =>
  fakeUdpTracker(hostname, (request, answer) => {
    if (strange(request, answer)) return
    const action = actionOf(request)
    if (action === 0) answer(answerTo(request, 0, 7, 8))
    else answer(answerTo(request, action, 1, 2, 3))
  })

/** An HTTP server that answers every request with `answer`. */
export const httpServer = (answer: string | ((request: string) => string)) =>
  fakeHttpServer((request, socket) => {
    socket.write(Buffer.from(typeof answer === 'string' ? answer : answer(request), 'latin1'))
  })

/** Sends a byte now and then, and never ends the answer. */
export function drip(socket: Sender, head: string): void {
  socket.write(head)
  const timer = setInterval(() => {
    if (!socket.write('x')) clearInterval(timer)
  }, 20)
  timer.unref()
}
