/**
 * The client side of `udp.ts`: writes requests, reads answers (BEP 15, 41). Writers put one request at `at` and
 * return its length; readers return `undefined` for bytes that are not such an answer.
 */
import {
  type AnnounceEvent,
  endpointBytes,
  type Family,
  INFO_HASH_BYTES,
  type ScrapeEntry,
} from '../bittorrent.ts'
import { printIp } from './address.ts'
import { ACTION, ANNOUNCE, ANSWER, PROTOCOL, readI32, writeU32 } from './udp.ts'

export const REQUEST = { connect: 16, announce: ANNOUNCE.end, header: 16 } as const

/** Byte offsets of fields of an announce that the tracker ignores. */
const AT = { ip: 84, key: 88 } as const

/** The two halves of a connection id. */
export interface Connection {
  readonly high: number
  readonly low: number
}

/** What a client asks of any tracker, whatever the transport. */
export interface AnnounceQuestion {
  readonly infoHash: Uint8Array
  readonly peerId: Uint8Array
  /** Where the peer listens, 1–65535; not sent over a WebSocket, like all that is said of its address. */
  readonly port: number
  /** Bytes, up to 2^53 − 1. */
  readonly uploaded: number
  readonly downloaded: number
  readonly left: number
  readonly event: AnnounceEvent
  /** 32 bits; proves that a client with another address is the same. */
  readonly key: number
  /** Peers wanted; `WANT_DEFAULT`: the tracker decides. */
  readonly want: number
  /** The address to be given to other peers, 4 or 16 bytes; BEP 15 has no room for 16. */
  readonly ip?: Uint8Array | undefined
  /** HTTP only: ask for the compact form. */
  readonly compact?: boolean | undefined
}

export function writeConnectRequest(out: Uint8Array, at: number, transaction: number): number {
  return writeHeader(out, at, PROTOCOL, ACTION.connect, transaction)
}

export function writeAnnounceRequest(
  out: Uint8Array,
  at: number,
  connection: Connection,
  transaction: number,
  fields: AnnounceQuestion,
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

/** Maximum length of one option (BEP 41). */
const OPTION_BYTES = 255
const URL_DATA = 2

/** Bytes that the path and query of an announce URL take as options. */
export const urlDataBytes = (path: string): number =>
  path.length + 2 * Math.ceil(path.length / OPTION_BYTES)

/** Writes path and query of the announce URL, which are ASCII, as the options of an announce (BEP 41). */
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

/** Header bytes of every answer: action and transaction id. */
export const ANSWER_HEADER = 8

export const readConnection = (packet: Uint8Array): Connection | undefined =>
  packet.length === ANSWER.connect
    ? { high: readI32(packet, 8), low: readI32(packet, 12) }
    : undefined

export interface Peer {
  /** Canonical text, without brackets; over HTTP it may be a host name. */
  readonly ip: string
  readonly port: number
  /** Only non-compact HTTP answers have it. */
  readonly id?: Uint8Array | undefined
}

/** What any tracker answers an announce; the optional members come over HTTP only. */
export interface AnnounceReply {
  /** Seconds until the next announce. */
  readonly interval: number
  readonly minInterval?: number | undefined
  readonly seeders: number
  readonly leechers: number
  readonly downloaded?: number | undefined
  readonly warning?: string | undefined
  readonly peers: readonly Peer[]
}

/** `family` is that of the connection, which decides the size of a peer. */
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

/** Reads compact endpoints (BEP 23, 7); an incomplete one at the end is ignored. */
export function readPeers(bytes: Uint8Array, family: Family): Peer[] {
  const stride = endpointBytes(family)
  return Array.from({ length: Math.floor(bytes.length / stride) }, (_, i) => {
    const port = (i + 1) * stride - 2
    return {
      ip: printIp(bytes, family, i * stride),
      port: (bytes[port]! << 8) | bytes[port + 1]!,
    }
  })
}

/** One entry for each requested hash, in order; a tracker may answer fewer. */
export function readScrapeAnswer(packet: Uint8Array): ScrapeEntry[] | undefined {
  const bytes = packet.length - ANSWER.entriesAt
  if (bytes < 0 || bytes % ANSWER.entry !== 0) return undefined
  return Array.from({ length: bytes / ANSWER.entry }, (_, i) => {
    const at = ANSWER.entriesAt + i * ANSWER.entry
    return {
      seeders: readI32(packet, at),
      // Unsigned: it is the only one of the three that grows without end.
      downloaded: readI32(packet, at + 4) >>> 0,
      leechers: readI32(packet, at + 8),
    }
  })
}
