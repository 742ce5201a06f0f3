/**
 * Writes the answers of an HTTP tracker (BEP 3, 7, 23, 48; docs/behaviours.md H7, H8, H15, H16) into memory
 * that it keeps. Every method returns a view that the next call overwrites.
 */
import { Answer, endpointBytes, type Family, PeerList, type ScrapeEntry } from '../bittorrent.ts'
import { printIp } from './address.ts'
import { BencodeWriter } from './bencode.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Peers of one family with their ids, and the same memory as bytes. */
class Peers {
  readonly family: Family
  readonly list: PeerList
  readonly ids: Int32Array
  readonly endpoints: Uint8Array
  readonly idBytes: Uint8Array
  /** Bytes of one endpoint. */
  readonly stride: number
  /** Views of the first n endpoints by n: making one costs more than copying it. */
  readonly #views: (Uint8Array | undefined)[] = []

  constructor(family: Family, most: number) {
    this.family = family
    this.stride = endpointBytes(family)
    const halves = new Uint16Array((most * this.stride) / 2)
    this.ids = new Int32Array(most * 5)
    this.list = new PeerList(family, halves)
    this.endpoints = new Uint8Array(halves.buffer)
    this.idBytes = new Uint8Array(this.ids.buffer)
  }

  /** The endpoints of the list in their compact form. */
  compact(): Uint8Array {
    const { count } = this.list
    let view = this.#views[count]
    if (view === undefined) {
      view = this.endpoints.subarray(0, count * this.stride)
      this.#views[count] = view
    }
    return view
  }
}

/** Writes the answers of one server, with at most `maxPeers` peers each. */
export class HttpAnswers {
  readonly #out = new BencodeWriter()
  /** IPv4 first, as they stand in a compact answer. */
  readonly #peers: readonly [Peers, Peers]
  /** By family of the asker, whose peers come first. */
  readonly #answers: Readonly<Record<Family, Answer>>
  #answer: Answer
  readonly #policy: string

  constructor(policy: { interval: number; intervalMin: number; maxPeers: number }) {
    const peers4 = new Peers(4, policy.maxPeers)
    const peers6 = new Peers(6, policy.maxPeers)
    this.#peers = [peers4, peers6]
    this.#answers = {
      4: new Answer([peers4.list, peers6.list]),
      6: new Answer([peers6.list, peers4.list]),
    }
    for (const family of [4, 6] as const) this.#answers[family].room = policy.maxPeers
    this.#answer = this.#answers[4]
    this.#policy = `8:intervali${policy.interval}e12:min intervali${policy.intervalMin}e5:peers`
  }

  /** The answer to fill for a client of `family`, with room for peer ids only if they will be written. */
  prepare(family: Family, compact: boolean): Answer {
    for (const { list, ids } of this.#peers) list.ids = compact ? undefined : ids
    this.#answer = this.#answers[family]
    return this.#answer
  }

  #begin(): BencodeWriter {
    const { seeders, leechers } = this.#answer
    return this.#out
      .begin()
      .raw('d8:complete')
      .integer(seeders)
      .raw('10:incomplete')
      .integer(leechers)
      .raw(this.#policy)
  }

  /** The filled answer in compact form; both lists are always present. `warning`: for people; undefined: none. */
  compact(warning?: string): Bytes {
    const [peers4, peers6] = this.#peers
    const out = this.#begin().string(peers4.compact()).raw('6:peers6').string(peers6.compact())
    return this.#end(out, warning)
  }

  /** The filled answer as dictionaries, peers of the client's own family first. */
  dictionaries(warning?: string): Bytes {
    const [peers4, peers6] = this.#peers
    const isOver6 = this.#answer === this.#answers[6]
    const out = this.#begin().raw('l')
    this.#list(out, isOver6 ? peers6 : peers4)
    this.#list(out, isOver6 ? peers4 : peers6)
    return this.#end(out.raw('e'), warning)
  }

  #end(out: BencodeWriter, warning: string | undefined): Bytes {
    if (warning !== undefined) out.raw('15:warning message').text(warning)
    return out.raw('e').bytes()
  }

  #list(out: BencodeWriter, { endpoints, family, idBytes, list, stride }: Peers): void {
    for (let i = 0; i < list.count; i++) {
      const at = i * stride
      const port = at + stride - 2
      out
        .raw('d2:ip')
        .text(printIp(endpoints, family, at))
        .raw('7:peer id')
        .string(idBytes, i * 20, i * 20 + 20)
        .raw('4:port')
        .integer((endpoints[port]! << 8) | endpoints[port + 1]!)
        .raw('e')
    }
  }

  beginScrape(): void {
    this.#out.begin().raw('d5:filesd')
  }

  /** One torrent of a scrape. The caller passes distinct hashes in bytewise order. */
  scraped(hashes: Uint8Array, at: number, entry: ScrapeEntry): void {
    this.#out
      .string(hashes, at, at + 20)
      .raw('d8:complete')
      .integer(entry.seeders)
      .raw('10:downloaded')
      .integer(entry.downloaded)
      .raw('10:incomplete')
      .integer(entry.leechers)
      .raw('e')
  }

  endScrape(): Bytes {
    return this.#out.raw('ee').bytes()
  }

  failure(reason: string): Bytes {
    return this.#out.begin().raw('d14:failure reason').text(reason).raw('e').bytes()
  }
}
