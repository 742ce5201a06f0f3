/** Asks any tracker by its URL: resolves the name, tries its addresses, speaks its protocol. */
import { type Family, PEER_ID_BYTES, type ScrapeEntry } from '../bittorrent.ts'
import type { AnnounceQuestion } from '../wire/udp-client.ts'
import type { TrackerClient } from './client.ts'
import { ClientFailure } from './failure.ts'
import { HttpClient } from './http.ts'
import { type Address, resolve } from './resolve.ts'
import type { Protocol, TrackerUrl } from './tracker-url.ts'
import { UdpClient } from './udp.ts'
import { WebSocketClient } from './websocket.ts'

export interface AskOptions {
  /** Time limit of each request. */
  readonly milliseconds: number
  /** The only family to use; absent: the first address of each family in turn, until one answers. */
  readonly family?: Family | undefined
  /** Accept any certificate. */
  readonly insecure?: boolean | undefined
}

/** Family: that of the connection. */
export type AnnounceAnswer = Awaited<ReturnType<typeof announce>>
export type ScrapeAnswer = Awaited<ReturnType<typeof scrape>>

const CLIENT = '-TK0100-'

/** A fresh peer id: this program's name (BEP 20) and random digits. */
export function randomPeerId(): Uint8Array {
  const digits = crypto.getRandomValues(new Uint8Array(PEER_ID_BYTES - CLIENT.length))
  return Buffer.from(CLIENT + Array.from(digits, (byte) => byte % 10).join(''))
}

/** Rejects with `ClientFailure` and nothing else. */
export const announce = (url: TrackerUrl, question: AnnounceQuestion, options: AskOptions) =>
  atFirst(url, options, async (client, family) => ({
    ...(await client.announce(question)),
    family,
  }))

/** Any number of hashes, in as many requests as it takes. Rejects with `ClientFailure` and nothing else. */
export const scrape = (url: TrackerUrl, hashes: readonly Uint8Array[], options: AskOptions) =>
  atFirst(url, options, async (client, family) => {
    const entries = new Map<string, ScrapeEntry>()
    let transaction: number | undefined
    for (let at = 0; at < hashes.length; at += client.mostHashes) {
      const answer = await client.scrape(hashes.slice(at, at + client.mostHashes))
      transaction ??= answer.transaction
      for (const [hash, entry] of answer.entries) entries.set(hash, entry)
    }
    return { entries, family, transaction }
  })

/** Asks one address of each family: two of the same family lead to the same machine, or to one like it. */
async function atFirst<T>(
  url: TrackerUrl,
  options: AskOptions,
  ask: (client: TrackerClient, family: Family) => Promise<T>,
): Promise<T> {
  const all = await resolve(url.host, options)
  const isFirst = ({ family }: Address, i: number) =>
    all.findIndex((other) => other.family === family) === i
  return await askInTurn(all.filter(isFirst), async (address) => {
    using client = await openClient(url, address, options)
    return await ask(client, address.family)
  })
}

type Opening = (
  url: TrackerUrl,
  address: Address,
  options: AskOptions,
) => TrackerClient | Promise<TrackerClient>

const OPENINGS: Readonly<Record<Protocol, Opening>> = {
  udp: ({ port, path }, address, options) => UdpClient.open(address, port, { ...options, path }),
  http: (url, address, options) => new HttpClient(url, address, options),
  websocket: (url, address, options) => new WebSocketClient(url, address, options),
}

/** A client of the tracker at one of its addresses. Rejects with `ClientFailure` and nothing else. */
export const openClient = async (...[url, address, options]: Parameters<Opening>) =>
  await OPENINGS[url.protocol](url, address, options)

/**
 * The tracker's answer at the first address that has one. `left`: addresses that are not asked yet, with this one.
 * Rejects with `ClientFailure` and nothing else.
 */
export async function askInTurn<T>(
  addresses: readonly Address[],
  ask: (address: Address, left: number) => Promise<T>,
): Promise<T> {
  const failures: ClientFailure[] = []
  for (const [i, address] of addresses.entries())
    try {
      return await ask(address, addresses.length - i)
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      // The tracker itself answered, and would again. Anything else may be another program at that address.
      if (error.kind === 'refusal' || error.kind === 'status') throw error
      failures.push(error)
    }
  const messages = new Set(failures.map(({ message }) => message))
  const { kind } = failures.find((failure) => failure.kind !== 'connect') ?? failures[0]!
  throw new ClientFailure(kind, [...messages].join('; '))
}
