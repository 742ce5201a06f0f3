/** Asks any tracker by its URL: resolves the name, tries its addresses, speaks its protocol. */
import { type Family, PEER_ID_BYTES, type ScrapeEntry } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import type { AnnounceQuestion, AnnounceReply } from '../wire/udp-client.ts'
import { ClientFailure } from './failure.ts'
import { announceHttp, scrapeHttp } from './http.ts'
import { type Address, resolve } from './resolve.ts'
import type { TrackerUrl } from './tracker-url.ts'
import { UdpClient } from './udp.ts'

export interface AskOptions {
  /** Time limit of each request. */
  readonly milliseconds: number
  /** The only family to use; absent: the first address of each family in turn, until one answers. */
  readonly family?: Family | undefined
  /** Accept any certificate. */
  readonly insecure?: boolean | undefined
}

export interface AnnounceAnswer extends AnnounceReply {
  /** Family of the connection. */
  readonly family: Family
  /** Transaction id of the UDP answer, signed. */
  readonly transaction?: number | undefined
}

const CLIENT = '-TK0100-'

/** A fresh peer id: this program's name (BEP 20) and random digits. */
export function randomPeerId(): Uint8Array {
  const digits = crypto.getRandomValues(new Uint8Array(PEER_ID_BYTES - CLIENT.length))
  return Buffer.from(CLIENT + Array.from(digits, (byte) => byte % 10).join(''))
}

/** Rejects with `ClientFailure` and nothing else. */
export function announce(
  url: TrackerUrl,
  question: AnnounceQuestion,
  options: AskOptions,
): Promise<AnnounceAnswer> {
  return atFirst(url, options, async (address) => {
    const { family } = address
    if (url.scheme !== 'udp')
      return { ...(await announceHttp(url, address, question, options)), family }
    using client = await UdpClient.open(address, url.port, { ...options, path: url.path })
    return { ...(await client.announce(question)), family }
  })
}

export interface ScrapeAnswer {
  /** By info hash in lower-case hexadecimal; a tracker may leave some out. */
  readonly entries: ReadonlyMap<string, ScrapeEntry>
  readonly family: Family
  /** Transaction id of the first UDP answer, signed. */
  readonly transaction?: number | undefined
}

/** Hashes in the URL of one scrape: it stays near 3 kB, which every server accepts. */
const HTTP_HASHES = 50

/** Any number of hashes, in as many requests as it takes. Rejects with `ClientFailure` and nothing else. */
export function scrape(
  url: TrackerUrl,
  hashes: readonly Uint8Array[],
  options: AskOptions,
): Promise<ScrapeAnswer> {
  return atFirst(url, options, async (address) => {
    const { family } = address
    const entries = new Map<string, ScrapeEntry>()
    if (url.scheme !== 'udp') {
      for (const some of chunks(hashes, HTTP_HASHES))
        for (const [hash, entry] of await scrapeHttp(url, address, some, options))
          entries.set(hash, entry)
      return { entries, family }
    }
    using client = await UdpClient.open(address, url.port, options)
    let transaction: number | undefined
    for (const some of chunks(hashes, LIMITS.udpScrapeHashes)) {
      const answer = await client.scrape(some)
      transaction ??= answer.transaction
      for (const [i, entry] of answer.entries.entries()) entries.set(some[i]!.toHex(), entry)
    }
    return { entries, family, transaction }
  })
}

/** Asks one address of each family: two of the same family lead to the same machine, or to one like it. */
async function atFirst<T>(
  url: TrackerUrl,
  options: AskOptions,
  ask: (address: Address) => Promise<T>,
): Promise<T> {
  const all = await resolve(url.host, options)
  const isFirst = ({ family }: Address, i: number) =>
    all.findIndex((other) => other.family === family) === i
  return await askInTurn(all.filter(isFirst), ask)
}

/** The answer of the first address that can be reached. Rejects with `ClientFailure` and nothing else. */
export async function askInTurn<T>(
  addresses: readonly Address[],
  ask: (address: Address) => Promise<T>,
): Promise<T> {
  const failures: ClientFailure[] = []
  for (const address of addresses)
    try {
      return await ask(address)
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      // The tracker was reached: another address would fail the same way.
      if (error.kind !== 'connect' && error.kind !== 'timeout') throw error
      failures.push(error)
    }
  const { kind, transaction } = failures.at(-1)!
  throw new ClientFailure(kind, failures.map(({ message }) => message).join('; '), transaction)
}

const chunks = <T>(items: readonly T[], size: number): readonly T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  )
