/**
 * Reads and writes the messages of a WebTorrent tracker: JSON text in, values or the words of a refusal out. There is
 * no BEP; what clients send and accept is that of the npm package `bittorrent-tracker`. No socket, no clock, no policy.
 *
 * The reader makes one strict pass over the text and no objects. It understands what `JSON.parse` would understand,
 * with three exceptions that protect others: what is nested deep, what is long, and descriptions of sessions (SDP)
 * that strict clients refuse, because a client closes its connection to the tracker when one of those is relayed.
 */
import { COUNT, EVENT, INFO_HASH_BYTES, type ScrapeEntry, SeatAnnounce } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { hexDigit } from './address.ts'
import { ascii } from './query.ts'

const QUOTE = 0x22
const PLUS = 0x2b
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const LOWER_E = 0x65
const LOWER_F = 0x66
const LOWER_N = 0x6e
const LOWER_T = 0x74
const LOWER_U = 0x75
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

const NULL = ascii('null')
const TRUE = ascii('true')
const FALSE = ascii('false')

/** By byte of a string: 1 = ASCII that stands for itself. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
)

/** By the byte behind a backslash: the byte that both stand for; 0: no such escape. */
const SHORT_ESCAPES = new Uint8Array(256)
for (const [name, meaning] of Object.entries({
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}))
  SHORT_ESCAPES[name.charCodeAt(0)] = meaning.charCodeAt(0)

/** The value of a hexadecimal digit; anything else makes every sum of four digits negative. */
const HEX = Int32Array.from({ length: 256 }, (_, code) => {
  const digit = hexDigit(code)
  return digit < 0 ? -0x10_0000 : digit
})

/** Every field that is read, of whatever object. */
const FIELDS = [
  'action',
  'info_hash',
  'peer_id',
  'event',
  'left',
  'uploaded',
  'downloaded',
  'offers',
  'answer',
  'to_peer_id',
  'offer_id',
  'offer',
  'type',
  'sdp',
] as const
const AT = Object.fromEntries(FIELDS.map((name, i) => [name, i])) as Record<
  (typeof FIELDS)[number],
  number
>
const NAMES = FIELDS.map(ascii)
const LONGEST_NAME = 10

/** The only field whose name has this length and this third letter; -1: none. */
const BY_SHAPE = new Int8Array((LONGEST_NAME + 1) * 256).fill(-1)
for (const [field, name] of NAMES.entries()) BY_SHAPE[name.length * 256 + name[2]!] = field

/**
 * Where the fields of an object are noted: of the message, of its answer, of one element of its offers, and of the
 * offer in it. Objects inside of other fields are skipped.
 */
const MESSAGE = 0
const ANSWER = FIELDS.length
const ELEMENT = 2 * FIELDS.length
const OFFER = 3 * FIELDS.length
const FRAMES = 4 * FIELDS.length
const SKIPPED = -1

/** What stands in a field. A value of null is as absent as no value. */
const KIND = { absent: 0, string: 1, number: 2, list: 3, object: 4, boolean: 5 } as const
/** Bits beside `KIND.string`: it holds an escape, an escaped surrogate, a character that is not ASCII. */
const ESCAPED = 8
const SURROGATE = 16
const WIDE = 32
const MALFORMED = -1

const ANNOUNCE_ACTION = ascii('announce')
const SCRAPE_ACTION = ascii('scrape')
const OFFER_TYPE = ascii('offer')
const ANSWER_TYPE = ascii('answer')
const EVENTS = Object.entries(EVENT)
  .filter(([name]) => name !== 'none')
  .map(([name, event]) => ({ name: ascii(name), event }))

/** No message holds more: this is less than the shortest offer. */
const SHORTEST_OFFER = 50
const MOST_OFFERS = Math.floor(LIMITS.webSocketMessage / SHORTEST_OFFER)

/** Digits of a number that is exact when it is read digit by digit. */
const EXACT_DIGITS = 15
const MOST_COUNT = 2 ** 63

const ENCODER = new TextEncoder()

/** Whether the `length` bytes at `bytes[start]` are `what`. */
function equals(bytes: Uint8Array, start: number, length: number, what: Uint8Array): boolean {
  if (length !== what.length) return false
  for (let i = 0; i < length; i++) if (bytes[start + i] !== what[i]) return false
  return true
}

