/** Hostile requests to HTTP listeners: broken ones, huge ones, and connections that only occupy descriptors. */

import { connect, type Socket } from 'node:net'
import { announceQuery, percent } from '../http-client.ts'
import type { Sent } from './datagrams.ts'
import { Pacer } from './pacer.ts'

/** Unanswered requests are dropped, so that their number is bounded. */
const MOST_OPEN = 300
const GIVE_UP_MILLISECONDS = 5_000
/** Connections kept open by a byte now and then, and their addresses. */
const TRICKLED = 480
const TRICKLERS = 4
const TRICKLE_MILLISECONDS = 500

export type HttpTarget = {
  readonly http: number
  readonly api: number
  readonly health: number
  /** Of a client that has one, and is hostile all the same. */
  readonly token: string
  readonly roll: (sides: number) => number
}

export class RequestAttack {
  readonly sent: Sent = new Map()
  /** Bytes that the listeners sent to attackers. */
  heard = 0
  readonly #target: HttpTarget
  readonly #pacer: Pacer
  readonly #open = new Set<Socket>()
  readonly #trickled = new Set<Socket>()
  readonly #trickle: Timer
  #count = 0

  constructor(target: HttpTarget, rate: number) {
    this.#target = target
    this.#pacer = new Pacer(rate, () => this.#one())
    this.#pacer.start()
    this.#trickle = setInterval(() => this.#drip(), TRICKLE_MILLISECONDS)
  }

