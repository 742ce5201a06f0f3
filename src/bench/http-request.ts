/**
 * Requests of an HTTP load test: written once, and for each peer only what differs is put in. All requests of a
 * kind are equally long.
 */
import { type AnnounceEvent, EVENT, INFO_HASH_BYTES, PEER_ID_BYTES } from '../bittorrent.ts'
import { requestTarget } from '../client/tracker-url.ts'
import { announceQuery, scrapeQuery } from '../wire/http-client.ts'
import { CLIENT, LEFT, type Population } from './population.ts'

/** Stands for what is put in; nothing else in a request looks like them. */
const HASH = new Uint8Array(INFO_HASH_BYTES).fill(0xff)
const ESCAPED_HASH = '%FF'.repeat(INFO_HASH_BYTES)
const NUMBER = '0'.repeat(PEER_ID_BYTES - CLIENT.length)
const PORT = 10_000

const HEXADECIMAL = Buffer.from('0123456789ABCDEF')

export interface HttpRequestOptions {
  /** Path and query of the announce URL. */
  readonly path: string
  /** For the header: name and port. */
  readonly host: string
  readonly want: number
  /** A connection for each request. */
  readonly closes: boolean
}

/** One request: its bytes, and where the parts that differ stand (`numberEnd` is behind the digits). */
interface Form {
  readonly bytes: Buffer
  readonly hash: number
  readonly numberEnd: number
  readonly port: number
}

export class HttpRequests {
  readonly #population: Population
  readonly #infoHash = new Uint8Array(INFO_HASH_BYTES)
  /** By event, then whether it is a seeder. */
  readonly #announces: Readonly<Record<'started' | 'none', readonly [Form, Form]>>
  readonly #scrape: Form

  constructor(population: Population, options: HttpRequestOptions) {
    this.#population = population
    const announces = (event: AnnounceEvent): [Form, Form] => [
      announceForm(options, event, LEFT),
      announceForm(options, event, 0),
    ]
    this.#announces = { started: announces(EVENT.started), none: announces(EVENT.none) }
    this.#scrape = form(requestText(options, 'scrape', scrapeQuery([HASH])))
  }

  /** The bytes are good until the next request is asked for, and so are those of `scrape`. */
  announce(peer: number): Buffer {
    const population = this.#population
    const forms = this.#announces[population.isKnown ? 'none' : 'started']
    const { bytes, hash, numberEnd, port } = forms[population.isSeeder(peer) ? 1 : 0]
    this.#writeHash(peer, bytes, hash)
    population.writeNumber(peer, bytes, numberEnd)
    let rest = population.portOf(peer)
    for (let i = String(PORT).length - 1; i >= 0; i--) {
      bytes[port + i] = 0x30 + (rest % 10)
      rest = (rest / 10) | 0
    }
    return bytes
  }

  /** Of the torrent of `peer`. */
  scrape(peer: number): Buffer {
    this.#writeHash(peer, this.#scrape.bytes, this.#scrape.hash)
    return this.#scrape.bytes
  }

  #writeHash(peer: number, bytes: Buffer, at: number): void {
    this.#population.copyInfoHash(peer, this.#infoHash)
    for (let i = 0; i < INFO_HASH_BYTES; i++) {
      const byte = this.#infoHash[i]!
      bytes[at + i * 3 + 1] = HEXADECIMAL[byte >> 4]!
      bytes[at + i * 3 + 2] = HEXADECIMAL[byte & 15]!
    }
  }
}

function announceForm(options: HttpRequestOptions, event: AnnounceEvent, left: number): Form {
  const fields = {
    infoHash: HASH,
    peerId: Buffer.from(CLIENT + NUMBER),
    port: PORT,
    uploaded: 0,
    downloaded: 0,
    left,
    event,
    compact: true,
    want: options.want,
    key: 1,
  }
  return form(requestText(options, 'announce', announceQuery(fields)))
}

/** Asks for no compression: all trackers are to do the same work. */
function requestText(
  options: HttpRequestOptions,
  kind: 'announce' | 'scrape',
  query: string,
): string {
  return [
    `GET ${requestTarget(options.path, kind, query)} HTTP/1.1`,
    `Host: ${options.host}`,
    'User-Agent: tracker-bench',
    `Connection: ${options.closes ? 'close' : 'keep-alive'}`,
    '\r\n',
  ].join('\r\n')
}

/** The parts that differ are behind the last ones of their names: a path may hold anything. */
const form = (text: string): Form => ({
  bytes: Buffer.from(text),
  hash: text.lastIndexOf(ESCAPED_HASH),
  numberEnd: text.lastIndexOf(NUMBER) + NUMBER.length,
  port: text.lastIndexOf(`port=${PORT}`) + 'port='.length,
})
