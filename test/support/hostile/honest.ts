/**
 * Honest clients beside the attacks: each asks again and again, and counts as served when the answer is right, within
 * the attempts that BEP 15 allows.
 */

import { connect } from 'node:net'
import { announceQuery, parseResponse, percent } from '../http-client.ts'
import { udpPeer } from '../udp-client.ts'
import { PATIENCE_MILLISECONDS } from '../until.ts'

const REST_MILLISECONDS = 200
/** A connection id is valid for two minutes. */
const CONNECT_EVERY = 20
/** The port of every honest peer. */
const PORT = 6881
const ATTEMPTS = 5
/** Failures that are kept for the report. */
const MOST_TOLD = 5

export type Question = () => Promise<void>

/** The questions of one kind of client, and how many were served. */
export class Service {
  readonly name: string
  asked = 0
  served = 0
  slowestMilliseconds = 0
  readonly failures: string[] = []

  constructor(name: string) {
    this.name = name
  }

  async ask(question: Question): Promise<void> {
    this.asked++
    const began = performance.now()
    try {
      await question()
      this.served++
    } catch (error) {
      if (this.failures.length < MOST_TOLD) this.failures.push(`${this.name}: ${error}`)
    }
    this.slowestMilliseconds = Math.max(this.slowestMilliseconds, performance.now() - began)
  }

  /** Empty if there were questions and all were served. */
  complaints(): string[] {
    if (this.asked > 0 && this.served === this.asked) return []
    return [`${this.name}: ${this.served} of ${this.asked} served`, ...this.failures]
  }
}

/** Asks until `stop`, which waits for the last answer. */
export class Honest {
  readonly #running: Promise<void>
  #isOver = false

  constructor(service: Service, question: Question) {
    this.#running = this.#go(service, question)
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#running
  }

  async #go(service: Service, question: Question): Promise<void> {
    while (!this.#isOver) {
      await service.ask(question)
      await Bun.sleep(REST_MILLISECONDS)
    }
  }
}

/** Peers of one torrent over one transport: each must get all that announced before it. */
export class Swarm {
  readonly infoHash: Uint8Array
  readonly #known = new Set<string>()

  constructor(infoHash: Uint8Array) {
    this.infoHash = infoHash
  }

  /** The peers that must be in an answer now. */
  expected(self: string): string[] {
    return [...this.#known].filter((other) => other !== self)
  }
  add(self: string): void {
    this.#known.add(self)
  }
}

function mustTell(told: readonly string[], expected: readonly string[]): void {
  const missing = expected.filter((peer) => !told.includes(peer))
  if (missing.length > 0)
    throw new Error(`did not get ${missing.join(', ')}, but ${told.length} others`)
}

/** The compact form of BEP 23, in hexadecimal. */
const endpoint = (ip: string, port: number): string =>
  Buffer.from([...ip.split('.').map(Number), port >> 8, port & 255]).toString('hex')

/** A peer with an address of its own; all have the same port. */
export async function udpQuestion(tracker: number, ip: string, swarm: Swarm): Promise<Question> {
  const peer = await udpPeer(tracker, '127.0.0.1', ip)
  const self = endpoint(ip, PORT)
  let asked = 0
  return async () => {
    if (asked++ % CONNECT_EVERY === 0) await peer.connect()
    const expected = swarm.expected(self)
    const { peers } = await peer.announce(swarm.infoHash, { left: 1, port: PORT })
    mustTell(peers, expected)
    swarm.add(self)
    const { leechers } = await peer.scrape(swarm.infoHash)
    if (leechers <= expected.length) throw new Error(`a scrape knows of ${leechers} peers only`)
  }
}

export function httpQuestion(tracker: number, ip: string, swarm: Swarm): Question {
  const self = endpoint(ip, PORT)
  const info_hash = percent(swarm.infoHash)
  const query = announceQuery({ info_hash, port: PORT, left: 1, event: undefined, compact: 1 })
  return async () => {
    const expected = swarm.expected(self)
    const answer = await getFrom(ip, tracker, `/announce?${query}`)
    const { status, value, failure } = parseResponse(answer)
    const peers = value.get('peers')
    if (!(peers instanceof Uint8Array)) throw new Error(`HTTP ${status}: ${failure ?? 'no peers'}`)
    const told = Array.from({ length: peers.length / 6 }, (_, i) =>
      Buffer.from(peers.subarray(i * 6, i * 6 + 6)).toString('hex'),
    )
    mustTell(told, expected)
    swarm.add(self)
  }
}

/** Health check and API: JSON with status 200 in which `mistake` finds nothing. */
export function operatorQuestion(
  url: string,
  headers: Record<string, string>,
  mistake: (answer: Record<string, unknown>) => string | undefined = () => undefined,
): Question {
  return async () => {
    for (let attempt = 1; ; attempt++) {
      const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS)
      const answer = await fetch(url, { headers, signal, keepalive: false })
      const text = await answer.text()
      const wrong = answer.status === 200 ? mistake(JSON.parse(text)) : text
      if (wrong === undefined) return
      // The health check probes with a time limit, which a busy machine may miss once.
      if (attempt === ATTEMPTS) throw new Error(`${answer.status} ${wrong}`)
      await Bun.sleep(REST_MILLISECONDS)
    }
  }
}

/** Sends a request from that address; the answer. Rejects when none comes within a minute. */
function getFrom(localAddress: string, port: number, path: string): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const parts: Buffer[] = []
  const socket = connect({ host: '127.0.0.1', port, localAddress })
  const timer = setTimeout(() => socket.destroy(new Error('no answer')), PATIENCE_MILLISECONDS)
  socket.on('data', (bytes: Buffer) => parts.push(bytes))
  socket.on('error', reject)
  socket.on('close', () => {
    clearTimeout(timer)
    resolve(Buffer.concat(parts))
  })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: tracker\r\nConnection: close\r\n\r\n`)
  return promise
}
