/** Whether the trackers are reached under the URLs that clients know. Nothing is announced: they are scraped. */
import { randomBytes } from 'node:crypto'
import type { Family } from '../bittorrent.ts'
import { ClientFailure, type FailureKind } from '../client/failure.ts'
import { scrapeHttp } from '../client/http.ts'
import { type Address, resolve } from '../client/resolve.ts'
import { parseTrackerUrl, type TrackerUrl } from '../client/tracker-url.ts'
import { UdpClient } from '../client/udp.ts'
import { shellWord } from '../text/shell.ts'
import { joinPort } from '../wire/address.ts'
import { type Check, type Found, ok, type Patient, problem, skipped, warning } from './finding.ts'
import { type Listener, listenersOf, serves } from './listeners.ts'

export const publicUrl: Check = {
  name: 'public-url',
  async run(patient) {
    const listeners = listenersOf(patient.config).filter(({ isTracker }) => isTracker)
    const named = listeners.filter(({ public_url }) => public_url !== null)
    if (named.length === 0)
      return skipped('no tracker has a public_url: where clients ask for it is not known')
    return (await Promise.all(named.map((listener) => askAll(listener, patient)))).flat()
  },
}

/** One finding for each family that the name has. */
async function askAll(listener: Listener, patient: Patient): Promise<readonly Found[]> {
  const text = listener.public_url!
  const url = parseTrackerUrl(text)
  if (typeof url === 'string') return [problem(`${listener.name}.public_url: ${url}`)]
  const end = performance.now() + patient.milliseconds
  try {
    const all = await resolve(url.host, patient)
    const firsts = ([4, 6] as const).flatMap((family) => {
      const first = all.find((address) => address.family === family)
      return first === undefined ? [] : [first]
    })
    return await Promise.all(firsts.map((address) => ask({ url, address, listener, end, patient })))
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return [
      problem(
        `${text}: ${error.message}`,
        `getent ahosts ${shellWord(url.host)}  # what this machine's resolver says`,
        `Give ${url.host} an A and an AAAA record with the addresses of the tracker.`,
      ),
    ]
  }
}

interface Asking {
  readonly url: TrackerUrl
  readonly address: Address
  readonly listener: Listener
  /** When time is up. */
  readonly end: number
  readonly patient: Patient
}

async function ask({ url, address, listener, end, patient }: Asking): Promise<Found> {
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
    // Whoever refuses is there, and a tracker.
    if (error.kind !== 'refusal') {
      const runs = serves(await patient.tracker(), listener)
      return unanswered({ url, family: address.family, where, error, runs, listener })
    }
  }
  return ok(`${where} answers in ${Math.round(performance.now() - since)} ms`)
}

/** No answer, and nobody knows where it was lost. */
const LOST: readonly FailureKind[] = ['connect', 'timeout']

function unanswered(what: {
  readonly url: TrackerUrl
  readonly family: Family
  readonly where: string
  readonly error: ClientFailure
  readonly runs: boolean
  readonly listener: Listener
}): Found {
  const { url, family, where, error, runs, listener } = what
  const { port } = listener.bind_address
  const found = `${where}: ${error.reason}`
  if (!LOST.includes(error.kind))
    return problem(
      found,
      error.kind === 'tls'
        ? `openssl s_client -connect ${joinPort(url.host, url.port)} -servername ${url.host}  # shows the certificate that clients get`
        : `Something else answers there. A proxy must pass /announce and /scrape on to port ${port}, query and all.`,
    )
  if (!runs)
    return skipped(
      `${found}; no tracker of this configuration runs here, run this again while it does`,
    )
  return warning(
    `${found}. It may be only this machine that cannot: many routers do not lead a packet for their own outer address back inside (no hairpin NAT)`,
    `tracker check -${family} ${shellWord(url.href)}  # from a machine elsewhere`,
    `If that fails, too: let ${url.scheme === 'udp' ? 'UDP' : 'TCP'} port ${url.port} through the firewall (here, at the provider, at the router) and forward it to port ${port} of this machine.`,
  )
}
