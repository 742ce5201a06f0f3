/** Requests of a UDP load test, written into memory that is lent. Allocates nothing. */

import { type AnnounceEvent, EVENT, INFO_HASH_BYTES, PEER_ID_BYTES } from '../bittorrent.ts'
import { urlData } from '../client/tracker-url.ts'
import { ACTION } from '../wire/udp.ts'
import {
  type Connection,
  REQUEST,
  urlDataBytes,
  writeAnnounceRequest,
  writeConnectRequest,
  writeScrapeRequest,
  writeUrlData,
} from '../wire/udp-client.ts'
import { CLIENT, LEFT, type Population } from './population.ts'

export class UdpRequests {
  /** Bytes of a request, by kind. */
  readonly lengths: readonly number[]
  readonly #population: Population
  readonly #path: string
  readonly #fields = {
    infoHash: new Uint8Array(INFO_HASH_BYTES),
    peerId: new Uint8Array(PEER_ID_BYTES),
    downloaded: 0,
    left: 0,
    uploaded: 0,
    event: EVENT.none as AnnounceEvent,
    key: 0,
    want: 0,
    port: 0,
  }
  readonly #scraped = [this.#fields.infoHash]

  /** `path` of the announce URL; `want` peers are asked for. */
  constructor(population: Population, path: string, want: number) {
    this.#population = population
    this.#path = urlData(path)
    const announce = REQUEST.announce + urlDataBytes(this.#path)
    this.lengths = [REQUEST.connect, announce, REQUEST.header + INFO_HASH_BYTES]
    this.#fields.want = want
    this.#fields.peerId.set(Buffer.from(CLIENT))
  }

  /** What all announces written at `at` have in common. */
  prepare(out: Uint8Array, at: number): void {
    writeUrlData(out, at + REQUEST.announce, this.#path)
  }

  connect(out: Uint8Array, at: number, transaction: number): void {
    writeConnectRequest(out, at, transaction)
  }

  /** An announce of `peer`, or a scrape of its torrent. */
  ask(
    kind: number,
    peer: number,
    out: Uint8Array,
    at: number,
    connection: Connection,
    transaction: number,
  ): void {
    const population = this.#population
    const fields = this.#fields
    population.copyInfoHash(peer, fields.infoHash)
    if (kind === ACTION.scrape) {
      writeScrapeRequest(out, at, connection, transaction, this.#scraped)
      return
    }
    population.writeNumber(peer, fields.peerId, PEER_ID_BYTES)
    fields.left = population.isSeeder(peer) ? 0 : LEFT
    fields.event = population.isKnown ? EVENT.none : EVENT.started
    fields.port = population.portOf(peer)
    fields.key = peer
    writeAnnounceRequest(out, at, connection, transaction, fields)
  }
}
