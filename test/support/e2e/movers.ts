/** Clients that move bytes and report them over UDP (BEP 41) and HTTP, and what they reported. */
import { announceQuery, get, percent } from '../http-client.ts'
import { EVENT, udpPeer, urlData } from '../udp-client.ts'

const EVENTS = ['', 'completed', 'started', 'stopped']

/** Where a tracker is. */
export type Where = { readonly udpPort: number; readonly http: string }

export class Mover {
  /** undefined: it has none. */
  readonly key: string | undefined
  readonly infoHash: Uint8Array
  #peerId: Uint8Array
  readonly #isUdp: boolean
  uploaded = 0
  downloaded = 0
  left: number

  constructor(key: string | undefined, infoHash: Uint8Array, number: number, left = 0) {
    this.key = key
    this.infoHash = infoHash
    this.#peerId = peerIdOf(number)
    this.#isUdp = number % 2 === 0
    this.left = left
  }

  /** Begins again, as another client: its counters are those of a new session. */
  restart(number: number): void {
    this.#peerId = peerIdOf(number)
    this.uploaded = 0
    this.downloaded = 0
  }

  /** Rejects when the tracker refuses the announce, or is not there. */
  async announce(where: Where, event: number = EVENT.none): Promise<void> {
    const { infoHash, uploaded, downloaded, left, key } = this
    const path = key === undefined ? '/announce' : `/announce/${key}`
    if (this.#isUdp) {
      using peer = await udpPeer(where.udpPort)
      const counts = { uploaded, downloaded, left, event, peerId: this.#peerId }
      return void (await peer.announce(infoHash, {
        ...counts,
        options: urlData(path),
      }))
    }
    const query = announceQuery({
      info_hash: percent(infoHash),
      peer_id: percent(this.#peerId),
      uploaded,
      downloaded,
      left,
      event: EVENTS[event] || undefined,
      compact: 1,
    })
    const { status, failure } = await get(where.http, `${path}?${query}`)
    if (status !== 200 || failure !== undefined) throw new Error(`${status} ${failure}`)
  }
}

const peerIdOf = (number: number): Uint8Array =>
  Buffer.from(`-XX0001-${String(number).padStart(12, '0')}`)
