/** Hostile clients of WebSocket listeners: broken frames and messages, floods, and sockets that only take room. */
import { connect, type Socket } from 'node:net'
import {
  closing,
  fragments,
  frame,
  type Handshake,
  handshake,
  OPCODE,
  text,
} from '../webtorrent/frames.ts'
import { ANNOUNCE, ANSWER, asciiForm, STOPPED } from '../webtorrent/messages.ts'
import type { Sent } from './datagrams.ts'
import { Pacer } from './pacer.ts'

/** Sockets beyond this are not opened, so that their number is bounded; and of them, those that are kept open. */
const MOST_OPEN = 120
const MOST_KEPT = 60
const GIVE_UP_MILLISECONDS = 3_000
const KEPT_MILLISECONDS = 15_000
/** So few that each offer of an honest announce may find its peer all the same. */
const MOST_IN_CROWD = 6
/** One message more would close the socket. */
const FAULTS = 9
const LONGEST = 65_536
const TORRENTS = 2_001

type Roll = (sides: number) => number

/** An honest client, in whose name attackers speak. */
export type Victim = { readonly infoHash: string; readonly peerId: string }

export type WebSocketTarget = {
  readonly ports: readonly number[]
  /** Peers in a torrent that attackers may speak about, but do not join. */
  readonly quiet: readonly Victim[]
  /** Peers in a torrent that attackers join. */
  readonly crowded: readonly Victim[]
  readonly roll: Roll
}

/** What one socket does: what it sends, after which handshake, and how it goes on. */
type Deed = {
  readonly sent: Uint8Array
  readonly how?: Handshake
  /** `read`: sends and reads; `deaf`: never reads; `stay`: takes room for a while; `vanish`: is gone at once. */
  readonly manner?: 'read' | 'deaf' | 'stay' | 'vanish'
  /** The bytes stand for all that is sent, handshake included. */
  readonly isRaw?: boolean
  /** It joins the torrent of honest peers. */
  readonly joins?: boolean
}

export class WebSocketAttack {
  readonly sent: Sent = new Map()
  /** Bytes that the listeners sent to attackers. */
  heard = 0
  readonly #target: WebSocketTarget
  readonly #pacer: Pacer
  readonly #open = new Set<Socket>()
  readonly #kept = new Set<Socket>()
  readonly #crowd = new Set<Socket>()
  #count = 0

  constructor(target: WebSocketTarget, rate: number) {
    this.#target = target
    this.#pacer = new Pacer(rate, () => this.#one())
    this.#pacer.start()
  }

