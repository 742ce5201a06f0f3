/**
 * The other side of `udp.ts`: UDP tracker requests to bytes, answers to values (BEP 15, 41). Writers put one request
 * at `at` and return its length; readers say `undefined` to bytes that are no such answer.
 */
import { endpointBytes, type Family, INFO_HASH_BYTES } from '../bittorrent.ts'
import { printIp } from './address.ts'
import { ACTION, ANNOUNCE, ANSWER, PROTOCOL, readI32, writeU32 } from './udp.ts'

export const REQUEST = { connect: 16, announce: ANNOUNCE.end, header: 16 } as const

/** Where else an announce's parts stand. */
const AT = { ip: 84, key: 88 } as const

/** Of the two halves of a connection id, as `readConnection` found them. */
export interface Connection {
  readonly high: number
  readonly low: number
}

/** What a UDP announce says, as numbers below 2^53; `event` as in `EVENT`. */
export interface AnnounceFields {
  readonly infoHash: Uint8Array
  readonly peerId: Uint8Array
  readonly downloaded: number
  readonly left: number
  readonly uploaded: number
  readonly event: number
  /** Four bytes; whatever else is left out, as BEP 15 has no room for it. */
  readonly ip?: Uint8Array | undefined
  readonly key: number
  /** −1: the tracker decides. */
  readonly want: number
  readonly port: number
}

export function writeConnectRequest(out: Uint8Array, at: number, transaction: number): number {
  return writeHeader(out, at, PROTOCOL, ACTION.connect, transaction)
}

export function writeAnnounceRequest(
  out: Uint8Array,
  at: number,
  connection: Connection,
  transaction: number,
  fields: AnnounceFields,
): number {
  writeHeader(out, at, connection, ACTION.announce, transaction)
  out.set(fields.infoHash, at + ANNOUNCE.identity)
  out.set(fields.peerId, at + ANNOUNCE.identity + INFO_HASH_BYTES)
  writeU64(out, at + ANNOUNCE.downloaded, fields.downloaded)
  writeU64(out, at + ANNOUNCE.left, fields.left)
  writeU64(out, at + ANNOUNCE.uploaded, fields.uploaded)
  writeU32(out, at + ANNOUNCE.event, fields.event)
  out.fill(0, at + AT.ip, at + AT.key)
  if (fields.ip?.length === 4) out.set(fields.ip, at + AT.ip)
  writeU32(out, at + AT.key, fields.key)
  writeU32(out, at + ANNOUNCE.want, fields.want)
  out[at + ANNOUNCE.port] = fields.port >> 8
  out[at + ANNOUNCE.port + 1] = fields.port
  return REQUEST.announce
}

/** Most bytes of one option (BEP 41). */
const OPTION_BYTES = 255
const URL_DATA = 2

/** Bytes that path and query of an announce URL take behind an announce. */
export const urlDataBytes = (path: string): number =>
  path.length + 2 * Math.ceil(path.length / OPTION_BYTES)

/** Path and query of the announce URL, which are ASCII, as options behind an announce (BEP 41). */
export function writeUrlData(out: Uint8Array, at: number, path: string): number {
  const begin = at
  for (let from = 0; from < path.length; from += OPTION_BYTES) {
    const part = path.slice(from, from + OPTION_BYTES)
    out[at++] = URL_DATA
    out[at++] = part.length
    for (let i = 0; i < part.length; i++) out[at++] = part.charCodeAt(i)
  }
  return at - begin
}

export function writeScrapeRequest(
  out: Uint8Array,
  at: number,
  connection: Connection,
  transaction: number,
  infoHashes: readonly Uint8Array[],
): number {
  writeHeader(out, at, connection, ACTION.scrape, transaction)
  for (const [i, infoHash] of infoHashes.entries())
    out.set(infoHash, at + REQUEST.header + i * INFO_HASH_BYTES)
  return REQUEST.header + infoHashes.length * INFO_HASH_BYTES
}

function writeHeader(
  out: Uint8Array,
  at: number,
  connection: Connection,
  action: number,
  transaction: number,
): number {
  writeU32(out, at, connection.high)
  writeU32(out, at + 4, connection.low)
  writeU32(out, at + 8, action)
  writeU32(out, at + 12, transaction)
  return REQUEST.header
}

function writeU64(out: Uint8Array, at: number, value: number): void {
  writeU32(out, at, Math.floor(value / 2 ** 32))
  writeU32(out, at + 4, value >>> 0)
}

/** Bytes at the begin of every answer: action and transaction id. */
export const ANSWER_HEADER = 8

export const readConnection = (packet: Uint8Array): Connection | undefined =>
  packet.length === ANSWER.connect
    ? { high: readI32(packet, 8), low: readI32(packet, 12) }
    : undefined

export interface AnnounceReply {
  readonly interval: number
  readonly leechers: number
  readonly seeders: number
  readonly peers: readonly { readonly ip: string; readonly port: number }[]
}

/** `family` is that of the connection: the answer does not say how wide its peers are. */
export function readAnnounceAnswer(packet: Uint8Array, family: Family): AnnounceReply | undefined {
  const stride = endpointBytes(family)
  if (packet.length < ANSWER.peersAt || (packet.length - ANSWER.peersAt) % stride !== 0)
    return undefined
  return {
    interval: readI32(packet, 8),
    leechers: readI32(packet, 12),
    seeders: readI32(packet, 16),
    peers: readPeers(packet.subarray(ANSWER.peersAt), family),
  }
}

/** Compact endpoints (BEP 23, 7); what is less than a whole one at the end is left out. */
export function readPeers(bytes: Uint8Array, family: Family): { ip: string; port: number }[] {
  const stride = endpointBytes(family)
  return Array.from({ length: Math.floor(bytes.length / stride) }, (_, i) => {
    const port = (i + 1) * stride - 2
    return {
      ip: printIp(bytes, family, i * stride),
      port: (bytes[port]! << 8) | bytes[port + 1]!,
    }
  })
}

/** One entry for each hash that was asked, in order; a tracker may answer fewer. */
export function readScrapeAnswer(
  packet: Uint8Array,
): { seeders: number; downloaded: number; leechers: number }[] | undefined {
  const bytes = packet.length - ANSWER.entriesAt
  if (bytes < 0 || bytes % ANSWER.entry !== 0) return undefined
  return Array.from({ length: bytes / ANSWER.entry }, (_, i) => {
    const at = ANSWER.entriesAt + i * ANSWER.entry
    return {
      seeders: readI32(packet, at),
      // The only one of the three that grows for ever.
      downloaded: readI32(packet, at + 4) >>> 0,
      leechers: readI32(packet, at + 8),
    }
  })
}
