/**
 * The client side of `websocket.ts`: writes announces and scrapes, reads the answers. Readers accept what trackers in
 * the field send, and name the fault of anything else.
 */
import { EVENT, INFO_HASH_BYTES, type ScrapeEntry, WANT_DEFAULT } from '../bittorrent.ts'
import type { Reading } from './http-client.ts'
import type { AnnounceQuestion, AnnounceReply } from './udp-client.ts'

/** Each byte is a character. */
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** An announce without offers: it asks for no peers, and for the counts. */
export function announceMessage(fields: AnnounceQuestion): string {
  const event = Object.entries(EVENT).find(([, number]) => number === fields.event)?.[0] ?? 'none'
  return JSON.stringify({
    action: 'announce',
    info_hash: textOf(fields.infoHash),
    peer_id: textOf(fields.peerId),
    uploaded: fields.uploaded,
    downloaded: fields.downloaded,
    left: fields.left,
    ...(event !== 'none' && { event }),
    ...(fields.want !== WANT_DEFAULT && { numwant: fields.want }),
  })
}

/** One hash is written as such, as the reference does. */
export function scrapeMessage(infoHashes: readonly Uint8Array[]): string {
  const hashes = infoHashes.map(textOf)
  return JSON.stringify({
    action: 'scrape',
    info_hash: hashes.length === 1 ? hashes[0] : hashes,
  })
}

/** undefined: a message about something else, such as an offer of another peer. */
export function readAnnounceMessage(
  text: string,
  infoHash: Uint8Array,
): Reading<AnnounceReply> | undefined {
  const message = readMessage(text, 'announce', infoHash)
  if (message === undefined || !('answer' in message)) return message
  const { answer: fields } = message
  if (fields.has('offer') || fields.has('answer')) return undefined
  const interval = fields.get('interval')
  if (typeof interval !== 'number') return { fault: 'an announce without interval' }
  const warning = fields.get('warning message')
  return {
    answer: {
      interval,
      minInterval: numberOr(fields.get('min interval') ?? fields.get('min_interval'), undefined),
      seeders: numberOr(fields.get('complete'), 0),
      leechers: numberOr(fields.get('incomplete'), 0),
      downloaded: numberOr(fields.get('downloaded'), undefined),
      warning: typeof warning === 'string' ? warning : undefined,
      peers: [],
    },
  }
}

/** By info hash in lower-case hexadecimal; undefined as for an announce. */
export function readScrapeMessage(text: string): Reading<Map<string, ScrapeEntry>> | undefined {
  const message = readMessage(text, 'scrape')
  if (message === undefined || !('answer' in message)) return message
  const files = fieldsOf(message.answer.get('files'))
  if (!files) return { fault: 'a scrape without files' }
  const answer = new Map<string, ScrapeEntry>()
  for (const [hash, value] of files) {
    const entry = fieldsOf(value)
    if (hash.length !== INFO_HASH_BYTES || /[^\0-\xff]/.test(hash) || !entry)
      return { fault: 'a scrape with a malformed file' }
    answer.set(Buffer.from(hash, 'latin1').toString('hex'), {
      seeders: numberOr(entry.get('complete'), 0),
      downloaded: numberOr(entry.get('downloaded'), 0),
      leechers: numberOr(entry.get('incomplete'), 0),
    })
  }
  return { answer }
}

type Fields = ReadonlyMap<string, unknown>

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? new Map(Object.entries(value))
    : undefined

/** The fields of a message with this action, about this torrent; undefined: it is about something else. */
function readMessage(
  text: string,
  action: 'announce' | 'scrape',
  infoHash?: Uint8Array,
): Reading<Fields> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { fault: 'no JSON' }
  }
  const fields = fieldsOf(value)
  if (!fields) return { fault: 'no JSON object' }
  const failure = fields.get('failure reason')
  const about = { action: fields.get('action'), infoHash: fields.get('info_hash') }
  // Some trackers refuse without saying what.
  const isSame = (found: unknown, wanted: string | undefined) =>
    found === wanted || wanted === undefined || (failure !== undefined && found === undefined)
  if (!isSame(about.action, action) || !isSame(about.infoHash, infoHash && textOf(infoHash)))
    return undefined
  if (failure === undefined) return { answer: fields }
  return { failure: typeof failure === 'string' ? failure : 'no reason given' }
}

const numberOr = <T>(value: unknown, fallback: T): number | T =>
  typeof value === 'number' ? value : fallback
