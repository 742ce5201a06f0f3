/**
 * Honest WebTorrent clients, as browsers are: each has one socket, answers every offer that it is sent, and connects
 * again when it is cut off. What they are sent must be what the strictest client accepts.
 */
import { connect, type Socket } from 'node:net'
import { PATIENCE_MILLISECONDS } from '../until.ts'
import { frame, framesOf, handshake, OPCODE, text } from '../webtorrent/frames.ts'
import { acceptedByLibtorrent } from '../webtorrent/libtorrent-check.ts'
import type { Question } from './honest.ts'

/** Times that a client that was cut off connects again, or asks for counts that are not settled yet. */
const ATTEMPTS = 5
const REST_MILLISECONDS = 200
/** Time for an offer to get to the other peer, or to be dropped. */
const UNDER_WAY_MILLISECONDS = 500
const SEPARATOR = '\r\n\r\n'

type Told = {
  readonly action?: string
  readonly 'failure reason'?: string
  readonly complete?: number
  readonly incomplete?: number
  readonly offer?: object
  readonly answer?: { readonly sdp: string }
  readonly offer_id?: string
  readonly peer_id?: string
  readonly info_hash?: string
}

/** The connection ended; a browser opens another one. */
class CutOff extends Error {}

export class WebPeer {
  readonly infoHash: string
  readonly peerId: string
  /** Offers that came from others, by their id. */
  readonly arrived = new Set<string>()
  /** How often it had to connect. */
  connections = 0
  readonly #left: number
  readonly #port: number
  readonly #ip: string
  #socket: Socket | undefined
  #announced: PromiseWithResolvers<Told> | undefined
  readonly #answers = new Map<string, PromiseWithResolvers<string>>()
  #fault: Error | undefined

  constructor(
    [ip, port]: readonly [ip: string, port: number],
    infoHash: string,
    peerId: string,
    left: number,
  ) {
    this.#ip = ip
    this.#port = port
    this.infoHash = infoHash
    this.peerId = peerId
    this.#left = left
  }

  stop(): void {
    this.#socket?.destroy()
  }

