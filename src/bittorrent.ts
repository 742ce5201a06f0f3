/**
 * The values that every room shares: what a client asks and how it is answered, whatever the protocol. This file
 * imports nothing and decides nothing.
 */

/** Bytes of an info hash and of a peer id (BEP 3). */
export const INFO_HASH_BYTES = 20
export const PEER_ID_BYTES = 20

/** IP version of an address. An IPv4-mapped IPv6 address is IPv4 everywhere in this program. */
export type Family = 4 | 6

/**
 * What kind of endpoint a peer has: an address of this IP version; any other number is a family of the swarm
 * whose endpoints are not addresses.
 */
export type PeerFamily = number

/**
 * Family of WebTorrent peers, which are reached through a WebSocket of this process. Their endpoint is a seat, see
 * `SeatAnnounce`.
 */
export const WEB = 1

/** Bytes of an endpoint: address, then port, both big endian (the compact forms of BEP 23 and 7). */
export const endpointBytes = (family: Family): number => (family === 4 ? 6 : 18)

/** An IP address, 4 or 16 bytes big endian. A reader owns one and fills it again and again. */
export class Address {
  family: Family = 4
  /** The bytes as words in memory order: one (IPv4) or four count, the rest is stale. */
  readonly words: Int32Array = new Int32Array(4)
  readonly bytes: Uint8Array = new Uint8Array(this.words.buffer)
}

/** Whether `bytes` begin with 127.0.0.0/8 or ::1. */
export function isLoopback(bytes: Uint8Array, family: Family): boolean {
  if (family === 4) return bytes[0] === 127
  for (let i = 0; i < 15; i++) if (bytes[i] !== 0) return false
  return bytes[15] === 1
}

/** Announce events, numbered as on the wire of BEP 15. */
export const EVENT = { none: 0, completed: 1, started: 2, stopped: 3 } as const
export type AnnounceEvent = (typeof EVENT)[keyof typeof EVENT]

/** Where each 64-bit counter of an announce begins in `Announce.counts`: high word, then low word. */
export const COUNT = { uploaded: 0, downloaded: 2, left: 4 } as const

/** `Announce.want` of a client that leaves the number of peers to the tracker. */
export const WANT_DEFAULT = -1

/**
 * One announce as the reader of every transport states it. A reader owns one and fills it again and again:
 * what receives it must be done with it before the next datagram or request is read.
 */
export class Announce {
  /** Info hash (words 0–4), peer id (5–9), endpoint (10–14), in memory order. */
  readonly words: Int32Array = new Int32Array(15)
  readonly infoHash: Uint8Array = new Uint8Array(this.words.buffer, 0, INFO_HASH_BYTES)
  readonly peerId: Uint8Array = new Uint8Array(this.words.buffer, 20, PEER_ID_BYTES)
  /** Address and port; the first `endpointBytes(family)` bytes count, the rest is stale. */
  readonly endpoint: Uint8Array = new Uint8Array(this.words.buffer, 40, 18)
  /** The same bytes as `endpoint`, two at a time in memory order. */
  readonly endpointHalves: Uint16Array = new Uint16Array(this.words.buffer, 40, 9)
  /** Uploaded, downloaded and left in bytes, each as two words; see `COUNT`. */
  readonly counts: Int32Array = new Int32Array(6)
  family: Family = 4
  event: AnnounceEvent = EVENT.none
  /** Peers wanted: 0 = none, `WANT_DEFAULT` = as many as the tracker gives. */
  want: number = WANT_DEFAULT

  /** The port inside `endpoint`; `family` must be set before. */
  get port(): number {
    const at = this.family === 4 ? 4 : 16
    return (this.endpoint[at]! << 8) | this.endpoint[at + 1]!
  }
  set port(port: number) {
    const at = this.family === 4 ? 4 : 16
    this.endpoint[at] = port >> 8
    this.endpoint[at + 1] = port
  }

  /** Makes `address` that of the endpoint, whose port is to be set afterwards. */
  place(address: Address): void {
    const { words } = address
    this.family = address.family
    this.words[10] = words[0]!
    if (address.family === 4) return
    this.words[11] = words[1]!
    this.words[12] = words[2]!
    this.words[13] = words[3]!
  }
}

/** Where the parts of a seat's endpoint begin, in halves (two bytes). */
export const SEAT = {
  /** Address of the client as 16 bytes big endian, IPv4 mapped (RFC 4291), and its port, big endian. */
  address: 0,
  port: 8,
  /** Number of the thread that holds its socket, and of the seat among those of this thread, high half first. */
  thread: 9,
  seat: 10,
  halves: 12,
} as const

/**
 * One announce of a WebTorrent peer, as its reader states it. A seat is one peer id on one socket: the address in
 * the endpoint is for people to see, thread and seat are for messages to find it.
 */
