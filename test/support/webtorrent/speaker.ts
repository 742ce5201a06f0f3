/**
 * A WebSocket of a test, which speaks to a tracker message by message. Whatever it is sent must be text that the
 * strictest clients accept.
 */
import { expect } from 'bun:test'
import { PATIENCE_MILLISECONDS } from '../until.ts'
import { acceptedByLibtorrent } from './libtorrent-check.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into what a tracker sent.
export type Message = Record<string, any>

export class Speaker implements Disposable {
  readonly #socket: WebSocket
  readonly #unread: Message[] = []
  #wake: (() => void) | undefined
  #fences = 0
  /** Code and reason of the end. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => resolve({ code, reason })
    })
    socket.onmessage = ({ data }) => {
      expect(typeof data).toBe('string')
      const message = JSON.parse(data)
      const isRelayed = 'offer' in message || 'answer' in message
      if (isRelayed || 'interval' in message) expect(acceptedByLibtorrent(data)).toBeUndefined()
      this.#unread.push(message)
      this.#wake?.()
    }
  }

  /** Rejects with what Bun says of a refused upgrade. */
  static open(url: string, options: Bun.WebSocketOptions = {}): Promise<Speaker> {
    const socket = new WebSocket(url, options)
    const speaker = new Speaker(socket)
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(speaker)
      socket.onerror = (event) => reject(new Error((event as ErrorEvent).message))
    })
  }

  send(message: Message | string): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }
  sendBytes(bytes: Uint8Array<ArrayBuffer>): void {
    this.#socket.send(bytes)
  }

  /** The next message. */
  async next(): Promise<Message> {
    while (this.#unread.length === 0) await this.#arrival()
    return this.#unread.shift()!
  }

  async ask(message: Message | string): Promise<Message> {
    this.send(message)
    return await this.next()
  }

  /** All that came, or comes before the answer to a question that is asked now. */
  async rest(): Promise<Message[]> {
    const hash = `fence${String(++this.#fences).padStart(15, '.')}`
    this.send({ action: 'scrape', info_hash: hash })
    const isFence = ({ files }: Message) => files !== undefined && hash in files
    while (!this.#unread.some(isFence)) await this.#arrival()
    return this.#unread.splice(0).filter((message) => !isFence(message))
  }

  close(code = 1000): void {
    this.#socket.close(code)
  }
  terminate(): void {
    this.#socket.terminate()
  }
  [Symbol.dispose](): void {
    this.#socket.terminate()
  }

  async #arrival(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#wake = resolve
    void this.closed.then(({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`)))
    const timer = setTimeout(() => reject(new Error('no message')), PATIENCE_MILLISECONDS)
    try {
      await promise
    } finally {
      clearTimeout(timer)
    }
  }
}

/** 20 characters that begin with `text`. */
export const id = (text: string): string => text.padEnd(20, '.').slice(0, 20)

export const SDP = 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n'

/** An announce of peer `peer` in torrent `hash`. */
export const announce = (hash: string, peer: string, more: Message = {}): Message => ({
  action: 'announce',
  info_hash: id(hash),
  peer_id: id(peer),
  ...more,
})

/** Offers whose ids begin with these texts. */
export const offers = (...ids: string[]): Message => ({
  offers: ids.map((one) => ({ offer: { type: 'offer', sdp: `${SDP}${one}` }, offer_id: id(one) })),
})

/** The answer of `peer` to an offer that it was sent. */
export const answerTo = (offer: Message, peer: string, more: Message = {}): Message => ({
  action: 'announce',
  info_hash: offer.info_hash,
  peer_id: id(peer),
  to_peer_id: offer.peer_id,
  offer_id: offer.offer_id,
  answer: { type: 'answer', sdp: `${SDP}answer` },
  ...more,
})

export const scrape = (...hashes: string[]): Message => ({
  action: 'scrape',
  info_hash: hashes.length === 1 ? id(hashes[0]!) : hashes.map(id),
})
