/** Reads what a WebTorrent tracker sends, as far as a load must. */
import { INFO_HASH_BYTES, PEER_ID_BYTES } from '../bittorrent.ts'
import type { OfferIds } from './websocket-requests.ts'

/** `announced`, `scraped`: the answer to a request; `offer`, `answer`: relayed from another peer. */
export type Kind = 'announced' | 'scraped' | 'offer' | 'answer' | 'failure' | 'garbage'

/** With a quote before it, neither can stand inside of a string. */
const OFFER = Buffer.from('"offer":{')
const ANSWER = Buffer.from('"answer":{')
/** Answers to requests are shorter. Relayed messages hold a session description and are longer. */
const SHORT_BYTES = 400

/** Owned by one reader and filled by each call. */
export class WebSocketReply implements OfferIds {
  readonly infoHash = new Uint8Array(INFO_HASH_BYTES)
  readonly peerId = new Uint8Array(PEER_ID_BYTES)
  readonly offerId = new Uint8Array(PEER_ID_BYTES)
  /** Whether the message named one, which then is `infoHash`. */
  hasInfoHash = false
  /** The text of a failure. */
  failure = ''

  /**
   * The message at `bytes[from…to]`. Of relayed messages, which are most, the parts are read only if `whole`; all others
   * are checked.
   */
  read(bytes: Buffer, from: number, to: number, whole: boolean): Kind {
    if (!whole && to - from > SHORT_BYTES) {
      const kind = relayed(bytes, from, to)
      if (kind !== undefined) return kind
    }
    let message: unknown
    try {
      message = JSON.parse(bytes.toString('utf8', from, to))
    } catch {
      return 'garbage'
    }
    return isRecord(message) ? this.#judge(message) : 'garbage'
  }

  #judge(message: Record<string, unknown>): Kind {
    this.hasInfoHash = copyId(message.info_hash, this.infoHash)
    if (typeof message['failure reason'] === 'string') {
      this.failure = message['failure reason']
      return 'failure'
    }
    if (message.action === 'scrape') return isRecord(message.files) ? 'scraped' : 'garbage'
    if (message.action !== 'announce' || !this.hasInfoHash) return 'garbage'
    for (const kind of ['offer', 'answer'] as const) {
      const description = message[kind]
      if (!isRecord(description)) continue
      const isWhole =
        typeof description.sdp === 'string' &&
        copyId(message.peer_id, this.peerId) &&
        copyId(message.offer_id, this.offerId)
      return isWhole ? kind : 'garbage'
    }
    const { interval, complete, incomplete } = message
    return [interval, complete, incomplete].every(Number.isInteger) ? 'announced' : 'garbage'
  }
}

function relayed(bytes: Buffer, from: number, to: number): Kind | undefined {
  const offer = bytes.indexOf(OFFER, from)
  if (offer >= 0 && offer < to) return 'offer'
  const answer = bytes.indexOf(ANSWER, from)
  return answer >= 0 && answer < to ? 'answer' : undefined
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

/** false: it is no string of as many characters up to U+00FF as there is room for. */
function copyId(value: unknown, into: Uint8Array): boolean {
  if (typeof value !== 'string' || value.length !== into.length) return false
  for (let i = 0; i < into.length; i++) {
    const code = value.charCodeAt(i)
    if (code > 0xff) return false
    into[i] = code
  }
  return true
}
