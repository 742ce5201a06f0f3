/**
 * Reads requests and writes answers of the UDP tracker protocol (BEP 15; docs/behaviours.md U1, U6, U10–U14).
 * No socket, no clock, no policy; no datagram makes it throw. Bytes after an announce are options (BEP 41),
 * read in url-data.ts.
 */
import {
  type Announce,
  type AnnounceEvent,
  COUNT,
  EVENT,
  KEY_CHARACTERS,
  WANT_DEFAULT,
} from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'

export const ACTION = { connect: 0, announce: 1, scrape: 2, error: 3 } as const

/** The connection id of a connect request. */
export const PROTOCOL = { high: 0x417, low: 0x2710_1980 } as const

/** Byte offsets of an announce request; `end` is where BEP 41 options begin. */
export const ANNOUNCE = {
  identity: 16,
  downloaded: 56,
  left: 64,
  uploaded: 72,
  event: 80,
  want: 92,
  port: 96,
  end: 98,
} as const

const HEADER_BYTES = 16
const HASH_BYTES = 20

/**
 * One datagram as read. A listener owns one and overwrites it for every datagram. `refuse`: not a valid
 * request; the sender may be told the `problem`, provided that the answer is no longer than the datagram (U11).
 * `drop`: too short for a transaction id, or the answer of a tracker (U12).
 */
export class UdpRequest {
  kind: 'connect' | 'announce' | 'scrape' | 'refuse' | 'drop' = 'drop'
  /** Transaction id and the two halves of the connection id, signed. */
  transaction = 0
  idHigh = 0
  idLow = 0
  /** Info hashes of a scrape that will be answered; see `readScrapeHash`. */
  hashes = 0
  problem = ''
}

/**
 * Reads the datagram of `length` bytes at `bytes[at…]` into `request`, and everything in an announce but the
 * address into `announce`, whose family must be that of the sender.
 */
export function readRequest(
  bytes: Uint8Array,
  at: number,
  length: number,
  request: UdpRequest,
  announce: Announce,
): void {
  if (length < HEADER_BYTES || isAnswer(bytes, at)) {
    request.kind = 'drop'
    return
  }
  request.idHigh = readI32(bytes, at)
  request.idLow = readI32(bytes, at + 4)
  request.transaction = readI32(bytes, at + 12)
  const problem = readBody(bytes, at, length, request, announce)
  if (problem === undefined) return
  request.kind = 'refuse'
  request.problem = problem
}

/**
 * Copies the info hash of the datagram of `length` bytes at `bytes[at…]` to `words[to…]` (five), if it looks like
 * an announce; nothing else of it is checked. false: it does not.
 */
export function peekInfoHash(
  bytes: Uint8Array,
  at: number,
  length: number,
  words: Int32Array,
  to: number,
): boolean {
  if (length < ANNOUNCE.end || bytes[at + 11] !== ACTION.announce) return false
  for (let word = 0; word < 5; word++)
    words[to + word] = readWord(bytes, at + ANNOUNCE.identity + word * 4)
  return true
}

/**
 * Copies the end of the announce of `length` bytes at `bytes[at…]` to `words[to…]` (eight): there the auth key stands
 * in the options that most clients send. Nothing is checked.
 */
export function peekKey(
  bytes: Uint8Array,
  at: number,
  length: number,
  words: Int32Array,
  to: number,
): void {
  for (let word = 0; word < 8; word++)
    words[to + word] = readWord(bytes, at + length - KEY_CHARACTERS + word * 4)
}

/**
 * Whether the datagram begins like an answer to an announce or a scrape or like an error. No request does: a
 * connection id begins with the second of its issue. If a tracker answered answers, one datagram with the
 * forged address of another tracker would make the two answer each other for ever. The answer to a connect
 * begins with 0, as invented connection ids may; it is too short for an error in return.
 */
const isAnswer = (bytes: Uint8Array, at: number): boolean => {
  const first = readI32(bytes, at)
  return first >= ACTION.announce && first <= ACTION.error
}

/** What is wrong with the request; undefined: nothing. */
function readBody(
  bytes: Uint8Array,
  at: number,
  length: number,
  request: UdpRequest,
  announce: Announce,
): string | undefined {
  const action = readI32(bytes, at + 8)
  if (action === ACTION.announce) return readAnnounce(bytes, at, length, request, announce)
  if (action === ACTION.connect) return readConnect(request)
  if (action === ACTION.scrape) return readScrape(length, request)
  return 'Invalid action'
}

function readConnect(request: UdpRequest): string | undefined {
  if (request.idHigh !== PROTOCOL.high || request.idLow !== PROTOCOL.low)
    return 'Protocol identifier missing'
  request.kind = 'connect'
  return undefined
}

