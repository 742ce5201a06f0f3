/** Asks one WebTorrent tracker at one address, through one WebSocket. */
import { EVENT } from '../bittorrent.ts'
import { size } from '../text/figures.ts'
import { oneLine } from '../text/printable.ts'
import { errorCode } from '../text/system-errors.ts'
import type { Reading } from '../wire/http-client.ts'
import type { AnnounceQuestion, AnnounceReply } from '../wire/udp-client.ts'
import {
  announceMessage,
  readAnnounceMessage,
  readScrapeMessage,
  scrapeMessage,
} from '../wire/websocket-client.ts'
import type { ScrapeReply, TrackerClient } from './client.ts'
import { ClientFailure, type FailureKind, noAnswerWithin } from './failure.ts'
import { atAddress, explain, placeOf } from './http.ts'
import type { Address } from './resolve.ts'
import type { TrackerUrl } from './tracker-url.ts'

/** A scrape of 50 torrents takes 6 kB, an offer of another peer 64 KiB. */
const MOST_CHARACTERS = 1024 * 1024

/** How long a tracker may take to close its side. */
const CLOSING_MILLISECONDS = 1_000

interface WebSocketOptions {
  /** Time limit of each request; of the first one with connecting. */
  readonly milliseconds: number
  /** Accept any certificate. */
  readonly insecure?: boolean | undefined
}

/** The answer that is awaited. */
interface Waiting {
  take(data: unknown): void
  reject(failure: ClientFailure): void
}

/**
 * One request at a time. Every request rejects with `ClientFailure` and nothing else. A tracker forgets a peer when its
 * connection ends, so each that was announced is announced as stopped before that.
 */
export class WebSocketClient implements TrackerClient {
  /** As many as over HTTP: every tracker takes a message of that size. */
  readonly mostHashes = 50
  readonly takesPeersAlong = true
  readonly #url: URL
  readonly #where: string
  readonly #address: Address
  readonly #options: WebSocketOptions
  /** Open, or being opened by the request that waits. */
  #socket: WebSocket | undefined
  #waiting: Waiting | undefined
  /** The last announce of each torrent, by info hash. */
  readonly #announced = new Map<string, AnnounceQuestion>()

  constructor(url: TrackerUrl, address: Address, options: WebSocketOptions) {
    this.#url = new URL(url.href)
    this.#where = placeOf(this.#url)
    this.#address = address
    this.#options = options
  }

  async announce(question: AnnounceQuestion): Promise<AnnounceReply> {
    const hash = question.infoHash.toHex()
    if (question.event === EVENT.stopped) this.#announced.delete(hash)
    else this.#announced.set(hash, question)
    const read = (text: string) => readAnnounceMessage(text, question.infoHash)
    return await this.#ask(announceMessage(question), read)
  }

  async scrape(hashes: readonly Uint8Array[]): Promise<ScrapeReply> {
    return { entries: await this.#ask(scrapeMessage(hashes), readScrapeMessage) }
  }

  [Symbol.dispose](): void {
    const socket = this.#socket
    this.#socket = undefined
    if (socket?.readyState !== WebSocket.OPEN) {
      socket?.terminate()
      return
    }
    for (const question of this.#announced.values())
      socket.send(announceMessage({ ...question, event: EVENT.stopped }))
    socket.close(1000)
    setTimeout(() => socket.terminate(), CLOSING_MILLISECONDS).unref()
  }

  /** The answer to `message`: the first one that `read` does not take for something else. */
  async #ask<T>(message: string, read: (text: string) => Reading<T> | undefined): Promise<T> {
    const { milliseconds } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const limit = setTimeout(
      () => reject(this.#failure('timeout', noAnswerWithin(milliseconds))),
      milliseconds,
    )
    const take = (data: unknown) => {
      if (typeof data !== 'string')
        return reject(this.#failure('garbage', 'a binary message, which browsers cannot read'))
      if (data.length > MOST_CHARACTERS)
        return reject(
          this.#failure('garbage', `the answer is longer than ${size(MOST_CHARACTERS)}`),
        )
      const reading = read(data)
      if (reading === undefined) return
      if ('answer' in reading) return resolve(reading.answer)
      if ('failure' in reading)
        return reject(new ClientFailure('refusal', oneLine(reading.failure)))
      const begins = JSON.stringify(oneLine(data.slice(0, 40)))
      reject(this.#failure('garbage', `${reading.fault}; it begins with ${begins}`))
    }
    this.#waiting = { take, reject }
    try {
      this.#socket ??= this.#open()
      const socket = this.#socket
      if (socket.readyState === WebSocket.OPEN) socket.send(message)
      else socket.addEventListener('open', () => socket.send(message))
      return await promise
    } finally {
      this.#waiting = undefined
      clearTimeout(limit)
      // One that is not open yet would send a message that nothing waits for.
      if (this.#socket?.readyState === WebSocket.CONNECTING) this[Symbol.dispose]()
    }
  }

  #open(): WebSocket {
    const socket = new WebSocket(atAddress(this.#url, this.#address).href, {
      headers: { Host: this.#url.host, 'User-Agent': 'tracker-client' },
      ...(this.#url.protocol === 'wss:' && {
        tls: {
          serverName: this.#url.hostname.replace(/^\[|\]$/g, ''),
          rejectUnauthorized: !this.#options.insecure,
        },
      }),
    })
    // What is heard of it once another took its place, or none, is of no interest.
    const isCurrent = () => this.#socket === socket
    socket.addEventListener('message', ({ data }) => {
      if (isCurrent()) this.#waiting?.take(data)
    })
    socket.addEventListener('error', (event) => {
      if (isCurrent()) this.#end(this.#explain(event))
    })
    socket.addEventListener('close', ({ code, reason }) => {
      const why = reason === '' ? `${code}` : `${code} ${oneLine(reason)}`
      if (isCurrent())
        this.#end(
          this.#failure('garbage', `the connection was closed before an answer came (${why})`),
        )
    })
    return socket
  }

  #end(failure: ClientFailure): void {
    this.#socket = undefined
    this.#waiting?.reject(failure)
  }

  /** The runtime puts what happened behind the URL, which may hold a key. */
  #explain(event: Event): ClientFailure {
    const { message, error } = event instanceof ErrorEvent ? event : { message: '', error: event }
    const why = message.replace(/^.*' failed: /s, '')
    const [, status] = /Expected 101 status code: (\d+)/.exec(why) ?? []
    if (status !== undefined)
      return this.#failure('status', `HTTP status ${status}, and no WebSocket`)
    const cause = Object.assign(new Error(why), { code: errorCode(error) })
    return explain(cause, this.#where, this.#options.milliseconds)
  }

  #failure(kind: FailureKind, what: string): ClientFailure {
    return new ClientFailure(kind, `${this.#where}: ${what}`)
  }
}