  stop(): void {
    this.#pacer.stop()
    clearInterval(this.#trickle)
    for (const socket of [...this.#open, ...this.#trickled]) socket.destroy()
  }

  #one(): void {
    const [name, to, bytesOf, isDeaf = false] = KINDS[this.#count++ % KINDS.length]!
    if (this.#open.size >= MOST_OPEN) return
    this.sent.set(name, (this.sent.get(name) ?? 0) + 1)
    const { roll, token } = this.#target
    const from = `127.66.${roll(256)}.${1 + roll(254)}`
    const socket = this.#dial(this.#target[to], from, this.#open)
    socket.setTimeout(GIVE_UP_MILLISECONDS, () => socket.destroy())
    const bytes = bytesOf(roll, token)
    if (bytes === 'leave') socket.on('connect', () => socket.destroy())
    else if (isDeaf) socket.pause().write(bytes)
    else socket.end(bytes)
  }

  #drip(): void {
    const { roll, http } = this.#target
    for (const socket of this.#trickled) if (socket.writable) socket.write('a')
    for (let i = this.#trickled.size; i < TRICKLED; i++) {
      const socket = this.#dial(http, `127.66.0.${1 + roll(TRICKLERS)}`, this.#trickled)
      socket.write('GET /announce?')
      this.sent.set('trickled', (this.sent.get('trickled') ?? 0) + 1)
    }
  }

  #dial(port: number, localAddress: string, among: Set<Socket>): Socket {
    const socket = connect({ host: '127.0.0.1', port, localAddress })
    among.add(socket)
    socket.on('data', (bytes) => {
      this.heard += bytes.length
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => among.delete(socket))
    return socket
  }
}

type Roll = (sides: number) => number

const bytesOf = (length: number, roll: Roll) =>
  Buffer.from(Uint8Array.from({ length }, () => roll(256)))
const request = (target: string, method = 'GET', head = '', body = '') =>
  `${method} ${target} HTTP/1.1\r\nHost: tracker\r\nConnection: close\r\n${head}\r\n${body}`
const announce = (roll: Roll, changes = {}) =>
  `/announce?${announceQuery({ info_hash: percent(bytesOf(20, roll)), port: 1 + roll(65_535), ...changes })}`

/** Replaces, removes or doubles some characters. */
function fuzzed(text: string, roll: Roll): string {
  const characters = [...text]
  for (let i = 0; i <= roll(6); i++) {
    const at = roll(characters.length)
    characters[at] = [
      '',
      characters[at]!.repeat(2),
      String.fromCharCode(roll(256)),
      '%',
      '&',
      '\r\n',
    ][roll(6)]!
  }
  return characters.join('')
}

const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`
const login = (length: number, body: string) =>
  request(
    '/session',
    'POST',
    `Origin: http://tracker\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n`,
    body,
  )

/** Name, listener, the bytes, and whether the client reads nothing of the answer. */
const KINDS: readonly (readonly [
  string,
  'http' | 'api' | 'health',
  (roll: Roll, token: string) => string | Uint8Array | 'leave',
  boolean?,
])[] = [
  [
    'fuzzed announces',
    'http',
    (roll) => Buffer.from(fuzzed(request(announce(roll)), roll), 'latin1'),
  ],
  [
    'invented torrents',
    'http',
    (roll) => request(announce(roll, { left: roll(2), event: 'started' })),
  ],
  [
    'completions of invented torrents',
    'http',
    (roll) => {
      const same = { info_hash: percent(bytesOf(20, roll)), port: 1 + roll(65_535) }
      const first = announce(roll, { ...same, left: 1, event: 'started' })
      return `GET ${first} HTTP/1.1\r\nHost: tracker\r\n\r\n${request(announce(roll, same))}`
    },
  ],
  [
    'scrapes of unknown torrents',
    'http',
    (roll) => {
      const hashes = Array.from({ length: 1 + roll(120) }, () => percent(bytesOf(20, roll)))
      return request(`/scrape?info_hash=${hashes.join('&info_hash=')}`)
    },
  ],
  ['any bytes', 'http', (roll) => bytesOf(roll(2_000), roll)],
  ['long URLs', 'http', (roll) => request(`/announce?${'a'.repeat(roll(65_536))}`)],
  [
    'headers without end',
    'http',
    (roll) => request('/scrape', 'GET', 'X-A: b\r\n'.repeat(roll(9_000))),
  ],
  [
    'bodies that no route takes',
    'http',
    (roll) => request('/announce', 'POST', 'Content-Length: 300000\r\n', 'x'.repeat(roll(300_000))),
  ],
  [
    'many requests at once',
    'http',
    (roll) =>
      request('/scrape?info_hash=x')
        .replace('close', 'keep-alive')
        .repeat(1 + roll(50)),
  ],
  ['TLS', 'http', (roll) => Buffer.concat([Uint8Array.of(22, 3, 1, 2, 0), bytesOf(512, roll)])],
  ['connections without a word', 'http', () => 'leave'],
  ['API without a token', 'api', () => request('/api/v1/stats')],
  ['API with wrong tokens', 'api', (roll) => request(`/api/v1/torrents?token=${roll(2 ** 31)}`)],
  [
    'API with bodies and no token',
    'api',
    (roll) =>
      request('/api/v1/keys', 'POST', 'Content-Length: 900000\r\n', '['.repeat(roll(900_000))),
  ],
  [
    'logins with wrong tokens',
    'api',
    (roll) => {
      const body = JSON.stringify({ token: `${roll(2 ** 31)}` })
      return login(body.length, body)
    },
  ],
  ['logins without end', 'api', (roll) => login(4_000_000, '['.repeat(roll(900_000)))],
  [
    'pages and files, fuzzed',
    'api',
    (roll) => Buffer.from(fuzzed(request(roll(2) ? '/' : '/assets/..%2f'), roll), 'latin1'),
  ],
  [
    'event streams that are not read',
    'api',
    (roll, token) =>
      request(roll(2) ? '/api/v1/live' : '/api/v1/log?follow=true', 'GET', bearer(token)),
    true,
  ],
  [
    'scrapes of metrics that are not read',
    'api',
    (_roll, token) => request('/metrics', 'GET', bearer(token)).repeat(8),
    true,
  ],
  ['API, any bytes', 'api', (roll) => bytesOf(roll(2_000), roll)],
  ['health, any bytes', 'health', (roll) => bytesOf(roll(2_000), roll)],
  [
    'health, fuzzed',
    'health',
    (roll) => Buffer.from(fuzzed(request('/health_check'), roll), 'latin1'),
  ],
]
