/**
 * Memory for the datagrams that one UDP socket reads together, laid out once: requests see the same
 * whether Bun read them or our own system calls (direct-socket.ts). The next batch overwrites it.
 */
import { Announce } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { copyEndpoint, writeEndpoint } from '../wire/address.ts'

/** Bytes from one datagram to the next: a power of two above `LIMITS.datagram`. */
export const SLOT_BYTES = 2048

/**
 * A source address as Linux states it (`sockaddr_in`, `sockaddr_in6`): family in the order of the machine, port
 * in that of the network, address. `bytes` from one to the next.
 */
export const SENDER = { family: 0, port: 2, ipv4: 4, ipv6: 8, bytes: 32 } as const
const AF_INET = 2
const AF_INET6 = 10

export class Datagrams {
  /** Datagram `i` stands at `i * SLOT_BYTES`; what follows it is left over from others. */
  readonly bytes = new Uint8Array(LIMITS.udpBatch * SLOT_BYTES)
  /** Bytes of each; what was longer than `LIMITS.datagram` is cut. */
  readonly lengths = new Int32Array(LIMITS.udpBatch)
  readonly senders = new Uint8Array(LIMITS.udpBatch * SENDER.bytes)
  readonly #sender = new Announce()

  /** Takes a datagram that Bun read. false: its address is none, nothing was taken. */
  put(i: number, packet: Uint8Array, port: number, address: string): boolean {
    const sender = this.#sender
    if (!writeEndpoint(address, port, sender)) return false
    const at = i * SENDER.bytes
    const six = sender.family === 6
    this.senders[at + SENDER.family] = six ? AF_INET6 : AF_INET
    this.senders[at + SENDER.port] = port >>> 8
    this.senders[at + SENDER.port + 1] = port
    this.senders.set(
      sender.endpoint.subarray(0, six ? 16 : 4),
      at + (six ? SENDER.ipv6 : SENDER.ipv4),
    )
    this.lengths[i] = Math.min(packet.length, LIMITS.datagram)
    this.bytes.set(packet.subarray(0, LIMITS.datagram), i * SLOT_BYTES)
    return true
  }

  /** Makes the sender of datagram `i` the endpoint of `announce`. */
  locate(i: number, announce: Announce): void {
    const { senders } = this
    const at = i * SENDER.bytes
    const six = senders[at + SENDER.family] === AF_INET6
    copyEndpoint(senders, at + (six ? SENDER.ipv6 : SENDER.ipv4), six ? 6 : 4, announce)
    announce.port = (senders[at + SENDER.port]! << 8) | senders[at + SENDER.port + 1]!
  }
}
