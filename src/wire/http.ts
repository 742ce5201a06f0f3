/**
 * Reads the queries of announces and scrapes (BEP 3, 23, 48; docs/behaviours.md H4–H6, H9, H10, H16): text in,
 * values or the words of a refusal out. No socket, no clock, no policy.
 */
import {
  Announce,
  COUNT,
  EVENT,
  INFO_HASH_BYTES,
  PEER_ID_BYTES,
  WANT_DEFAULT,
} from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import {
  ascii,
  COUNTED,
  decodeBytes,
  decodeCount,
  decodeNumber,
  PAIR,
  Pairs,
  SHAPES,
} from './query.ts'

/** The parameters of an announce that are read, in the order in which they are checked. */
const FIELDS = [
  'info_hash',
  'peer_id',
  'port',
  'downloaded',
  'uploaded',
  'left',
  'event',
  'compact',
  'numwant',
  'ip',
] as const
type Field = (typeof FIELDS)[number]

const AT = Object.fromEntries(FIELDS.map((name, i) => [name, i])) as Record<Field, number>

const INFO_HASH = ascii('info_hash')
const ZERO = ascii('0')
const ONE = ascii('1')
const NAMES = FIELDS.map((name) => ascii(name))

/** The only field whose name has this shape; -1: none. */
const BY_SHAPE = new Int8Array(SHAPES).fill(-1)
for (const [field, name] of FIELDS.entries())
  BY_SHAPE[name.length * 128 + name.charCodeAt(0)] = field

const EVENTS = Object.entries({ ...EVENT, '': EVENT.none, empty: EVENT.none, paused: EVENT.none })
  .filter(([name]) => name !== 'none')
  .map(([name, event]) => ({ name: ascii(name), event }))

type Kind = 'announce' | 'scrape'

const missing = (kind: Kind, name: string): string =>
  `Bad request. Cannot parse query params for ${kind} request: missing param ${name}`

const noQuery = (kind: Kind): string =>
  `Bad request. Cannot parse query params for ${kind} request: missing query params for ${kind} request`

const invalid = (kind: Kind, raw: string, name: string, why = ''): string =>
  `Bad request. Cannot parse query params for ${kind} request: invalid param value ${raw} for ${name}${why}`

/** Why `count` bytes are not a hash or id; -1: the text has characters that no URL contains. */
const wrongLength = (count: number, what: string): string => {
  const fault = count < 20 ? 'not enough' : 'too many'
  return count < 0 ? '' : ` in ${fault} bytes for ${what}: got ${count} bytes, expected 20`
}

/** Reads announces. One per server; every `read` overwrites it. */
export class AnnounceQuery {
  /** Everything but the endpoint, which the transport provides. */
  readonly request: Announce = new Announce()
  port = 0
  compact = true
  /** `ip=` as in the URL; empty: none. The transport decides whether to use it. */
  ip = ''
  readonly #pairs = new Pairs()
  /** Start and end of each field's value at its first occurrence; start -1: absent. */
  readonly #spans = new Int32Array(FIELDS.length * 2)

  /** Reads the query after the `?` at `text[question]`. Returns the words of the refusal; undefined: none. */
  read(text: string, question: number): string | undefined {
    if (question < 0) return noQuery('announce')
    const pairs = this.#pairs
    const spans = this.#spans
    spans.fill(-1)
    pairs.begin(text, question + 1)
    for (let found = pairs.next(); found !== PAIR.end; found = pairs.next()) {
      if (found === PAIR.malformed) return pairs.complaint()
      const field = BY_SHAPE[pairs.shape()]!
      if (field >= 0 && spans[field * 2]! < 0 && pairs.named(NAMES[field]!)) {
        spans[field * 2] = pairs.valueStart
        spans[field * 2 + 1] = pairs.end
      }
    }
    return (
      this.#readBytes('info_hash', this.request.infoHash, INFO_HASH_BYTES, 'infohash') ??
      this.#readBytes('peer_id', this.request.peerId, PEER_ID_BYTES, 'peer id') ??
      this.#readPort() ??
      this.#readCount('downloaded', COUNT.downloaded) ??
      this.#readCount('uploaded', COUNT.uploaded) ??
      this.#readCount('left', COUNT.left) ??
      this.#readEvent() ??
      this.#readCompact() ??
      this.#readWanted() ??
      this.#readIp()
    )
  }