  /** Announces, on a new connection if need be, with these offers. Rejects with `CutOff` if the connection ends. */
  async announce(...offerIds: readonly string[]): Promise<Told> {
    this.#socket ??= await this.#open()
    for (const id of offerIds) this.#answers.set(id, promised())
    this.#announced = promised()
    const offers = offerIds.map((offer_id) => ({
      offer: { type: 'offer', sdp: `offer ${offer_id}` },
      offer_id,
    }))
    this.#send({ left: this.#left, offers })
    const told = await inTime(this.#announced.promise, 'an answer to an announce')
    if (told['failure reason'] !== undefined) throw new Error(told['failure reason'])
    return told
  }

  /** The answer to an offer. */
  async answered(offerId: string): Promise<string> {
    return await inTime(this.#answers.get(offerId)!.promise, 'an answer to an offer that arrived')
  }

  /** Not waited for any more. */
  forget(offerId: string): void {
    this.#answers.delete(offerId)
  }

  #send(message: object): void {
    const ids = { action: 'announce', info_hash: this.infoHash, peer_id: this.peerId }
    this.#socket?.write(text(JSON.stringify({ ...ids, ...message })))
  }

  async #open(): Promise<Socket> {
    this.connections++
    const socket = connect({ host: '127.0.0.1', port: this.#port, localAddress: this.#ip })
    const opened = promised<Socket>()
    let unread: Buffer = Buffer.alloc(0)
    let isOpen = false
    socket.on('data', (bytes) => {
      unread = Buffer.concat([unread, Buffer.from(bytes)])
      if (!isOpen) {
        const end = unread.indexOf(SEPARATOR)
        if (end < 0) return
        const head = unread.toString('latin1', 0, end)
        if (!head.startsWith('HTTP/1.1 101')) {
          socket.destroy(new CutOff(head.slice(0, head.indexOf('\r\n'))))
          return
        }
        isOpen = true
        unread = unread.subarray(end + SEPARATOR.length)
        opened.resolve(socket)
      }
      unread = this.#read(unread)
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      const error = this.#fault ?? new CutOff('the connection ended')
      this.#socket = undefined
      opened.reject(error)
      this.#announced?.reject(error)
      for (const waiting of this.#answers.values()) waiting.reject(error)
      this.#answers.clear()
    })
    socket.write(handshake())
    return await inTime(opened.promise, 'a handshake')
  }

  /** Hears whole frames. Returns the rest. */
  #read(bytes: Buffer): Buffer {
    const { frames, rest } = framesOf(bytes)
    for (const { opcode, payload } of frames) {
      if (opcode === OPCODE.ping) this.#socket?.write(frame(OPCODE.pong, payload))
      else if (opcode === OPCODE.close) this.#socket?.end(frame(OPCODE.close, payload))
      else this.#hear(payload.toString())
    }
    return rest
  }

  #hear(told: string): void {
    const message: Told = JSON.parse(told)
    const { offer, answer, offer_id = '', peer_id, info_hash } = message
    const wrong = 'failure reason' in message ? undefined : acceptedByLibtorrent(told)
    if (wrong !== undefined) this.#fault = new Error(`it was sent ${told}: ${wrong}`)
    if (info_hash !== this.infoHash) this.#fault = new Error(`it was sent ${told}`)
    if (this.#fault !== undefined) this.#socket?.destroy()
    else if (offer !== undefined) {
      this.arrived.add(offer_id)
      const sdp = `answer ${offer_id}`
      this.#send({ to_peer_id: peer_id, offer_id, answer: { type: 'answer', sdp } })
    } else if (answer !== undefined) this.#answers.get(offer_id)?.resolve(answer.sdp)
    else this.#announced?.resolve(message)
  }
}

/** It need not be waited for. */
function promised<T>(): PromiseWithResolvers<T> {
  const all = Promise.withResolvers<T>()
  all.promise.catch(() => undefined)
  return all
}

async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = promised<never>()
  const timer = setTimeout(
    () => late.reject(new Error(`waited for ${what}`)),
    PATIENCE_MILLISECONDS,
  )
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Runs it again if a client was cut off. */
const persistent =
  (question: Question): Question =>
  async () => {
    for (let attempt = 1; ; attempt++)
      try {
        return await question()
      } catch (error) {
        if (!(error instanceof CutOff) || attempt === ATTEMPTS) throw error
        await Bun.sleep(REST_MILLISECONDS)
      }
  }

let offers = 0
const offerId = () => `honest ${++offers}`.padEnd(20, '.')

/**
 * A seeder and a leecher alone in a torrent, which strangers may only talk about: the tracker counts these two, and
 * every offer of one reaches the other, whose answer comes back.
 */
export const quietPair = (seeder: WebPeer, leecher: WebPeer): Question =>
  persistent(async () => {
    await seeder.announce()
    for (let attempt = 1; ; attempt++) {
      const { complete, incomplete } = await leecher.announce()
      if (complete === 1 && incomplete === 1) break
      // A socket that was cut off may not have left the torrent yet.
      if (attempt === ATTEMPTS) throw new Error(`it counts ${complete} and ${incomplete}`)
      await Bun.sleep(REST_MILLISECONDS)
    }
    for (const peer of [seeder, leecher]) {
      const id = offerId()
      await peer.announce(id)
      const sdp = await peer.answered(id)
      if (sdp !== `answer ${id}`) throw new Error(`an offer was answered with ${sdp}`)
      peer.forget(id)
    }
  })

/**
 * A seeder and a leecher in a torrent that strangers have joined. These are peers like any other: they may be given
 * the offers of the pair, and their own offers may take the place of one in what a peer is sent in a second. So it
 * is promised that the pair is counted, and that whatever offer arrives is answered. `lost` is told of others.
 */
export const crowdedPair = (seeder: WebPeer, leecher: WebPeer, lost: () => void): Question =>
  persistent(async () => {
    await seeder.announce()
    for (const [peer, other] of [
      [leecher, seeder],
      [seeder, leecher],
    ] as const) {
      const ids = Array.from({ length: 10 }, offerId)
      const { complete = 0, incomplete = 0 } = await peer.announce(...ids)
      if (complete < 1 || incomplete < 1) throw new Error(`it counts ${complete} and ${incomplete}`)
      await Bun.sleep(UNDER_WAY_MILLISECONDS)
      const reached = ids.filter((id) => other.arrived.has(id))
      if (reached.length === 0) lost()
      for (const id of reached) await peer.answered(id)
      for (const id of ids) peer.forget(id)
      other.arrived.clear()
    }
  })
