/**
 * Writes the messages of a WebTorrent load as whole frames: announces with offers as webtorrent 3 sends them from a
 * browser, answers and scrapes. The offers stand ready; of each announce only their ids change.
 */
import { EVENT, INFO_HASH_BYTES, PEER_ID_BYTES } from '../bittorrent.ts'
import { ACTION } from '../wire/udp.ts'
import { CLIENT, type Population, Random } from './population.ts'
import { MOST_HEADER_BYTES, OPCODE, putHeader } from './websocket-frames.ts'

export interface WebSocketRequestOptions {
  readonly population: Population
  readonly seed: number
  /** In each announce. */
  readonly offers: number
  /** Ids are written with escapes in ASCII, as Python does; otherwise raw in UTF-8, as browsers do. */
  readonly ascii: boolean
}

/** Ids of an offer, as a tracker relays them. */
export interface OfferIds {
  readonly infoHash: Uint8Array
  /** Of the peer that offers. */
  readonly peerId: Uint8Array
  readonly offerId: Uint8Array
}

/** Room for the part of a message that stands before its offers, header included: three ids and a few words. */
const HEAD_BYTES = 1024
/** The last bytes of an offer id are digits: the number of the announce. */
const DIGITS = 10
const DIGITS_MARK = '#'.repeat(DIGITS)

export class WebSocketRequests {
  readonly #population: Population
  readonly #ascii: boolean
  readonly #hash = new Uint8Array(INFO_HASH_BYTES)
  readonly #peerId = new Uint8Array(PEER_ID_BYTES)
  /** Offers stand from `HEAD_BYTES` on; what is before them ends there, wherever it begins. */
  readonly #announce: Buffer
  readonly #digitsAt: readonly number[]
  readonly #digits = new Uint8Array(DIGITS)
  /** Before the info hash of an announce: by whether it is the first of its peer, and whether that is a seeder. */
  readonly #heads: readonly Buffer[]
  readonly #head = Buffer.alloc(HEAD_BYTES)
  readonly #short: Buffer
  readonly #answer: Buffer
  #announces = 0

