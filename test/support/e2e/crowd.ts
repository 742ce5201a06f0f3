/**
 * Peers that join some torrents and complete them, one after the other, over UDP, and the counts that a tracker must
 * store for them. A peer that is refused or not answered is an error.
 */
import { EVENT, type UdpPeer, udpPeer, urlData } from '../udp-client.ts'

/** Some hundreds of completions a second, so that the machine can do other work. */
const ROUND = 10
const REST_MILLISECONDS = 10
const FIRST_PORT = 1_024
const PORTS = 60_000

export class Crowd implements Disposable {
  /** Indices of the torrents whose completions the tracker answered, in order. */
  readonly completions: number[] = []
  /** Completions of each torrent that were sent, answered or not. */
  readonly sent: number[]
  readonly #hashes: readonly Uint8Array[]
  readonly #options: readonly number[]
  readonly #port: number
  readonly #peer: UdpPeer
  #isOver = false
  #running: Promise<void> = Promise.resolve()

  private constructor(
    port: number,
    peer: UdpPeer,
    hashes: readonly Uint8Array[],
    options: readonly number[],
  ) {
    this.#port = port
    this.#peer = peer
    this.#hashes = hashes
    this.#options = options
    this.sent = hashes.map(() => 0)
  }

  /** `key`: the auth key, for a private tracker. */
  static async at(port: number, hashes: readonly Uint8Array[], key?: string): Promise<Crowd> {
    return new Crowd(port, await udpPeer(port), hashes, optionsOf(key))
  }

  /** Peers come from now on until `stop`, after which they may come again. */
  start(): void {
    this.#isOver = false
    this.#running = this.#go(() => !this.#isOver)
    // `stop` reports the failure.
    this.#running.catch(() => undefined)
  }

  /** Rejects when a peer was refused, or was not answered. */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#running
  }

  /** `count` more completions. */
  async complete(count: number): Promise<void> {
    const end = this.completions.length + count
    await this.#go(() => this.completions.length < end)
  }

  /** Completions of each torrent that were answered so far. */
  answered(): number[] {
    const counts = this.#hashes.map(() => 0)
    for (const torrent of this.completions) counts[torrent]!++
    return counts
  }

  /** The outcome of an announce with that key: 'served', or the refusal. */
  async outcome(infoHash: Uint8Array, key?: string): Promise<string> {
    const options = key === undefined ? this.#options : optionsOf(key)
    // On another socket, because the crowd goes on.
    using peer = await udpPeer(this.#port)
    return await peer.announce(infoHash, { left: 1, options }).then(
      () => 'served',
      (error: Error) => error.message,
    )
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#peer[Symbol.dispose]()
  }

  async #go(wants: () => boolean): Promise<void> {
    while (wants()) {
      for (let i = 0; i < ROUND && wants(); i++) await this.#one()
      await Bun.sleep(REST_MILLISECONDS)
    }
  }

  async #one(): Promise<void> {
    const number = this.completions.length
    const torrent = number % this.#hashes.length
    const port = FIRST_PORT + (number % PORTS)
    await this.#announce(torrent, { port, left: 1, event: EVENT.started })
    this.sent[torrent]!++
    await this.#announce(torrent, { port, left: 0, event: EVENT.completed })
    this.completions.push(torrent)
  }

  async #announce(torrent: number, what: { port: number; left: number; event: number }) {
    await this.#peer.announce(this.#hashes[torrent]!, { ...what, options: this.#options, want: 1 })
  }
}

const optionsOf = (key?: string): number[] => (key === undefined ? [] : urlData(`/announce/${key}`))