export class SeatAnnounce {
  /** Info hash (words 0–4), peer id (5–9), in memory order. */
  readonly words: Int32Array = new Int32Array(10)
  readonly infoHash: Uint8Array = new Uint8Array(this.words.buffer, 0, INFO_HASH_BYTES)
  readonly peerId: Uint8Array = new Uint8Array(this.words.buffer, 20, PEER_ID_BYTES)
  /** See `SEAT`. */
  readonly endpointHalves: Uint16Array = new Uint16Array(SEAT.halves)
  /** See `Announce.counts`. */
  readonly counts: Int32Array = new Int32Array(6)
  readonly family = WEB
  event: AnnounceEvent = EVENT.none
  /** See `Announce.want`. */
  want: number = WANT_DEFAULT
}

/**
 * Peers of one family as compact endpoints, written into memory that the transport lends: `count` endpoints
 * stand at `halves[at…]`, three halves (IPv4), nine (IPv6) or `SEAT.halves` (WebTorrent) each.
 */
export class PeerList {
  readonly family: PeerFamily
  halves: Uint16Array
  /** Index in `halves` of the first endpoint. */
  at = 0
  count = 0
  /** Room for the peer ids in the same order, five words each; absent = not wanted. */
  ids: Int32Array | undefined

  constructor(family: PeerFamily, halves: Uint16Array, ids?: Int32Array) {
    this.family = family
    this.halves = halves
    this.ids = ids
  }
}

/** Limits of an account. An announce over one is answered without peers; `noDownload`: the account may not leech. */
export const LIMITED = ['slots', 'clients', 'noDownload'] as const
export type Limit = (typeof LIMITED)[number]

/** The answer to an announce. Owned by one transport and filled again for every announce. */
export class Answer {
  /** Peers of the swarm after this announce, of all families. */
  seeders = 0
  leechers = 0
  /** Times the torrent was completed. */
  downloaded = 0
  /** The limit that kept the peer out of the swarm. */
  limit: Limit | undefined
  /** Filled in this order while more peers are wanted. Families without a list are only counted. */
  readonly lists: readonly PeerList[]
  /** Most peers that the lent memory holds: no rule makes the tracker write more. Set by the transport. */
  room = 0x7fff_ffff

  constructor(lists: readonly PeerList[]) {
    this.lists = lists
  }
}

/** What is known of the announces of a batch before they are read. One is filled again for every batch. */
export class Expected {
  /** By announce: its info hash, five words in memory order. */
  readonly hashes: Int32Array
  /** By announce `halves` of these: the endpoint in compact form, and at `family` its family. */
  readonly peers: Uint16Array
  /** By announce: what may be its auth key, eight words in memory order. */
  readonly keys: Int32Array
  count = 0
  static readonly family = 9
  static readonly halves = 10

  constructor(most: number) {
    this.hashes = new Int32Array(most * 5)
    this.peers = new Uint16Array(most * Expected.halves)
    this.keys = new Int32Array(most * (KEY_CHARACTERS / 4))
  }

  /** Adds the peer whose info hash and key the caller has written; `port`: its two bytes in memory order. */
  add({ family, words }: Address, port: number): void {
    const { peers } = this
    let at = this.count++ * Expected.halves
    peers[at + Expected.family] = family
    for (let word = 0; word < (family === 4 ? 1 : 4); word++) {
      peers[at++] = words[word]!
      peers[at++] = words[word]! >>> 16
    }
    peers[at] = port
  }
}

/** The answer of a scrape for one info hash. */
export type ScrapeEntry = { seeders: number; downloaded: number; leechers: number }

const INFO_HASH_HEX = /^[0-9a-f]{40}$/i

/** The 20 bytes that 40 hexadecimal digits of either case stand for; undefined: the text is not an info hash. */
export const parseInfoHash = (text: string): Uint8Array<ArrayBuffer> | undefined =>
  INFO_HASH_HEX.test(text) ? Uint8Array.fromHex(text) : undefined

/** Characters of an auth key: letters and digits (docs/behaviours.md K1). */
export const KEY_CHARACTERS = 32

/** By code. A table, because the processor guesses comparisons of random characters wrong. */
const IS_KEY_CHARACTER = Uint8Array.from({ length: 128 }, (_, code) =>
  /[0-9A-Za-z]/.test(String.fromCharCode(code)) ? 1 : 0,
)
export const isKeyCharacter = (code: number): boolean => code < 128 && IS_KEY_CHARACTER[code] === 1

/** Whether `text` has the syntax of an auth key: 32 letters and digits. */
export const isAuthKey = (text: string): boolean => AUTH_KEY.test(text)
const AUTH_KEY = new RegExp(`^[0-9A-Za-z]{${KEY_CHARACTERS}}$`)

/** What a request shows where an auth key is expected. */
export type ShownKey = 'none' | 'malformed' | 'key'

/** An auth key of a private tracker, packed. Owned by one reader and filled again and again. */
export class Key {
  /** The characters, four a word in memory order. */
  readonly words: Int32Array = new Int32Array(KEY_CHARACTERS / 4)
  readonly bytes: Uint8Array = new Uint8Array(this.words.buffer)

  /** Takes the auth key `text`; false: it is not one, and neither is what stands here now. */
  read(text: string): boolean {
    if (text.length !== KEY_CHARACTERS) return false
    for (let i = 0; i < KEY_CHARACTERS; i++) {
      const code = text.charCodeAt(i)
      if (!isKeyCharacter(code)) return false
      this.bytes[i] = code
    }
    return true
  }
}
