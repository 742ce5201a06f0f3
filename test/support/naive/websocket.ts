/** A slow twin of the reader of WebTorrent messages: JSON.parse and one rule a line. */
import { EVENT } from '../../../src/bittorrent.ts'

/** Bytes are one character each; an SDP is the JSON text of it. */
export type NaiveMessage =
  | {
      kind: 'announce'
      infoHash: string
      peerId: string
      event: number
      /** undefined: unknown. */
      left: bigint | undefined
      uploaded: bigint
      downloaded: bigint
      offers: { id: string; sdp: string }[]
    }
  | {
      kind: 'answer'
      infoHash: string
      peerId: string
      toPeerId: string
      offerId: string
      sdp: string
    }
  | { kind: 'scrape'; hashes: string[] }

/** What is wrong: the field, or `text`. `infoHash`: that of a failure. */
export type NaiveFault = { wrong: string; infoHash: string | undefined }

class Wrong extends Error {}

/** A string and how it was written. */
class Written {
  readonly text: string
  readonly source: string
  constructor(text: string, source: string) {
    this.text = text
    this.source = source
  }
}

type Fields = Map<string, unknown>

/** Objects become maps, strings keep their source, null is nothing. */
function parse(text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text, (_, part, context?: { source?: string }) => {
      if (typeof part === 'string') return new Written(part, context?.source ?? '')
      if (typeof part !== 'object' || part === null || part instanceof Written) return part
      return Array.isArray(part) ? part : new Map(Object.entries(part))
    })
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new Wrong('text')
  }
  if (!(value instanceof Map) || depth(text) > 8) throw new Wrong('text')
  return value
}

function depth(text: string): number {
  let open = 0
  let most = 0
  for (const bracket of text.replaceAll(/"(?:[^"\\]|\\.)*"/gs, '').replaceAll(/[^[\]{}]/g, '')) {
    open += bracket === '[' || bracket === '{' ? 1 : -1
    most = Math.max(most, open)
  }
  return most
}

function id(value: unknown, name: string): string {
  if (!(value instanceof Written) || !/^[\0-\xff]{20}$/.test(value.text)) throw new Wrong(name)
  return value.text
}

const wordOf = (value: unknown): string | undefined =>
  value instanceof Written ? value.text : undefined

function sdp(value: unknown, name: string, type: string): string {
  if (!(value instanceof Map)) throw new Wrong(name)
  const stated = value.get('type') ?? undefined
  if (stated !== undefined && wordOf(stated) !== type) throw new Wrong(`${name}.type`)
  const description = value.get('sdp')
  if (!(description instanceof Written)) throw new Wrong(`${name}.sdp`)
  // Escaped or not, one without its other half; and any that is escaped.
  if (!description.text.isWellFormed() || /\\ud[89a-f]/i.test(unslashed(description.source)))
    throw new Wrong(`${name}.sdp`)
  return description.source
}

/** Without escaped backslashes, behind which a `u` is only a letter. */
const unslashed = (source: string) => source.replaceAll('\\\\', '')

function count(value: unknown): bigint | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return undefined
  const most = 2n ** 63n - 1n
  if (value === Number.POSITIVE_INFINITY) return most
  const whole = BigInt(Math.floor(value))
  return whole < most ? whole : most
}

function offersOf(value: unknown, most: number): { id: string; sdp: string }[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new Wrong('offers')
  return value.slice(0, most).map((element, i) => {
    const name = `offers[${i}]`
    if (!(element instanceof Map)) throw new Wrong(name)
    const text = sdp(element.get('offer'), `${name}.offer`, 'offer')
    return { id: id(element.get('offer_id'), `${name}.offer_id`), sdp: text }
  })
}

function hashesOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [id(value, 'info_hash')]
  const hashes = new Set<string>()
  for (const [i, element] of value.entries())
    if (hashes.size < 100) hashes.add(id(element, `info_hash[${i}]`))
  return [...hashes]
}

function read(fields: Fields, mostOffers: number): NaiveMessage {
  const action = wordOf(fields.get('action'))
  if (action !== 'announce' && action !== 'scrape') throw new Wrong('action')
  if (action === 'scrape') return { kind: 'scrape', hashes: hashesOf(fields.get('info_hash')) }
  const infoHash = id(fields.get('info_hash'), 'info_hash')
  const peerId = id(fields.get('peer_id'), 'peer_id')
  const answer = fields.get('answer') ?? undefined
  if (answer !== undefined) {
    const toPeerId = id(fields.get('to_peer_id'), 'to_peer_id')
    const offerId = id(fields.get('offer_id'), 'offer_id')
    const text = sdp(answer, 'answer', 'answer')
    return { kind: 'answer', infoHash, peerId, toPeerId, offerId, sdp: text }
  }
  const word = wordOf(fields.get('event'))
  const event = Object.entries(EVENT).find(([name]) => name === word)?.[1] ?? EVENT.none
  const left = count(fields.get('left')) ?? (event === EVENT.completed ? 0n : undefined)
  return {
    kind: 'announce',
    infoHash,
    peerId,
    event,
    left,
    uploaded: count(fields.get('uploaded')) ?? 0n,
    downloaded: count(fields.get('downloaded')) ?? 0n,
    offers: event === EVENT.stopped ? [] : offersOf(fields.get('offers'), mostOffers),
  }
}

export function naiveMessage(text: string, mostOffers: number): NaiveMessage | NaiveFault {
  let infoHash: string | undefined
  try {
    const fields = parse(text)
    const named = wordOf(fields.get('info_hash')) ?? ''
    if (/^[\0-\xff]{20}$/.test(named)) infoHash = named
    return read(fields, mostOffers)
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    return { wrong: error.message, infoHash }
  }
}
