/**
 * The client side of `http.ts`: writes the queries of announces and scrapes, reads the answers (BEP 3, 7, 23,
 * 48). Readers accept what trackers in the field send, and name the fault of anything else.
 */
import { EVENT, INFO_HASH_BYTES, type ScrapeEntry, WANT_DEFAULT } from '../bittorrent.ts'
import { parseIp, printIp } from './address.ts'
import {
  type BencodeDictionary,
  BencodeError,
  type BencodeValue,
  decodeBencode,
} from './bencode.ts'
import { type AnnounceQuestion, type AnnounceReply, type Peer, readPeers } from './udp-client.ts'

const [CR, LF] = Buffer.from('\r\n')

/** By byte: itself if it is a letter or a digit, otherwise escaped, so that no tracker misreads one. */
const ESCAPED = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  return /[0-9A-Za-z]/.test(character)
    ? character
    : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
})

function escapeBytes(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += ESCAPED[bytes[i]!]
  return text
}

/** The query of an announce, without the question mark. */
export function announceQuery(fields: AnnounceQuestion): string {
  const event = Object.entries(EVENT).find(([, number]) => number === fields.event)?.[0] ?? 'none'
  return [
    `info_hash=${escapeBytes(fields.infoHash)}`,
    `peer_id=${escapeBytes(fields.peerId)}`,
    `port=${fields.port}`,
    `uploaded=${fields.uploaded}`,
    `downloaded=${fields.downloaded}`,
    `left=${fields.left}`,
    ...(event === 'none' ? [] : [`event=${event}`]),
    `compact=${fields.compact ? 1 : 0}`,
    ...(fields.want === WANT_DEFAULT ? [] : [`numwant=${fields.want}`]),
    `key=${(fields.key >>> 0).toString(16).padStart(8, '0')}`,
    ...(fields.ip ? [`ip=${printIp(fields.ip, fields.ip.length === 4 ? 4 : 6)}`] : []),
  ].join('&')
}

export const scrapeQuery = (infoHashes: readonly Uint8Array[]): string =>
  infoHashes.map((infoHash) => `info_hash=${escapeBytes(infoHash)}`).join('&')

/** The meaning of a body: an answer, a refusal of the tracker, or why it is neither. */
export type Reading<T> =
  | { readonly answer: T }
  | { readonly failure: string }
  | { readonly fault: string }

export function readAnnounceBody(body: Uint8Array): Reading<AnnounceReply> {
  const dictionary = readDictionary(body)
  if (!('answer' in dictionary)) return dictionary
  const { answer: fields } = dictionary
  const interval = fields.get('interval')
  if (typeof interval !== 'number') return { fault: 'an announce without interval' }
  const peers = readPeerList(fields.get('peers'))
  const peers6 = fields.get('peers6') ?? new Uint8Array()
  if (!peers || !(peers6 instanceof Uint8Array) || peers6.length % 18 !== 0)
    return { fault: 'an announce with a malformed peer list' }
  const warning = fields.get('warning message')
  return {
    answer: {
      interval,
      minInterval: numberOr(fields.get('min interval'), undefined),
      seeders: numberOr(fields.get('complete'), 0),
      leechers: numberOr(fields.get('incomplete'), 0),
      downloaded: numberOr(fields.get('downloaded'), undefined),
      warning: warning instanceof Uint8Array ? textOf(warning) : undefined,
      peers: [...peers, ...readPeers(peers6, 6)],
    },
  }
}

/** By info hash in lower-case hexadecimal. */
export function readScrapeBody(body: Uint8Array): Reading<Map<string, ScrapeEntry>> {
  const dictionary = readDictionary(body)
  if (!('answer' in dictionary)) return dictionary
  const files = dictionary.answer.get('files')
  if (!(files instanceof Map)) return { fault: 'a scrape without files' }
  const answer = new Map<string, ScrapeEntry>()
  for (const [key, entry] of files) {
    // The npm package `bittorrent-tracker` writes each byte of a hash as a character in UTF-8.
    const hash = key.length === INFO_HASH_BYTES ? key : Buffer.from(key, 'latin1').toString()
    if (hash.length !== INFO_HASH_BYTES || /[^\0-\xff]/.test(hash) || !(entry instanceof Map))
      return { fault: 'a scrape with a malformed file' }
    answer.set(Buffer.from(hash, 'latin1').toString('hex'), {
      seeders: numberOr(entry.get('complete'), 0),
      downloaded: numberOr(entry.get('downloaded'), 0),
      leechers: numberOr(entry.get('incomplete'), 0),
    })
  }
  return { answer }
}

/** What a body says: aquatic ends each of its answers with a line break. */
export const bencodeOf = <T extends Uint8Array>(body: T): T =>
  body.at(-2) === CR && body.at(-1) === LF ? (body.subarray(0, -2) as T) : body

function readDictionary(body: Uint8Array): Reading<BencodeDictionary> {
  let value: BencodeValue
  try {
    value = decodeBencode(bencodeOf(body), true)
  } catch (error) {
    if (!(error instanceof BencodeError)) throw error
    return { fault: `no bencoded answer (${body.length === 0 ? 'empty' : error.message})` }
  }
  if (!(value instanceof Map)) return { fault: 'no bencoded dictionary' }
  const failure = value.get('failure reason')
  if (failure === undefined) return { answer: value }
  return { failure: failure instanceof Uint8Array ? textOf(failure) : 'no reason given' }
}

/** Reads the compact form or a list of dictionaries; absent is empty. undefined: malformed. */
function readPeerList(value: BencodeValue | undefined): Peer[] | undefined {
  if (value === undefined) return []
  if (value instanceof Uint8Array) return value.length % 6 === 0 ? readPeers(value, 4) : undefined
  if (!Array.isArray(value)) return undefined
  const peers: Peer[] = []
  for (const entry of value) {
    if (!(entry instanceof Map)) return undefined
    const ip = entry.get('ip')
    const port = entry.get('port')
    const id = entry.get('peer id')
    if (!(ip instanceof Uint8Array) || typeof port !== 'number') return undefined
    peers.push({ ip: canonical(textOf(ip)), port, ...(id instanceof Uint8Array && { id }) })
  }
  return peers
}

const canonical = (text: string): string => {
  const bytes = parseIp(text)
  return bytes ? printIp(bytes, bytes.length === 4 ? 4 : 6) : text
}

const numberOr = <T>(value: BencodeValue | undefined, fallback: T): number | T =>
  typeof value === 'number' ? value : fallback

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