/** Reads messages of clients. One per server; every `read` overwrites it. */
export class WebSocketRequest {
  /** `announce` also while the action is unknown. An `answer` is an announce with an answer to an offer. */
  kind: 'announce' | 'answer' | 'scrape' = 'announce'
  /** Whether `announce.infoHash` could be read, also when something else is wrong: a failure repeats it. */
  hasInfoHash = false
  /** Ids, counts and event; the rest is not the client's to say. An answer sets the ids only. */
  readonly announce: SeatAnnounce = new SeatAnnounce()
  /** false: `left` is absent or no number from 0 up, and what stands in the counts is all ones. */
  isLeftKnown = false
  /** Number of offers, of which every one was checked; 0 with the event `stopped`. */
  offers = 0
  /** The ids of the offers, five words each; of an answer the id of the offer that it answers. */
  readonly offerIds: Int32Array = new Int32Array(MOST_OFFERS * 5)
  /** The JSON text of each SDP with its quotes, as the client wrote it; of an answer the one. */
  readonly sdps: string[] = []
  /** Who made the offer that an answer answers, five words. */
  readonly toPeerId: Int32Array = new Int32Array(5)
  /** The distinct info hashes of a scrape, five words each. */
  readonly hashes: Int32Array = new Int32Array(LIMITS.webSocketScrapeHashes * 5)
  count = 0

  /** The text in UTF-8, whose bytes are read twice as fast as characters, and a 0 behind it. */
  readonly #bytes: Uint8Array = new Uint8Array(LIMITS.webSocketMessage + 4)
  readonly #buffer: Buffer = Buffer.from(this.#bytes.buffer)
  #text = ''
  /** In bytes, like every place. */
  #length = 0
  #at = 0
  /** The last string without its quotes, or the last number. */
  #start = 0
  #end = 0
  /** By frame and field: its kind, and where it stands. Of a repeated field the last counts. */
  readonly #kinds = new Uint8Array(FRAMES)
  readonly #spans = new Int32Array(FRAMES * 2)
  #mostOffers = 0
  /** What is wrong with the text as JSON, with the offers and with the list of info hashes. */
  #fault: string | undefined
  #offersFault: string | undefined
  #hashesFault: string | undefined
  readonly #idBytes = new Uint8Array(this.offerIds.buffer)
  readonly #toPeerIdBytes = new Uint8Array(this.toPeerId.buffer)
  readonly #hashBytes = new Uint8Array(this.hashes.buffer)
  readonly #name = new Uint8Array(LONGEST_NAME)

  /**
   * Reads one message and keeps at most `mostOffers` of its offers; further ones need only be JSON. Returns what is
   * wrong, in words without any of the client's; undefined: nothing.
   */
  read(text: string, mostOffers: number): string | undefined {
    this.kind = 'announce'
    this.hasInfoHash = false
    this.announce.event = EVENT.none
    this.isLeftKnown = false
    this.count = 0
    this.#mostOffers = Math.min(mostOffers, MOST_OFFERS)
    this.#forgetOffers()
    this.#fault = this.#hashesFault = undefined
    this.#kinds.fill(KIND.absent, MESSAGE, ANSWER)
    this.#readJson(text)
    // A failure repeats them even if the text broke off behind them.
    const actionFault = this.#readAction()
    const infoHashFault = this.#readInfoHash()
    return this.#fault ?? actionFault ?? infoHashFault ?? this.#readRest()
  }