  /** Whether the field is present and has this value. */
  #reads(field: Field, what: Uint8Array): boolean {
    const at = AT[field] * 2
    return this.#pairs.reads(this.#spans[at]!, this.#spans[at + 1]!, what)
  }

  #invalid(field: Field, why?: string): string {
    const at = AT[field] * 2
    const raw = this.#pairs.echo(this.#spans[at]!, this.#spans[at + 1]!)
    return invalid('announce', raw, field, why)
  }

  #readBytes(field: Field, bytes: Uint8Array, room: number, what: string): string | undefined {
    const start = this.#spans[AT[field] * 2]!
    if (start < 0) return missing('announce', field)
    const end = this.#spans[AT[field] * 2 + 1]!
    const count = decodeBytes(this.#pairs.bytes, start, end, bytes, 0, room)
    return count === room ? undefined : this.#invalid(field, wrongLength(count, what))
  }

  #readPort(): string | undefined {
    const start = this.#spans[AT.port * 2]!
    if (start < 0) return missing('announce', 'port')
    this.port = decodeNumber(this.#pairs.bytes, start, this.#spans[AT.port * 2 + 1]!, 0xffff)
    // No peer can be reached at port 0.
    return this.port > 0 ? undefined : this.#invalid('port')
  }

  #readCount(field: Field, at: number): string | undefined {
    const { counts } = this.request
    const start = this.#spans[AT[field] * 2]!
    if (start < 0) {
      // Without `left` a client is a leecher. All ones cannot be sent over HTTP, are what UDP clients send for
      // "unknown", and read as -1 in a signed field.
      counts[at] = counts[at + 1] = at === COUNT.left ? 0xffffffff : 0
      return undefined
    }
    switch (decodeCount(this.#pairs.bytes, start, this.#spans[AT[field] * 2 + 1]!, counts, at)) {
      case COUNTED.exact:
        return undefined
      case COUNTED.invalid:
        return this.#invalid(field)
      case COUNTED.overflow:
        return this.#invalid(field).replace('invalid param value', 'param value overflow')
    }
  }

  #readEvent(): string | undefined {
    this.request.event = EVENT.none
    if (this.#spans[AT.event * 2]! < 0) return undefined
    for (const { name, event } of EVENTS)
      if (this.#reads('event', name)) {
        this.request.event = event
        return undefined
      }
    return this.#invalid('event')
  }

  #readCompact(): string | undefined {
    this.compact = true
    if (this.#spans[AT.compact * 2]! < 0 || this.#reads('compact', ONE)) return undefined
    this.compact = false
    return this.#reads('compact', ZERO) ? undefined : this.#invalid('compact')
  }

  #readWanted(): string | undefined {
    const start = this.#spans[AT.numwant * 2]!
    this.request.want = WANT_DEFAULT
    if (start < 0) return undefined
    const wanted = decodeNumber(
      this.#pairs.bytes,
      start,
      this.#spans[AT.numwant * 2 + 1]!,
      0xffffffff,
    )
    if (wanted < 0) return this.#invalid('numwant')
    this.request.want = wanted
    return undefined
  }

  #readIp(): undefined {
    const start = this.#spans[AT.ip * 2]!
    this.ip = start < 0 ? '' : this.#pairs.echo(start, this.#spans[AT.ip * 2 + 1]!)
  }
}

/** Reads scrapes. One per server; every `read` overwrites it. */
export class ScrapeQuery {
  readonly #words = new Int32Array(LIMITS.httpScrapeHashes * 5)
  /** The hashes in the order of the query; `infoHash` gives the order of the answer. */
  readonly bytes: Uint8Array = new Uint8Array(this.#words.buffer)
  readonly #view = new DataView(this.#words.buffer)
  readonly #hashes = Array.from({ length: LIMITS.httpScrapeHashes }, (_, i) =>
    this.#words.subarray(i * 5, i * 5 + 5),
  )
  readonly #order = new Uint8Array(LIMITS.httpScrapeHashes)
  readonly #pairs = new Pairs()
  /** Number of distinct hashes. */
  count = 0

  /** The `i`-th distinct hash, bytewise ascending, as the five words of its bytes. */
  infoHash(i: number): Int32Array {
    return this.#hashes[this.#order[i]!]!
  }

  /** Where the bytes of the `i`-th distinct hash begin in `bytes`. */
  offset(i: number): number {
    return this.#order[i]! * INFO_HASH_BYTES
  }

  /** A copy of the distinct hashes, bytewise ascending, five words each. */
  infoHashes(): Int32Array<ArrayBuffer> {
    const words = new Int32Array(this.count * 5)
    for (let i = 0; i < this.count; i++) words.set(this.infoHash(i), i * 5)
    return words
  }

  /** Reads the query after the `?` at `text[question]`. Returns the words of the refusal; undefined: none. */
  read(text: string, question: number): string | undefined {
    if (question < 0) return noQuery('scrape')
    const pairs = this.#pairs
    this.count = 0
    let asked = 0
    let fault: string | undefined
    pairs.begin(text, question + 1)
    for (let found = pairs.next(); found !== PAIR.end; found = pairs.next()) {
      if (found === PAIR.malformed) return pairs.complaint()
      // Hashes beyond the limit or after a malformed one are not decoded.
      if (fault !== undefined || asked === LIMITS.httpScrapeHashes || !pairs.named(INFO_HASH))
        continue
      const at = asked * INFO_HASH_BYTES
      const { valueStart, end } = pairs
      const count = decodeBytes(pairs.bytes, valueStart, end, this.bytes, at, INFO_HASH_BYTES)
      if (count === INFO_HASH_BYTES) this.#insert(asked++)
      else {
        const why = wrongLength(count, 'infohash')
        fault = invalid('scrape', pairs.echo(valueStart, end), 'info_hash', why)
      }
    }
    return fault ?? (asked === 0 ? missing('scrape', 'info_hash') : undefined)
  }

  /** Inserts hash number `added` into the order, unless it is there already. */
  #insert(added: number): void {
    const order = this.#order
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >> 1
      const difference = this.#compare(added, order[middle]!)
      if (difference === 0) return
      if (difference < 0) high = middle
      else low = middle + 1
    }
    order.copyWithin(low + 1, low, this.count++)
    order[low] = added
  }

  #compare(a: number, b: number): number {
    for (let i = 0; i < INFO_HASH_BYTES; i += 4) {
      const difference =
        this.#view.getUint32(a * INFO_HASH_BYTES + i) -
        this.#view.getUint32(b * INFO_HASH_BYTES + i)
      if (difference !== 0) return difference
    }
    return 0
  }
}
