/** Whether the public URLs lead to the trackers. They are scraped, not announced to, so no peer appears in a swarm. */
import { randomBytes } from 'node:crypto'
import { ClientFailure, type FailureKind } from '../client/failure.ts'
import { scrapeHttp } from '../client/http.ts'
import { type Address, resolve } from '../client/resolve.ts'
import { parseTrackerUrl, type TrackerUrl } from '../client/tracker-url.ts'
import { UdpClient } from '../client/udp.ts'
import { shellWord } from '../text/shell.ts'
import { joinPort } from '../wire/address.ts'
import { type Check, type Context, ok, problem, type Result, skipped, warning } from './finding.ts'
import { type Listener, listenersOf, serves } from './listeners.ts'

export const publicUrl: Check = {
  name: 'public-url',
  async run(context) {
    const listeners = listenersOf(context.config).filter(({ isTracker }) => isTracker)
    const named = listeners.filter(({ public_url }) => public_url !== null)
    if (named.length === 0)
      return skipped('no tracker has a public_url, so the URL that clients use is not known')
    return (await Promise.all(named.map((listener) => askAll(listener, context)))).flat()
  },
}

/** One result for each family of addresses that the host has. */
async function askAll(listener: Listener, context: Context): Promise<readonly Result[]> {
  const text = listener.public_url!
  const url = parseTrackerUrl(text)
  if (typeof url === 'string') return [problem(`${listener.name}.public_url: ${url}`)]
  const end = performance.now() + context.milliseconds
  try {
    const all = await resolve(url.host, context)
    const firsts = ([4, 6] as const).flatMap((family) => {
      const first = all.find((address) => address.family === family)
      return first === undefined ? [] : [first]
    })
    return await Promise.all(firsts.map((address) => ask({ url, address, listener, end, context })))
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return [
      problem(
        `${text}: ${error.message}`,
        `getent ahosts ${shellWord(url.host)}  # asks the resolver of this machine`,
        `Give ${url.host} an A and an AAAA record with the addresses of the tracker.`,
      ),
    ]
  }
}

interface Question {
  readonly url: TrackerUrl
  readonly address: Address
  readonly listener: Listener
  /** When time is up, by `performance.now()`. */
  readonly end: number
  readonly context: Context
}

async function ask(question: Question): Promise<Result> {
  const { url, address, listener, end, context } = question
  const where = `${listener.public_url} over IPv${address.family} (${address.ip})`
  const since = performance.now()
  const milliseconds = Math.max(1, end - since)
  try {
    if (url.scheme === 'udp') {
      using client = await UdpClient.open(address, url.port, { milliseconds })
      await client.connect()
    } else await scrapeHttp(url, address, [randomBytes(20)], { milliseconds })
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    // A refusal comes from a tracker, so the URL leads to one.
    if (error.kind !== 'refusal') {
      const runs = serves(await context.tracker(), listener)
      return judge(question, where, error, runs)
    }
  }
  return ok(`${where} answers in ${Math.round(performance.now() - since)} ms`)
}

/** Failures that do not show where a packet was lost. */
const NO_ANSWER: readonly FailureKind[] = ['connect', 'timeout']

/** `runs`: the listener is known to be served on this machine. */
function judge(
  { url, address, listener }: Question,
  where: string,
  error: ClientFailure,
  runs: boolean,
): Result {
  const { port } = listener.bind_address
  const found = `${where}: ${error.reason}`
  if (!NO_ANSWER.includes(error.kind))
    return problem(
      found,
      error.kind === 'tls'
        ? `openssl s_client -connect ${joinPort(url.host, url.port)} -servername ${url.host}  # shows the certificate that clients get`
        : `Another program answers there. A proxy must pass /announce and /scrape on to port ${port}, with the query.`,
    )
  if (!runs)
    return skipped(
      `${found}; no tracker of this configuration runs here: run this again while it does`,
    )
  return warning(
    `${found}. It may fail only from this machine: many routers do not send a packet for their own public address back inside (no hairpin NAT)`,
    `tracker check -${address.family} ${shellWord(url.href)}  # from a machine elsewhere`,
    `If that fails, too: open ${url.scheme === 'udp' ? 'UDP' : 'TCP'} port ${url.port} in the firewall (here, at the provider, at the router) and forward it to port ${port} of this machine.`,
  )
}