  #readJson(text: string): void {
    const { read, written } = ENCODER.encodeInto(text, this.#bytes)
    this.#text = text
    this.#length = written
    this.#at = 0
    if (read < text.length || written > LIMITS.webSocketMessage) {
      this.#fault = `longer than ${LIMITS.webSocketMessage} bytes`
      return
    }
    this.#bytes[written] = 0
    if (this.#next() !== OPEN_OBJECT) this.#fault = 'not a JSON object'
    else if (this.#object(MESSAGE, 1)) {
      this.#next()
      if (this.#at !== written) this.#malformed()
    }
  }

  // The fields

  #readAction(): string | undefined {
    if (this.#reads(AT.action, SCRAPE_ACTION)) this.kind = 'scrape'
    else if (!this.#reads(AT.action, ANNOUNCE_ACTION))
      return 'action is neither announce nor scrape'
    else if (this.#kinds[AT.answer] !== KIND.absent) this.kind = 'answer'
    return undefined
  }

  #readInfoHash(): string | undefined {
    if (this.kind === 'scrape' && this.#kinds[AT.info_hash] === KIND.list) return this.#hashesFault
    const fault = this.#readId(AT.info_hash, 'info_hash', this.announce.infoHash, 0)
    this.hasInfoHash = fault === undefined
    return fault
  }

  #readRest(): string | undefined {
    if (this.kind === 'scrape') {
      this.#forgetOffers()
      if (this.#kinds[AT.info_hash] === KIND.list) return undefined
      this.count = 1
      for (let word = 0; word < 5; word++) this.hashes[word] = this.announce.words[word]!
      return undefined
    }
    const fault = this.#readId(AT.peer_id, 'peer_id', this.announce.peerId, 0)
    if (fault !== undefined) return fault
    if (this.kind === 'answer') return this.#readAnswer()
    this.#readEvent()
    this.#readCount(AT.uploaded, COUNT.uploaded)
    this.#readCount(AT.downloaded, COUNT.downloaded)
    this.isLeftKnown = this.#readCount(AT.left, COUNT.left)
    if (!this.isLeftKnown) {
      // A peer that has just completed has nothing left, and says so in fewer words.
      this.isLeftKnown = this.announce.event === EVENT.completed
      const { counts } = this.announce
      counts[COUNT.left] = counts[COUNT.left + 1] = this.isLeftKnown ? 0 : -1
    }
    return this.#readOffers()
  }

  #readOffers(): string | undefined {
    const kind = this.#kinds[AT.offers]
    const isIgnored = this.announce.event === EVENT.stopped
    if (kind === KIND.list && !isIgnored) return this.#offersFault
    // Those of a field that was repeated.
    this.#forgetOffers()
    return kind === KIND.absent || isIgnored ? undefined : 'offers is not a list'
  }

  #readAnswer(): string | undefined {
    this.#forgetOffers()
    return (
      this.#readId(AT.to_peer_id, 'to_peer_id', this.#toPeerIdBytes, 0) ??
      this.#readId(AT.offer_id, 'offer_id', this.#idBytes, 0) ??
      this.#readDescription(AT.answer, 'answer', ANSWER, ANSWER_TYPE)
    )
  }

  /** Anything but the known words is a regular announce: clients are inventive. */
  #readEvent(): void {
    for (const { name, event } of EVENTS)
      if (this.#reads(AT.event, name)) this.announce.event = event
  }

  /** Reads a number from 0 up into `counts[at…]`, without its fraction, at most 2^63 − 1. false: it is none. */
  #readCount(field: number, at: number): boolean {
    const { counts } = this.announce
    const value = this.#kinds[field] === KIND.number ? this.#number(field) : -1
    counts[at] = value < MOST_COUNT ? value / 0x1_0000_0000 : 0x7fff_ffff
    counts[at + 1] = value < MOST_COUNT ? value : -1
    if (value >= 0) return true
    counts[at] = counts[at + 1] = 0
    return false
  }

  #number(field: number): number {
    const start = this.#spans[field * 2]!
    const end = this.#spans[field * 2 + 1]!
    if (end - start > EXACT_DIGITS) return Number(this.#buffer.toString('latin1', start, end))
    let value = 0
    for (let i = start; i < end; i++) {
      const digit = this.#bytes[i]! - ZERO
      if (digit < 0 || digit > 9) return Number(this.#buffer.toString('latin1', start, end))
      value = value * 10 + digit
    }
    return value
  }

  /** Reads an id into `target[at…]`. Returns what is wrong with it. */
  #readId(field: number, name: string, target: Uint8Array, at: number): string | undefined {
    const kind = this.#kinds[field]!
    if (kind === KIND.absent) return `${name} is missing`
    if ((kind & 7) !== KIND.string) return `${name} is not a string`
    return this.#decodeId(this.#spans[field * 2]!, this.#spans[field * 2 + 1]!, name, target, at)
  }

  #decodeId(
    start: number,
    end: number,
    name: string,
    target: Uint8Array,
    at: number,
  ): string | undefined {
    const count = this.#decode(start, end, target, at, INFO_HASH_BYTES)
    if (count === INFO_HASH_BYTES) return undefined
    return count < 0
      ? `${name} has a character above U+00FF`
      : `${name} has ${count} characters, expected ${INFO_HASH_BYTES}`
  }