function readAnnounce(
  bytes: Uint8Array,
  at: number,
  length: number,
  request: UdpRequest,
  announce: Announce,
): string | undefined {
  if (length < ANNOUNCE.end) return 'Announce too short'
  const port = (bytes[at + ANNOUNCE.port]! << 8) | bytes[at + ANNOUNCE.port + 1]!
  if (port === 0) return "Port can't be 0"
  const event = readI32(bytes, at + ANNOUNCE.event)
  // 4 is `paused` (BEP 21) in libtorrent; it counts as no event.
  if (event < 0 || event > 4) return 'Invalid announce event'

  const { words, counts } = announce
  // Info hash and peer id.
  for (let word = 0; word < 10; word++)
    words[word] = readWord(bytes, at + ANNOUNCE.identity + word * 4)
  counts[COUNT.downloaded] = readI32(bytes, at + ANNOUNCE.downloaded)
  counts[COUNT.downloaded + 1] = readI32(bytes, at + ANNOUNCE.downloaded + 4)
  counts[COUNT.left] = readI32(bytes, at + ANNOUNCE.left)
  counts[COUNT.left + 1] = readI32(bytes, at + ANNOUNCE.left + 4)
  counts[COUNT.uploaded] = readI32(bytes, at + ANNOUNCE.uploaded)
  counts[COUNT.uploaded + 1] = readI32(bytes, at + ANNOUNCE.uploaded + 4)
  announce.event = event === 4 ? EVENT.none : (event as AnnounceEvent)
  // Clients send both 0 and −1 for the tracker's default.
  const want = readI32(bytes, at + ANNOUNCE.want)
  announce.want = want > 0 ? want : WANT_DEFAULT
  announce.port = port
  request.kind = 'announce'
  return undefined
}

function readScrape(length: number, request: UdpRequest): string | undefined {
  // Bytes beyond the limit of a datagram are ignored.
  const bytes = Math.min(length, LIMITS.datagram) - HEADER_BYTES
  if (bytes === 0) return 'Full scrapes are not allowed'
  if (bytes % HASH_BYTES !== 0) return 'Invalid info hash list'
  request.hashes = Math.min(bytes / HASH_BYTES, LIMITS.udpScrapeHashes)
  request.kind = 'scrape'
  return undefined
}

/** Copies info hash number `index` of the scrape at `bytes[at…]`. */
export function readScrapeHash(
  bytes: Uint8Array,
  at: number,
  index: number,
  infoHash: Uint8Array,
): void {
  const from = at + HEADER_BYTES + index * HASH_BYTES
  for (let i = 0; i < HASH_BYTES; i++) infoHash[i] = bytes[from + i]!
}

/** The info hashes of the scrape that begins `buffer`, five words each. */
export const scrapeWords = (buffer: ArrayBuffer, hashes: number): Int32Array =>
  new Int32Array(buffer, HEADER_BYTES, hashes * 5)

/** Lengths and offsets of answers: where peers, entries and messages begin. */
export const ANSWER = { connect: 16, peersAt: 20, entriesAt: 8, entry: 12, errorAt: 8 } as const

/** Each writer puts one answer at `at` and returns its length. */
export function writeConnect(
  out: Uint8Array,
  at: number,
  transaction: number,
  idHigh: number,
  idLow: number,
): number {
  writeU32(out, at, ACTION.connect)
  writeU32(out, at + 4, transaction)
  writeU32(out, at + 8, idHigh)
  writeU32(out, at + 12, idLow)
  return ANSWER.connect
}

/** The peers, `peerBytes` long, stand at `at + ANSWER.peersAt` already. */
export function writeAnnounce(
  out: Uint8Array,
  at: number,
  transaction: number,
  interval: number,
  leechers: number,
  seeders: number,
  peerBytes: number,
): number {
  writeU32(out, at, ACTION.announce)
  writeU32(out, at + 4, transaction)
  writeU32(out, at + 8, interval)
  writeU32(out, at + 12, leechers)
  writeU32(out, at + 16, seeders)
  return ANSWER.peersAt + peerBytes
}

export function writeScrapeEntry(
  out: Uint8Array,
  at: number,
  index: number,
  seeders: number,
  downloaded: number,
  leechers: number,
): void {
  const entry = at + ANSWER.entriesAt + index * ANSWER.entry
  writeU32(out, entry, seeders)
  // The field has 32 bits.
  writeU32(out, entry + 4, Math.min(downloaded, 0xffff_ffff))
  writeU32(out, entry + 8, leechers)
}

export function writeScrape(
  out: Uint8Array,
  at: number,
  transaction: number,
  entries: number,
): number {
  writeU32(out, at, ACTION.scrape)
  writeU32(out, at + 4, transaction)
  return ANSWER.entriesAt + entries * ANSWER.entry
}

/** `message` is ASCII. */
export function writeError(
  out: Uint8Array,
  at: number,
  transaction: number,
  message: string,
): number {
  writeU32(out, at, ACTION.error)
  writeU32(out, at + 4, transaction)
  for (let i = 0; i < message.length; i++) out[at + ANSWER.errorAt + i] = message.charCodeAt(i)
  return ANSWER.errorAt + message.length
}

/** Four bytes as a word in memory order, as `Announce.words` holds them. */
const readWord = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)

/** Signed, so that the number stays an integer in the compiled code. */
export const readI32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
