/** Hostile datagrams to UDP listeners: each kind of attack is one datagram, or a few. */

import type { Forge, Place } from '../raw-udp.ts'
import { announcePacket, connectPacket, hashOf, scrapePacket } from '../udp-client.ts'
import { Pacer } from './pacer.ts'

const HERE = '127.0.0.1'
/** Sockets of attackers that stay; others come and go. */
const SOCKETS = 64
/** Answers that are kept to be sent back. */
const REMEMBERED = 256
const BURST = 500
const BURST_EVERY_MILLISECONDS = 5_000
const ACTIONS = [0, 1, 2, 3, 4, 5, 255, 0x4170_0000, 0x8000_0000, 0xffff_ffff]
const LONGEST = 65_507

type Attacker = { socket: Bun.udp.Socket<'buffer'>; id: bigint }

export type UdpTarget = {
  /** Ports of our listeners. */
  readonly ports: readonly number[]
  /** Addresses of honest clients, which attackers forge. */
  readonly victims: readonly string[]
  readonly roll: (sides: number) => number
  readonly forge: Forge | undefined
}

/** How often each kind was sent. */
export type Sent = Map<string, number>

export class DatagramAttack {
  readonly sent: Sent = new Map()
  /** Datagrams that the tracker sent to attackers. */
  answers = 0
  readonly #target: UdpTarget
  readonly #attackers: Attacker[] = []
  readonly #remembered: Uint8Array[] = []
  #count = 0
  readonly #pacer: Pacer

  private constructor(target: UdpTarget, rate: number) {
    this.#target = target
    this.#pacer = new Pacer(rate, () => this.#one(), {
      size: BURST,
      every: BURST_EVERY_MILLISECONDS,
    })
  }

  static async begin(target: UdpTarget, rate: number): Promise<DatagramAttack> {
    const attack = new DatagramAttack(target, rate)
    for (let i = 0; i < SOCKETS; i++) await attack.#recruit()
    attack.#pacer.start()
    return attack
  }

  stop(): void {
    this.#pacer.stop()
    for (const { socket } of this.#attackers.splice(0)) socket.close()
  }

  async #recruit(): Promise<void> {
    const { roll } = this.#target
    const attacker: Attacker = {
      id: 0n,
      socket: await Bun.udpSocket({
        hostname: `127.66.${roll(256)}.${1 + roll(254)}`,
        socket: {
          data: (_socket, packet) => this.#hear(attacker, packet),
          error() {},
        },
      }),
    }
    this.#attackers.push(attacker)
  }

  #hear(attacker: Attacker, packet: Uint8Array): void {
    this.answers++
    const copy = new Uint8Array(packet)
    const view = new DataView(copy.buffer)
    if (copy.length === 16 && view.getUint32(0) === 0) attacker.id = view.getBigUint64(8)
    this.#remembered[this.answers % REMEMBERED] = copy
  }

  #one(): void {
    const { roll } = this.#target
    const [name, often, deed] = KINDS[this.#count++ % KINDS.length]!
    // In between they connect, so that they have valid connection ids.
    const isIt = roll(often) === 0
    const asker = this.#attackers[roll(SOCKETS)]
    const isDone = isIt ? deed(this) : this.send(connectPacket(this.#count), asker)
    const kind = isIt ? name : 'connects'
    if (isDone) this.sent.set(kind, (this.sent.get(kind) ?? 0) + 1)
  }

  /** One that sends only valid connection ids, so that it is not suppressed. */
  get attacker(): Attacker {
    return this.#attackers[2 * this.roll(SOCKETS / 2)]!
  }
  /** One that sends anything. */
  get liar(): Attacker {
    return this.#attackers[2 * this.roll(SOCKETS / 2) + 1]!
  }
  get roll() {
    return this.#target.roll
  }
  get count(): number {
    return this.#count
  }
  get forge(): Forge | undefined {
    return this.#target.forge
  }
  get listener(): Place {
    const { ports } = this.#target
    return { ip: HERE, port: ports[this.roll(ports.length)]! }
  }
  get victim(): string {
    const { victims } = this.#target
    return victims[this.roll(victims.length)]!
  }
  get answer(): Uint8Array | undefined {
    return this.#remembered[this.roll(Math.max(1, this.#remembered.length))]
  }
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.roll(256))
  }
  send(packet: Uint8Array, { socket } = this.attacker): true {
    try {
      socket.send(packet, this.listener.port, HERE)
    } catch {
      // The kernel reports an error of an earlier datagram.
    }
    return true
  }
  /** From a socket that is closed before the answer. */
  hitAndRun(): true {
    const { port } = this.listener
    Bun.udpSocket({ hostname: `127.66.0.${1 + this.roll(254)}`, socket: { error() {} } }).then(
      (socket) => {
        socket.send(connectPacket(this.count), port, HERE)
        socket.close()
      },
      () => undefined,
    )
    return true
  }
}