  stop(): void {
    this.#pacer.stop()
    for (const socket of this.#open) socket.destroy()
  }

  #one(): void {
    const turn = this.#count++
    const [name, deedOf] = KINDS[turn % KINDS.length]!
    const { ports, roll } = this.#target
    if (this.#open.size >= MOST_OPEN) return
    const round = Math.floor(turn / KINDS.length)
    const { sent, how, manner = 'read', isRaw, joins } = deedOf(round, this.#target)
    const isKept = manner === 'deaf' || manner === 'stay'
    if (isKept && this.#kept.size >= MOST_KEPT) return
    if (joins && this.#crowd.size >= MOST_IN_CROWD) return
    this.sent.set(name, (this.sent.get(name) ?? 0) + 1)
    const localAddress = `127.66.${roll(256)}.${1 + roll(254)}`
    const socket = connect({ host: '127.0.0.1', port: ports[turn % ports.length]!, localAddress })
    const among = [this.#open, isKept && this.#kept, joins && this.#crowd].filter((set) => !!set)
    for (const set of among) set.add(socket)
    const timer = setTimeout(
      () => socket.destroy(),
      isKept ? KEPT_MILLISECONDS : GIVE_UP_MILLISECONDS,
    )
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      clearTimeout(timer)
      for (const set of among) set.delete(socket)
    })
    if (manner === 'deaf') socket.pause()
    else
      socket.on('data', (bytes) => {
        this.heard += bytes.length
      })
    socket.write(isRaw ? sent : Buffer.concat([handshake(how), sent]))
    if (manner === 'vanish')
      socket.on('connect', () => setTimeout(() => socket.destroy(), roll(50)))
  }
}

const bytesOf = (length: number, roll: Roll) =>
  Buffer.from(Uint8Array.from({ length }, () => roll(256)))
/** An id of any bytes, as text. */
const idOf = (roll: Roll): string => bytesOf(20, roll).toString('latin1')
const messageOf = (fields: object) => text(JSON.stringify({ action: 'announce', ...fields }))
const times = (count: number, of: (i: number) => Uint8Array): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => of(i)))
const offersOf = (count: number, roll: Roll, sdp = 'v=0\r\n') =>
  Array.from({ length: count }, () => ({ offer: { type: 'offer', sdp }, offer_id: idOf(roll) }))
const one = <T>(all: readonly T[], roll: Roll): T => all[roll(all.length)]!
const speakAs = ({ infoHash, peerId }: Victim) => ({ info_hash: infoHash, peer_id: peerId })

const VALID = [ANNOUNCE, ANSWER].map((message) => Buffer.from(message))
const SCRAPE_OF_NOTHING = text('{"action":"scrape","info_hash":[]}')

/** Some prefixes a round, one after the other, of both messages. */
function prefixes(round: number): Buffer {
  const whole = VALID[round & 1]!
  return times(FAULTS, (i) => text(whole.subarray(0, ((round >> 1) * FAULTS + i) % whole.length)))
}
/** Some places a round, one after the other, each with another byte there. */
function changes(round: number, roll: Roll): Buffer {
  const whole = VALID[round & 1]!
  return times(FAULTS, (i) => {
    const changed = Buffer.from(whole)
    changed[((round >> 1) * FAULTS + i) % whole.length] = roll(256)
    return frame(OPCODE.binary, changed)
  })
}

const BROKEN: readonly ((roll: Roll) => Buffer)[] = [
  (roll) => text(ANNOUNCE, { reserved: 1 + roll(7) }),
  () => text(ANNOUNCE, { isMasked: false }),
  (roll) => frame(3 + roll(5), ANNOUNCE),
  (roll) => frame(11 + roll(5), ''),
  () => frame(OPCODE.more, ANNOUNCE),
  () => Buffer.concat([text(ANNOUNCE, { isLast: false }), text(ANNOUNCE)]),
  () => frame(OPCODE.ping, '', { isLast: false }),
  () => frame(OPCODE.ping, 'a'.repeat(126)),
  (roll) => text(bytesOf(1 + roll(200), roll)),
  () => text(ANNOUNCE, { length: 2n ** 63n }),
  () => text(ANNOUNCE, { length: 2n ** 64n - 1n }),
  (roll) => bytesOf(roll(3_000), roll),
]

const HEADERS: readonly Handshake[] = [
  { headers: { 'sec-websocket-version': '8' } },
  { headers: { 'sec-websocket-key': undefined } },
  { headers: { 'sec-websocket-key': 'AAAA' } },
  { headers: { connection: 'close' } },
  { headers: { upgrade: 'h2c' } },
  { headers: { host: undefined } },
  { headers: { 'content-length': '1000000' } },
  { headers: { 'transfer-encoding': 'chunked' } },
  { headers: { 'sec-websocket-extensions': 'permessage-deflate; a'.repeat(100) } },
  { headers: { 'sec-websocket-protocol': 'a,'.repeat(1_000) } },
  { headers: { origin: `https://${'a'.repeat(1_000)}` } },
  { headers: { 'x-forwarded-for': '1.2.3.4, ::1' } },
  { method: 'POST' },
  { method: 'HEAD' },
  { method: 'OPTIONS' },
]

/** Name, and what a socket of it does in a round. */
const KINDS: readonly (readonly [string, (round: number, target: WebSocketTarget) => Deed])[] = [
  ['beginnings of messages', (round) => ({ sent: prefixes(round) })],
  ['messages with a byte changed', (round, { roll }) => ({ sent: changes(round, roll) })],
  [
    'ids in all encodings',
    (_round, { roll }) => {
      const plain = JSON.stringify({
        action: 'announce',
        info_hash: idOf(roll),
        peer_id: idOf(roll),
      })
      const forms = [
        plain,
        asciiForm(plain),
        asciiForm(plain).toUpperCase().replaceAll('\\U', '\\u'),
        plain.replaceAll('<', '\\u003c'),
        plain.replaceAll('/', '\\/'),
      ]
      return { sent: times(forms.length, (i) => text(forms[i]!)) }
    },
  ],
  ['binary messages', () => ({ sent: frame(OPCODE.binary, ANNOUNCE), manner: 'vanish' })],
  [
    'messages in many frames',
    (_round, { roll }) => ({
      sent: fragments(...ANNOUNCE.match(/[\s\S]{1,7}/g)!.flatMap((part) => [part, ''])),
      manner: one(['read', 'vanish'], roll),
    }),
  ],
  [
    'frames that break the protocol',
    (round, { roll }) => ({ sent: BROKEN[round % BROKEN.length]!(roll) }),
  ],
  [
    'messages that are too long',
    (round) => {
      const long = ANNOUNCE.padEnd(LONGEST + 1)
      return { sent: round & 1 ? text(long) : fragments(...long.match(/[\s\S]{1,9000}/g)!) }
    },
  ],
  [
    'messages that never end',
    (_round, { roll }) => ({
      sent: Buffer.concat([
        text('{', { isLast: false }),
        times(1 + roll(64), () => frame(OPCODE.more, ' '.repeat(1_000), { isLast: false })),
      ]),
      manner: 'stay',
    }),
  ],
  [
    'frames without content',
    () => ({
      sent: Buffer.concat([
        text('', { isLast: false }),
        times(20_000, () => frame(OPCODE.more, '', { isLast: false })),
      ]),
    }),
  ],
  [
    '64 KiB of brackets',
    (round) => ({
      sent: times(FAULTS, () =>
        text((round & 1 ? '[' : '{"a":').repeat(LONGEST / (round & 1 ? 1 : 5))),
      ),
    }),
  ],
  ['floods of pings', () => ({ sent: times(5_000, () => frame(OPCODE.ping, 'a'.repeat(125))) })],
  [
    'floods of pings that are not read',
    () => ({ sent: times(5_000, () => frame(OPCODE.ping, 'a'.repeat(125))), manner: 'deaf' }),
  ],
  ['floods of small messages', () => ({ sent: times(5_000, () => SCRAPE_OF_NOTHING) })],
  [
    'odd close frames',
    (_round, { roll }) => ({
      sent: Buffer.concat([closing(roll(65_536), bytesOf(roll(130), roll)), text(ANNOUNCE)]),
    }),
  ],
  [
    'handshakes with odd headers',
    (round) => ({ sent: text(ANNOUNCE), how: HEADERS[round % HEADERS.length]! }),
  ],
  [
    'handshakes with long headers',
    (_round, { roll }) => ({
      sent: text(ANNOUNCE),
      how: { headers: { a: 'b'.repeat(roll(60_000)) } },
    }),
  ],
  [
    'handshakes to any path',
    (_round, { roll }) => ({
      sent: text(ANNOUNCE),
      how: {
        path: `/${bytesOf(roll(40), roll).toString('base64url')}?key=${roll(2 ** 31)}&info_hash=a`,
      },
    }),
  ],
  [
    'half a handshake',
    (_round, { roll }) => {
      const whole = handshake()
      return {
        sent: whole.subarray(0, roll(whole.length)),
        isRaw: true,
        manner: one(['vanish', 'stay'], roll),
      }
    },
  ],
  [
    'scrapes that are not read',
    (_round, { roll }) => {
      const info_hash = Array.from({ length: 100 }, () => idOf(roll))
      return { sent: times(300, () => messageOf({ action: 'scrape', info_hash })), manner: 'deaf' }
    },
  ],
  ['sockets without a word', () => ({ sent: Buffer.alloc(0), manner: 'stay' })],
  [
    'sockets in 2,001 torrents that vanish',
    (round, { roll }) => {
      if (round % 8 !== 0) return { sent: Buffer.alloc(0), manner: 'vanish' }
      const peer_id = idOf(roll)
      return {
        sent: times(TORRENTS, () => messageOf({ info_hash: idOf(roll), peer_id, left: roll(2) })),
      }
    },
  ],
  [
    'sockets with seventeen peer ids',
    (_round, { roll }) => {
      const info_hash = idOf(roll)
      return {
        sent: times(17, () => messageOf({ info_hash, peer_id: idOf(roll), event: 'started' })),
      }
    },
  ],
  [
    'floods of offers to honest peers',
    (_round, { roll, crowded }) => {
      const join = { info_hash: crowded[0]!.infoHash, peer_id: idOf(roll), left: roll(2) }
      return {
        sent: times(90, () => messageOf({ ...join, offers: offersOf(10, roll) })),
        joins: true,
      }
    },
  ],
  [
    'offers of 50 KiB to honest peers',
    (_round, { roll, crowded }) => {
      const join = { info_hash: crowded[0]!.infoHash, peer_id: idOf(roll), left: 1 }
      const sdp = 'x'.repeat(5_000)
      return {
        sent: times(5, () => messageOf({ ...join, offers: offersOf(10, roll, sdp) })),
        joins: true,
      }
    },
  ],
  [
    'answers to no offer',
    (_round, { roll, crowded }) => {
      const [from, to] = roll(2) ? [crowded[0]!, crowded[1]!] : [crowded[1]!, crowded[0]!]
      const answer = { type: 'answer', sdp: 'v=0\r\n' }
      const all = { ...speakAs(from), to_peer_id: to.peerId, answer }
      return {
        sent: Buffer.concat([
          messageOf({ ...speakAs(from), left: 1 }),
          times(50, () => messageOf({ ...all, offer_id: idOf(roll) })),
        ]),
        joins: true,
      }
    },
  ],
  [
    'the same to peers whose torrent it is not in',
    (_round, { roll, quiet }) => {
      const answer = { type: 'answer', sdp: 'v=0\r\n' }
      const all = { ...speakAs(quiet[0]!), to_peer_id: quiet[1]!.peerId, answer }
      // Ids like those of honest offers.
      const offer_id = () => `honest ${roll(5_000)}`.padEnd(20, '.')
      return {
        sent: Buffer.concat([
          messageOf({ info_hash: idOf(roll), peer_id: quiet[0]!.peerId }),
          times(50, () => messageOf({ ...all, offer_id: offer_id() })),
        ]),
      }
    },
  ],
  [
    "ends in honest peers' names",
    (_round, { roll, quiet, crowded }) => ({
      sent: times(5, () =>
        messageOf({ ...speakAs(one([...quiet, ...crowded], roll)), event: 'stopped' }),
      ),
      manner: one(['read', 'vanish'], roll),
    }),
  ],
  [
    "beginnings and ends in honest peers' names",
    (_round, { roll, crowded }) => {
      const name = speakAs(one(crowded, roll))
      return {
        sent: Buffer.concat([
          messageOf({ ...name, left: roll(2), event: 'started' }),
          messageOf({ ...name, event: 'completed' }),
          messageOf({ ...name, event: 'stopped' }),
          text(STOPPED),
        ]),
        joins: true,
      }
    },
  ],
]