  constructor({ population, seed, offers, ascii }: WebSocketRequestOptions) {
    const random = new Random(seed)
    this.#population = population
    this.#ascii = ascii
    this.#peerId.set(Buffer.from(CLIENT))
    const tail = Buffer.from(offersText(offers, random, ascii))
    this.#announce = Buffer.concat([Buffer.alloc(HEAD_BYTES), tail])
    this.#digitsAt = placesOf(this.#announce, DIGITS_MARK)
    this.#heads = [0, 1, 2, 3].map((form) => {
      const event = form & 1 ? '"event":"started",' : ''
      const left = form & 2 ? 0 : LEFT
      const words = `{"numwant":${offers},"uploaded":0,"downloaded":0,"left":${left},${event}`
      return Buffer.from(`${words}"action":"announce","info_hash":"`)
    })
    this.#answer = Buffer.from(`","answer":{"type":"answer","sdp":${sdp(random, 'active')}}}`)
    this.#short = Buffer.alloc(HEAD_BYTES + this.#answer.length)
  }

  /** Copies the info hash of the last message. */
  copyInfoHash(into: Uint8Array): void {
    for (let i = 0; i < INFO_HASH_BYTES; i++) into[i] = this.#hash[i]!
  }

  /**
   * An announce of `peer`, or a scrape of its torrent. `socket`: the number of the socket, whose peer id all of its peers
   * have. The bytes are overwritten by the next call.
   */
  write(kind: number, peer: number, socket: number): Uint8Array {
    const population = this.#population
    population.copyInfoHash(peer, this.#hash)
    if (kind === ACTION.scrape) {
      let end = copy(SCRAPE, this.#short, MOST_HEADER_BYTES)
      end = this.#putId(this.#hash, this.#short, end)
      return frame(this.#short, MOST_HEADER_BYTES, copy(END, this.#short, end))
    }
    const isFirst = population.eventOf(peer) === EVENT.started
    const form = Number(isFirst) + 2 * Number(population.leftOf(peer) === 0)
    const head = this.#head
    let end = copy(this.#heads[form]!, head, 0)
    end = this.#putId(this.#hash, head, end)
    end = copy(PEER_ID, head, end)
    population.writeNumber(socket, this.#peerId, PEER_ID_BYTES)
    end = this.#putId(this.#peerId, head, end)
    end = copy(OFFERS, head, end)
    const at = HEAD_BYTES - end
    copy(head.subarray(0, end), this.#announce, at)
    this.#numberOffers()
    return frame(this.#announce, at, this.#announce.length)
  }

  /** The answer to an offer. The bytes are overwritten by the next call. */
  writeAnswer({ infoHash, peerId, offerId }: OfferIds, socket: number): Uint8Array {
    const bytes = this.#short
    let end = copy(ANSWER, bytes, MOST_HEADER_BYTES)
    end = copy(PEER_ID, bytes, this.#putId(infoHash, bytes, end))
    this.#population.writeNumber(socket, this.#peerId, PEER_ID_BYTES)
    end = copy(TO_PEER_ID, bytes, this.#putId(this.#peerId, bytes, end))
    end = copy(OFFER_ID, bytes, this.#putId(peerId, bytes, end))
    end = copy(this.#answer, bytes, this.#putId(offerId, bytes, end))
    return frame(bytes, MOST_HEADER_BYTES, end)
  }

  #putId(id: Uint8Array, bytes: Uint8Array, at: number): number {
    let end = at
    for (let i = 0; i < id.length; i++) end = copy((this.#ascii ? ASCII : RAW)[id[i]!]!, bytes, end)
    return end
  }

  #numberOffers(): void {
    let rest = this.#announces++
    for (let i = DIGITS - 1; i >= 0; i--) {
      this.#digits[i] = 0x30 + (rest % 10)
      rest = Math.floor(rest / 10)
    }
    for (const at of this.#digitsAt)
      for (let i = 0; i < DIGITS; i++) this.#announce[at + i] = this.#digits[i]!
  }
}

/** Bytes left of a leecher. */
const LEFT = 300_000

const [SCRAPE, END, PEER_ID, OFFERS, ANSWER, TO_PEER_ID, OFFER_ID] = (
  [
    '{"action":"scrape","info_hash":"',
    '"}',
    '","peer_id":"',
    '","offers":[',
    '{"action":"announce","info_hash":"',
    '","to_peer_id":"',
    '","offer_id":"',
  ] as const
).map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer]

/** Each byte of an id as it stands in JSON. */
const texts = Array.from({ length: 256 }, (_, byte) =>
  JSON.stringify(String.fromCharCode(byte)).slice(1, -1),
)
const escaped = (text: string) =>
  text.replace(/[^\0-~]/, (c) => `\\u00${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
const RAW = texts.map((text) => Buffer.from(text))
const ASCII = texts.map((text) => Buffer.from(escaped(text)))

/** Most are of one byte or of a few, for which a call of `set` would take longer. */
function copy(from: Uint8Array, into: Uint8Array, at: number): number {
  if (from.length > 64) into.set(from, at)
  else for (let i = 0; i < from.length; i++) into[at + i] = from[i]!
  return at + from.length
}

function frame(bytes: Buffer, from: number, to: number): Uint8Array {
  return bytes.subarray(putHeader(bytes, from, OPCODE.text, to - from), to)
}

/** The list behind its bracket, and the end of the message. */
function offersText(count: number, random: Random, ascii: boolean): string {
  const offers = Array.from({ length: count }, () => {
    const bytes = Array.from({ length: PEER_ID_BYTES - DIGITS }, () => random.word() & 0xff)
    const id = bytes.map((byte) => (ascii ? escaped(texts[byte]!) : texts[byte]!)).join('')
    return `{"offer":{"type":"offer","sdp":${sdp(random, 'actpass')}},"offer_id":"${id}${DIGITS_MARK}"}`
  })
  return `${offers.join(',')}]}`
}

/**
 * A session description as Chromium makes it, as JSON text: names of mDNS for its own addresses, and what a STUN server
 * told. Such offers have 630 to 970 characters.
 */
function sdp(random: Random, setup: 'actpass' | 'active'): string {
  const digits = (count: number, base: number) =>
    Array.from({ length: count }, () => (random.word() % base).toString(base)).join('')
  const name = () => [8, 4, 4, 4, 12].map((count) => digits(count, 16)).join('-')
  const port = () => 32_768 + (random.word() % 28_000)
  const byte = () => digits(2, 16).toUpperCase()
  const host = (number: number, priority: number) =>
    `a=candidate:${number} 1 udp ${priority} ${name()}.local ${port()} typ host generation 0 network-cost 999`
  const lines = [
    'v=0',
    `o=- 5${digits(18, 10)} 2 IN IP4 127.0.0.1`,
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'a=extmap-allow-mixed',
    'a=msid-semantic: WMS',
    `m=application ${port()} UDP/DTLS/SCTP webrtc-datachannel`,
    'c=IN IP4 198.51.100.7',
    host(842163049, 2113937151),
    host(211962667, 2113939711),
    `a=candidate:1842163049 1 udp 1677729535 198.51.100.7 ${port()} typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999`,
    `a=candidate:2742163049 1 udp 1677732095 2001:db8::${digits(4, 16)}:${digits(4, 16)} ${port()} typ srflx raddr :: rport 0 generation 0 network-cost 999`,
    `a=ice-ufrag:${digits(4, 36)}`,
    `a=ice-pwd:${digits(24, 36)}`,
    `a=fingerprint:sha-256 ${Array.from({ length: 32 }, byte).join(':')}`,
    `a=setup:${setup}`,
    'a=mid:0',
    'a=sctp-port:5000',
    'a=max-message-size:262144',
    '',
  ]
  return JSON.stringify(lines.join('\r\n'))
}

function placesOf(bytes: Buffer, text: string): number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + text.length))
    places.push(at)
  return places
}