  /** Keeps the SDP of the object noted in `frame`, which stands in `field`. Returns what is wrong with it. */
  #readDescription(
    field: number,
    name: string,
    frame: number,
    type: Uint8Array,
  ): string | undefined {
    if (this.#kinds[field] === KIND.absent) return `${name} is missing`
    if (this.#kinds[field] !== KIND.object) return `${name} is not an object`
    if (this.#kinds[frame + AT.type] !== KIND.absent && !this.#reads(frame + AT.type, type))
      return `${name}.type is not ${type === OFFER_TYPE ? 'offer' : 'answer'}`
    const kind = this.#kinds[frame + AT.sdp]!
    if (kind === KIND.absent) return `${name}.sdp is missing`
    if ((kind & 7) !== KIND.string) return `${name}.sdp is not a string`
    const start = this.#spans[(frame + AT.sdp) * 2]! - 1
    const end = this.#spans[(frame + AT.sdp) * 2 + 1]! + 1
    // A lone one makes strict clients close their connection. Nothing in an SDP needs a pair of them.
    if ((kind & SURROGATE) !== 0 || ((kind & WIDE) !== 0 && this.#isTorn(start, end)))
      return `${name}.sdp has a surrogate`
    this.sdps.push(
      this.#length === this.#text.length
        ? this.#text.slice(start, end)
        : // A part of text with wider characters would keep their width, and would be converted for sending.
          this.#buffer.toString((kind & WIDE) === 0 ? 'latin1' : 'utf8', start, end),
    )
    return undefined
  }

  /** Whether a half of a character stood there. Bytes cannot say it, and have the replacement character. */
  #isTorn(start: number, end: number): boolean {
    return !this.#text.isWellFormed() && this.#buffer.subarray(start, end).includes('\ufffd')
  }

  #forgetOffers(): void {
    this.offers = 0
    this.sdps.length = 0
    this.#offersFault = undefined
  }

  /** Whether the field is a string that says `what`. */
  #reads(field: number, what: Uint8Array): boolean {
    const kind = this.#kinds[field]!
    if ((kind & 7) !== KIND.string) return false
    const start = this.#spans[field * 2]!
    const end = this.#spans[field * 2 + 1]!
    if ((kind & ESCAPED) === 0) return equals(this.#bytes, start, end - start, what)
    return equals(this.#name, 0, this.#decode(start, end, this.#name, 0, LONGEST_NAME), what)
  }

  /**
   * Writes the characters of a string to `target[at…]` as bytes, at most `room`, and returns how many there are in
   * all; -1: one is above U+00FF.
   */
  #decode(start: number, end: number, target: Uint8Array, at: number, room: number): number {
    const bytes = this.#bytes
    let count = 0
    for (let i = start; i < end; ) {
      let byte = bytes[i++]!
      if (byte === BACKSLASH) {
        const letter = bytes[i++]!
        if (letter === LOWER_U) {
          byte = this.#hex(i)
          if (byte > 0xff) return -1
          i += 4
        } else byte = SHORT_ESCAPES[letter]!
      } else if (byte >= 0x80) {
        // The first byte of a character up to U+00FF is C2 or C3.
        if (byte > 0xc3) return -1
        byte = ((byte & 3) << 6) | (bytes[i++]! & 0x3f)
      }
      if (count < room) target[at + count] = byte
      count++
    }
    return count
  }

  /** The value of the four hexadecimal digits at `i`; negative: they are none. */
  #hex(i: number): number {
    const bytes = this.#bytes
    return (
      HEX[bytes[i]!]! * 0x1000 +
      HEX[bytes[i + 1]!]! * 0x100 +
      HEX[bytes[i + 2]!]! * 0x10 +
      HEX[bytes[i + 3]!]!
    )
  }

  // JSON (RFC 8259). What returns false or `MALFORMED` has set `#fault`, and the text is given up.

  #malformed(): false {
    this.#fault ??= `not JSON at byte ${this.#at}`
    return false
  }

  /** Moves past white space and returns the byte there; 0 at the end. */
  #next(): number {
    const bytes = this.#bytes
    let byte = bytes[this.#at]!
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)
      byte = bytes[++this.#at]!
    return byte
  }

  #enter(depth: number): boolean {
    this.#at++
    if (depth <= LIMITS.webSocketDepth) return true
    this.#fault = `nested deeper than ${LIMITS.webSocketDepth} levels`
    return false
  }

  /** Moves past the object that begins here and notes its fields in `frame`. */
  #object(frame: number, depth: number): boolean {
    if (!this.#enter(depth)) return false
    if (frame !== SKIPPED) this.#kinds.fill(KIND.absent, frame, frame + FIELDS.length)
    let byte = this.#next()
    if (byte === CLOSE_OBJECT) {
      this.#at++
      return true
    }
    for (;;) {
      if (byte !== QUOTE) return this.#malformed()
      const name = this.#string()
      if (name === MALFORMED) return false
      const field = frame === SKIPPED ? -1 : this.#fieldNamed(name)
      if (this.#next() !== COLON) return this.#malformed()
      this.#at++
      if (field < 0) {
        if (this.#skip(depth + 1) === MALFORMED) return false
      } else {
        const kind = this.#field(frame, field, depth + 1)
        if (kind === MALFORMED) return false
        const at = frame + field
        this.#kinds[at] = kind
        this.#spans[at * 2] = this.#start
        this.#spans[at * 2 + 1] = this.#end
      }
      byte = this.#next()
      if (byte === COMMA) {
        this.#at++
        byte = this.#next()
      } else if (byte === CLOSE_OBJECT) {
        this.#at++
        return true
      } else return this.#malformed()
    }
  }

  /** The field with the name that was just read; -1: an unknown one. */
  #fieldNamed(kind: number): number {
    let bytes = this.#bytes
    let start = this.#start
    let length = this.#end - start
    if ((kind & ESCAPED) !== 0) {
      length = this.#decode(start, this.#end, this.#name, 0, LONGEST_NAME)
      bytes = this.#name
      start = 0
    }
    if (length < 3 || length > LONGEST_NAME) return -1
    const field = BY_SHAPE[length * 256 + bytes[start + 2]!]!
    return field >= 0 && equals(bytes, start, length, NAMES[field]!) ? field : -1
  }

  /** Moves past the value of a known field, and looks into those that hold more of them. Returns its kind. */
  #field(frame: number, field: number, depth: number): number {
    const byte = this.#next()
    if (byte === OPEN_OBJECT) {
      if (frame === MESSAGE && field === AT.answer) return this.#objectKind(ANSWER, depth)
      if (frame === ELEMENT && field === AT.offer) return this.#objectKind(OFFER, depth)
    } else if (byte === OPEN_LIST && frame === MESSAGE) {
      if (field === AT.offers) return this.#offerList(depth)
      if (field === AT.info_hash) return this.#hashList(depth)
    }
    return this.#skip(depth)
  }

  #objectKind(frame: number, depth: number): number {
    return this.#object(frame, depth) ? KIND.object : MALFORMED
  }

  #offerList(depth: number): number {
    if (!this.#enter(depth)) return MALFORMED
    this.#forgetOffers()
    for (let i = 0, more = this.#first(); more; i++, more = this.#another()) {
      // Once one is bad the message is refused, or its offers are ignored.
      if (i >= this.#mostOffers || this.#offersFault !== undefined) {
        if (this.#skip(depth + 1) === MALFORMED) return MALFORMED
      } else if (this.#next() === OPEN_OBJECT) {
        if (!this.#object(ELEMENT, depth + 1)) return MALFORMED
        this.#offersFault = this.#keepOffer(i)
      } else if (this.#skip(depth + 1) === MALFORMED) return MALFORMED
      else this.#offersFault = `offers[${i}] is not an object`
    }
    return this.#fault === undefined ? KIND.list : MALFORMED
  }

  #keepOffer(i: number): string | undefined {
    const fault =
      this.#readDescription(ELEMENT + AT.offer, 'offer', OFFER, OFFER_TYPE) ??
      this.#readId(ELEMENT + AT.offer_id, 'offer_id', this.#idBytes, i * INFO_HASH_BYTES)
    if (fault !== undefined) return `offers[${i}].${fault}`
    this.offers = i + 1
    return undefined
  }

  #hashList(depth: number): number {
    if (!this.#enter(depth)) return MALFORMED
    this.count = 0
    this.#hashesFault = undefined
    for (let i = 0, more = this.#first(); more; i++, more = this.#another()) {
      const kind = this.#skip(depth + 1)
      if (kind === MALFORMED) return MALFORMED
      if (this.#hashesFault === undefined && this.count < LIMITS.webSocketScrapeHashes)
        this.#hashesFault = this.#keepHash(kind, i)
    }
    return this.#fault === undefined ? KIND.list : MALFORMED
  }

  #keepHash(kind: number, i: number): string | undefined {
    const name = `info_hash[${i}]`
    if ((kind & 7) !== KIND.string) return `${name} is not a string`
    const at = this.count * INFO_HASH_BYTES
    const fault = this.#decodeId(this.#start, this.#end, name, this.#hashBytes, at)
    if (fault === undefined && !this.#isRepeated()) this.count++
    return fault
  }

  /** Whether the hash behind the others is one of them. */
  #isRepeated(): boolean {
    const { hashes, count } = this
    const last = count * 5
    const first = hashes[last]!
    for (let at = 0; at < last; at += 5)
      if (
        hashes[at] === first &&
        hashes[at + 1] === hashes[last + 1] &&
        hashes[at + 2] === hashes[last + 2] &&
        hashes[at + 3] === hashes[last + 3] &&
        hashes[at + 4] === hashes[last + 4]
      )
        return true
    return false
  }

  /** Whether the list that was just entered has an element; moves past its end if not. */
  #first(): boolean {
    if (this.#next() !== CLOSE_LIST) return true
    this.#at++
    return false
  }

  /** Whether another element follows the one that was read; moves past the comma, or past the end. */
  #another(): boolean {
    const byte = this.#next()
    if (byte !== COMMA && byte !== CLOSE_LIST) return this.#malformed()
    this.#at++
    return byte === COMMA
  }

  /** Moves past any value. Returns its kind. */
  #skip(depth: number): number {
    const byte = this.#next()
    switch (byte) {
      case QUOTE:
        return this.#string()
      case OPEN_OBJECT:
        return this.#objectKind(SKIPPED, depth)
      case OPEN_LIST:
        return this.#list(depth)
      case LOWER_N:
        return this.#literal(NULL, KIND.absent)
      case LOWER_T:
        return this.#literal(TRUE, KIND.boolean)
      case LOWER_F:
        return this.#literal(FALSE, KIND.boolean)
      default:
        return this.#numeral()
    }
  }

  #list(depth: number): number {
    if (!this.#enter(depth)) return MALFORMED
    for (let more = this.#first(); more; more = this.#another())
      if (this.#skip(depth + 1) === MALFORMED) return MALFORMED
    return this.#fault === undefined ? KIND.list : MALFORMED
  }

  #literal(word: Uint8Array, kind: number): number {
    if (!equals(this.#bytes, this.#at, word.length, word)) return this.#noValue()
    this.#at += word.length
    return kind
  }

  #noValue(): number {
    this.#malformed()
    return MALFORMED
  }

  #numeral(): number {
    const bytes = this.#bytes
    this.#start = this.#at
    if (bytes[this.#at] === MINUS) this.#at++
    if (bytes[this.#at] === ZERO) this.#at++
    else if (!this.#digits()) return this.#noValue()
    if (bytes[this.#at] === POINT) {
      this.#at++
      if (!this.#digits()) return this.#noValue()
    }
    if ((bytes[this.#at]! | 0x20) === LOWER_E) {
      this.#at++
      const sign = bytes[this.#at]
      if (sign === PLUS || sign === MINUS) this.#at++
      if (!this.#digits()) return this.#noValue()
    }
    this.#end = this.#at
    return KIND.number
  }

  /** Moves past digits. false: there is none. */
  #digits(): boolean {
    const bytes = this.#bytes
    let at = this.#at
    while (bytes[at]! >= ZERO && bytes[at]! <= NINE) at++
    const found = at > this.#at
    this.#at = at
    return found
  }

  /** Moves past the string that begins here. Returns its kind with its marks. */
  #string(): number {
    const bytes = this.#bytes
    let at = this.#at + 1
    let kind: number = KIND.string
    this.#start = at
    for (;;) {
      while (IS_PLAIN[bytes[at]!] === 1) at++
      const byte = bytes[at++]!
      if (byte >= 0x80) {
        kind |= WIDE
        continue
      }
      if (byte === QUOTE) {
        this.#end = at - 1
        this.#at = at
        return kind
      }
      kind |= ESCAPED
      const letter = bytes[at]!
      if (byte === BACKSLASH && SHORT_ESCAPES[letter] !== 0) {
        at++
        continue
      }
      const code = byte === BACKSLASH && letter === LOWER_U ? this.#hex(at + 1) : -1
      if (code < 0) {
        this.#at = at - 1
        return this.#noValue()
      }
      if (code >= 0xd800 && code <= 0xdfff) kind |= SURROGATE
      at += 5
    }
  }
}

/** By byte, eight bytes: the character U+0000 to U+00FF as JSON in ASCII, and at the last place its length. */
const ESCAPES = new Uint8Array(256 * 8)
for (let byte = 0; byte < 256; byte++) {
  const text =
    byte < 0x7f
      ? JSON.stringify(String.fromCharCode(byte)).slice(1, -1)
      : `\\u00${byte.toString(16)}`
  ESCAPES.set(ascii(text), byte * 8)
  ESCAPES[byte * 8 + 7] = text.length
}
const LONGEST_ESCAPE = 6
const escaped = Buffer.alloc(INFO_HASH_BYTES * LONGEST_ESCAPE)

/**
 * The 20 bytes at `words[at…]` as JSON text without the quotes. All that is written here is ASCII: wider characters
 * cost the runtime a conversion for each message.
 */
export function escapeId(words: Int32Array, at: number): string {
  let length = 0
  for (let i = 0; i < INFO_HASH_BYTES; i++) {
    const from = ((words[at + (i >> 2)]! >>> ((i & 3) * 8)) & 0xff) * 8
    const end = from + ESCAPES[from + 7]!
    for (let j = from; j < end; j++) escaped[length++] = ESCAPES[j]!
  }
  return escaped.toString('latin1', 0, length)
}

/**
 * The answer to an announce. Here and below, ids are as `escapeId` returns them, and `interval` is in seconds.
 * `warning`: for people, in ASCII without quotes; undefined: none.
 */
export const writeAnnounced = (
  infoHash: string,
  interval: number,
  seeders: number,
  leechers: number,
  downloaded: number,
  warning?: string,
): string =>
  `{"action":"announce","interval":${interval},"info_hash":"${infoHash}","complete":${seeders},"incomplete":${leechers},"downloaded":${downloaded}${warning === undefined ? '' : `,"warning message":"${warning}"`}}`

/** An offer for another peer; `peerId` is who made it, `sdp` the JSON text of a string with its quotes. */
export const writeOffer = (
  infoHash: string,
  peerId: string,
  offerId: string,
  sdp: string,
): string =>
  `{"action":"announce","offer":{"type":"offer","sdp":${sdp}},"offer_id":"${offerId}","peer_id":"${peerId}","info_hash":"${infoHash}"}`

/** The answer to an offer, for the peer who made that; `peerId` is who answers. */
export const writeAnswer = (
  infoHash: string,
  peerId: string,
  offerId: string,
  sdp: string,
): string =>
  `{"action":"announce","answer":{"type":"answer","sdp":${sdp}},"offer_id":"${offerId}","peer_id":"${peerId}","info_hash":"${infoHash}"}`

/** The answer to a scrape, with the counts of each info hash. */
export function writeScraped(
  entries: readonly { readonly hash: string; readonly entry: ScrapeEntry }[],
  interval: number,
): string {
  const files = entries.map(
    ({ hash, entry: { seeders, leechers, downloaded } }) =>
      `"${hash}":{"complete":${seeders},"incomplete":${leechers},"downloaded":${downloaded}}`,
  )
  return `{"action":"scrape","files":{${files.join(',')}},"flags":{"min_request_interval":${interval}}}`
}

/**
 * Why a message is refused. It names the action, and the info hash where it is known: clients share connections, and
 * the reference closes its connection when there is no action.
 */
export function writeFailure(
  reason: string,
  action: 'announce' | 'scrape',
  infoHash?: string,
): string {
  const text = JSON.stringify(reason.toWellFormed()).replaceAll(
    /[^\0-~]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  const about = infoHash === undefined ? '' : `,"info_hash":"${infoHash}"`
  return `{"action":"${action}","failure reason":${text}${about}}`
}