const word3 = (text: string): Uint8Array =>
  Buffer.concat([Uint8Array.of(0, 0, 0, 3, 1, 2, 3, 4), Buffer.from(text)])

/** Name, one time in how many, and the attack: false where it is not possible. */
const KINDS: readonly (readonly [string, number, (attack: DatagramAttack) => boolean])[] = [
  ['any bytes', 1, (it) => it.send(it.bytes(it.roll(600)), it.liar)],
  [
    'every action at every length',
    1,
    (it) => {
      const packet = new Uint8Array(it.count % 211)
      const liar = it.liar
      const head = new DataView(new ArrayBuffer(16))
      head.setBigUint64(0, it.roll(2) === 0 ? 0x417_2710_1980n : liar.id)
      head.setUint32(8, ACTIONS[it.roll(ACTIONS.length)]!)
      packet.set(new Uint8Array(head.buffer).subarray(0, packet.length))
      return it.send(packet, liar)
    },
  ],
  ['errors as requests', 1, (it) => it.send(word3('bad request: invalid action'), it.liar)],
  [
    'answers as requests',
    1,
    (it) => {
      const { answer } = it
      return answer !== undefined && it.send(answer, it.liar)
    },
  ],
  [
    'answers of one listener to another',
    1,
    (it) => {
      const answer = it.roll(2) === 0 ? it.answer : it.bytes(35 + it.roll(30))
      if (!it.forge || !answer) return false
      it.forge(it.listener, it.listener, answer)
      return true
    },
  ],
  [
    'from port 0',
    1,
    (it) => {
      it.forge?.({ ip: '127.66.0.1', port: 0 }, it.listener, connectPacket())
      return it.forge !== undefined
    },
  ],
  ['wrong connection ids', 1, (it) => it.send(announcePacket(BigInt(it.roll(2 ** 31))), it.liar)],
  [
    'wrong connection ids in honest names',
    1,
    (it) => {
      const from = { ip: it.victim, port: 1 + it.roll(65_535) }
      it.forge?.(from, it.listener, announcePacket(BigInt(it.roll(2 ** 31))))
      return it.forge !== undefined
    },
  ],
  ["others' connection ids", 1, (it) => it.send(announcePacket(it.attacker.id), it.liar)],
  [
    'invented torrents',
    1,
    (it) => {
      const attacker = it.attacker
      const fields = { infoHash: it.bytes(20), port: it.roll(65_536), left: BigInt(it.roll(2)) }
      return it.send(announcePacket(attacker.id, fields), attacker)
    },
  ],
  [
    'completions of invented torrents',
    1,
    (it) => {
      const attacker = it.attacker
      const fields = { infoHash: it.bytes(20), port: 1 + it.roll(65_535) }
      it.send(announcePacket(attacker.id, { ...fields, left: 1n }), attacker)
      return it.send(announcePacket(attacker.id, { ...fields, event: 1 }), attacker)
    },
  ],
  [
    'invented peers of one torrent',
    1,
    (it) => {
      const attacker = it.attacker
      const fields = { infoHash: hashOf(0x66), port: 1 + it.roll(65_535), event: it.roll(5) }
      return it.send(announcePacket(attacker.id, fields), attacker)
    },
  ],
  [
    'odd options',
    1,
    (it) => {
      const attacker = it.attacker
      const options = [...it.bytes(it.roll(80))]
      return it.send(announcePacket(attacker.id, { infoHash: hashOf(0x67), options }), attacker)
    },
  ],
  [
    'scrapes of unknown torrents',
    1,
    (it) => {
      const attacker = it.attacker
      const hashes = Array.from({ length: 1 + it.roll(80) }, () => it.bytes(20))
      return it.send(scrapePacket(attacker.id, hashes), attacker)
    },
  ],
  ['64 KiB', 10, (it) => it.send(new Uint8Array(LONGEST))],
  ['sockets gone before the answer', 4, (it) => it.hitAndRun()],
]
