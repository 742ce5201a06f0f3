/**
 * Memory for the datagrams that one UDP socket reads together, in one layout, whether Bun reads them or our own
 * system calls (direct-socket.ts). The next batch overwrites it.
 */
import { Address } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { copySource, writeSource } from '../wire/address.ts'
import { LINUX, STRUCT } from './linux.ts'

/**
 * Bytes from one datagram to the next, at least `LIMITS.datagram`: an odd number of cache lines. With a power of two the
 * first lines of all datagrams would compete for a few places of the cache.
 */
export const SLOT_BYTES = 25 * 64

/**
 * A source address as Linux lays it out, `sockaddr_in` or `sockaddr_in6`: family in the byte order of the
 * machine, port in that of the network, address. `bytes` from one to the next.
 */
const { sockaddr_in, sockaddr_in6 } = STRUCT
export const SENDER = {
  family: sockaddr_in.sin_family,
  port: sockaddr_in.sin_port,
  ipv4: sockaddr_in.sin_addr,
  ipv6: sockaddr_in6.sin6_addr,
  bytes: 32,
} as const
const { AF_INET, AF_INET6 } = LINUX
const ADDRESS_BYTES = { [AF_INET]: sockaddr_in.bytes, [AF_INET6]: sockaddr_in6.bytes } as const

/** The number of a datagram that is answered later than its batch. */
export const LATE = LIMITS.udpBatch

/** A datagram that is kept beyond its batch. `packet` begins its buffer. */
type Kept = {
  readonly packet: Uint8Array<ArrayBuffer>
  readonly sender: Uint8Array
  readonly address: string | undefined
}

/** The kernel holds addresses of `bytes` and `senders`: they are buffers of their own, which never move. */
export class Datagrams {
  /** Datagram `i` stands at `i * SLOT_BYTES`; what follows it is left over from others. */
  readonly bytes = new Uint8Array(new ArrayBuffer((LATE + 1) * SLOT_BYTES))
  /** Bytes of each; longer datagrams are cut to `LIMITS.datagram`. */
  readonly lengths = new Int32Array(LATE + 1)
  readonly senders = new Uint8Array(new ArrayBuffer((LATE + 1) * SENDER.bytes))
  /** The addresses of those that Bun read, as Bun writes them and wants them back. */
  readonly #addresses: (string | undefined)[] = []
  readonly #sender = new Address()

  /** Stores a datagram that Bun read. false: its address cannot be read, and nothing was stored. */
  put(i: number, packet: Uint8Array, port: number, address: string): boolean {
    const sender = this.#sender
    if (!writeSource(address, sender)) return false
    const at = i * SENDER.bytes
    const six = sender.family === 6
    this.senders[at + SENDER.family] = six ? AF_INET6 : AF_INET
    this.senders[at + SENDER.port] = port >>> 8
    this.senders[at + SENDER.port + 1] = port
    this.senders.set(sender.bytes.subarray(0, six ? 16 : 4), at + (six ? SENDER.ipv6 : SENDER.ipv4))
    this.#addresses[i] = address
    this.lengths[i] = Math.min(packet.length, LIMITS.datagram)
    this.bytes.set(packet.subarray(0, LIMITS.datagram), i * SLOT_BYTES)
    return true
  }

  /** Reads the address that datagram `i` came from. */
  readSender(i: number, sender: Address): void {
    const { senders } = this
    const at = i * SENDER.bytes
    const six = senders[at + SENDER.family] === AF_INET6
    copySource(senders, at + (six ? SENDER.ipv6 : SENDER.ipv4), six ? 6 : 4, sender)
  }

  port(i: number): number {
    const at = i * SENDER.bytes + SENDER.port
    return (this.senders[at]! << 8) | this.senders[at + 1]!
  }
  address(i: number): string {
    return this.#addresses[i]!
  }
  /** Bytes of the source address of datagram `i`, as the system counts them. */
  senderBytes(i: number): 16 | 28 {
    return ADDRESS_BYTES[this.senders[i * SENDER.bytes + SENDER.family] as 2 | 10]
  }

  keep(i: number): Kept {
    const [at, from] = [i * SLOT_BYTES, i * SENDER.bytes]
    return {
      packet: this.bytes.slice(at, at + this.lengths[i]!),
      sender: this.senders.slice(from, from + SENDER.bytes),
      address: this.#addresses[i],
    }
  }
  /** Stores it again, under the number `LATE`. */
  bringBack({ packet, sender, address }: Kept): void {
    this.bytes.set(packet, LATE * SLOT_BYTES)
    this.lengths[LATE] = packet.length
    this.senders.set(sender, LATE * SENDER.bytes)
    this.#addresses[LATE] = address
  }
}
