/**
 * Writes the requests of an HTTP load: each form once, then only the parts that differ from peer to peer. Without
 * Accept-Encoding, so that all trackers do the same work.
 */
import { type AnnounceEvent, INFO_HASH_BYTES, PEER_ID_BYTES } from '../bittorrent.ts'
import { requestPath, requestTarget } from '../client/tracker-url.ts'
import { joinPort } from '../wire/address.ts'
import { announceQuery, scrapeQuery } from '../wire/http-client.ts'
import { ACTION } from '../wire/udp.ts'
import type { WireOptions } from './load.ts'
import { CLIENT } from './population.ts'

/** A request, and where the parts are that differ from peer to peer. */
interface Form {
  readonly bytes: Buffer
  /** That of the announce URL. */
  path: string
  readonly hash: number
  /** Behind the last digit of the peer's number. */
  readonly numberEnd: number
  readonly port: number
}

/** Placeholders: for each peer they are overwritten. */
const HASH = new Uint8Array(INFO_HASH_BYTES).fill(0xff)
const ESCAPED_HASH = '%FF'.repeat(INFO_HASH_BYTES)
const NUMBER = '0'.repeat(PEER_ID_BYTES - CLIENT.length)
const PORT = '10000'
const METHOD = 'GET '
/** In place of the event of an announce. */
const SCRAPE = 4
const HEXADECIMAL = Buffer.from('0123456789ABCDEF')

export interface HttpRequestOptions
  extends Pick<WireOptions, 'population' | 'pathOf' | 'port' | 'want'> {
  /** Name of the host, without brackets. */
  readonly host: string
  /** A connection for each request. */
  readonly closes: boolean
}

export class HttpRequests {
  readonly #options: HttpRequestOptions
  readonly #infoHash = new Uint8Array(INFO_HASH_BYTES)
  /** By event, then by leecher (0) or seeder (1). */
  readonly #forms: Form[] = []
  readonly #head: string

  constructor(options: HttpRequestOptions) {
    this.#options = options
    this.#head = [
      ' HTTP/1.1',
      `Host: ${joinPort(options.host, options.port)}`,
      'User-Agent: tracker-bench',
      `Connection: ${options.closes ? 'close' : 'keep-alive'}`,
      '\r\n',
    ].join('\r\n')
  }

  /** An announce of `peer`, or a scrape of its torrent. The bytes are overwritten by the next call. */
  write(kind: number, peer: number): Buffer {
    const { population, pathOf } = this.#options
    const path = pathOf(peer)
    const event = kind === ACTION.scrape ? SCRAPE : population.eventOf(peer)
    const left = population.leftOf(peer)
    const number = event * 2 + Number(left === 0)
    this.#forms[number] ??= this.#makeForm(path, event, left)
    const form = this.#forms[number]
    const { bytes, hash, numberEnd, port } = form
    if (path !== form.path) {
      form.path = path
      bytes.write(requestPath(path, event === SCRAPE ? 'scrape' : 'announce'), METHOD.length)
    }
    population.copyInfoHash(peer, this.#infoHash)
    for (let i = 0; i < INFO_HASH_BYTES; i++) {
      const byte = this.#infoHash[i]!
      bytes[hash + i * 3 + 1] = HEXADECIMAL[byte >> 4]!
      bytes[hash + i * 3 + 2] = HEXADECIMAL[byte & 15]!
    }
    if (event === SCRAPE) return bytes
    population.writeNumber(peer, bytes, numberEnd)
    let rest = population.portOf(peer)
    for (let i = PORT.length - 1; i >= 0; i--) {
      bytes[port + i] = 0x30 + (rest % 10)
      rest = (rest / 10) | 0
    }
    return bytes
  }

  #makeForm(path: string, event: AnnounceEvent | typeof SCRAPE, left: number): Form {
    const fields = {
      infoHash: HASH,
      peerId: Buffer.from(CLIENT + NUMBER),
      port: Number(PORT),
      uploaded: 0,
      downloaded: 0,
      left,
      compact: true,
      want: this.#options.want,
      key: 1,
    }
    const target =
      event === SCRAPE
        ? requestTarget(path, 'scrape', scrapeQuery([HASH]))
        : requestTarget(path, 'announce', announceQuery({ ...fields, event }))
    const text = METHOD + target + this.#head
    return {
      path,
      bytes: Buffer.from(text),
      // The last ones: the path before the query may look like them.
      hash: text.lastIndexOf(ESCAPED_HASH),
      numberEnd: text.lastIndexOf(NUMBER) + NUMBER.length,
      port: text.lastIndexOf(`port=${PORT}`) + 'port='.length,
    }
  }
}
