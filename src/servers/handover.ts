/**
 * Hands a port over from listening sockets that will be closed to others of this process, without losing a
 * connection. Bun cannot give a server another certificate, nor let go of a listening socket gently: what waits to be
 * accepted when it is closed is reset, and so is every connection that is just being made. So the successor opens the
 * same port beside the old socket, the kernel deals all new connections to the successor, and the old one is
 * closed when none can be on its way to it. Linux only; elsewhere two sockets cannot share a port.
 *
 * A socket is known by the kernel's own name for it (its cookie), because another may get its descriptor at any time.
 */
import { readdir } from 'node:fs/promises'
import { parseIp, type SocketAddress } from '../wire/address.ts'
import { type Libc, libc } from './libc.ts'
import { LINUX, STRUCT } from './linux.ts'
import { blockingNew, choosingLast } from './packet-filter.ts'
import { chooseAmong, filterPackets } from './socket-options.ts'

const { SOL_SOCKET, AF_INET, AF_INET6 } = LINUX
const { sockaddr_in, sockaddr_in6 } = STRUCT

/** Time for connections of which the kernel has heard: only the client and its line are waited for. */
const UNDER_WAY_MILLISECONDS = 1_000

export class Handover {
  readonly #addresses: ReadonlySet<string>
  #before: ReadonlySet<bigint> = new Set()
  #isDiverted = false

  /** Whether two sockets can share a port here. */
  static get isPossible(): boolean {
    return libc() !== undefined
  }

  private constructor(names: readonly string[]) {
    this.#addresses = new Set(names)
  }

  /**
   * From here on others may open the ports of what is bound to the addresses, with SO_REUSEPORT. Over UDP that is all;
   * a listener of the other protocol may have the same address, and stay.
   */
  static async from(
    tcp: readonly SocketAddress[],
    udp: readonly SocketAddress[] = [],
  ): Promise<Handover> {
    const handover = new Handover([
      ...tcp.map((address) => nameOf(address, LINUX.SOCK_STREAM)),
      ...udp.map((address) => nameOf(address, LINUX.SOCK_DGRAM)),
    ])
    const bound = await handover.#bound()
    for (const { fd } of bound) {
      libc()?.setsockopt(fd, SOL_SOCKET, LINUX.SO_REUSEPORT, Int32Array.of(1), 4)
      // What an earlier handover left.
      chooseAmong(fd, undefined)
    }
    handover.#before = new Set(bound.map(({ cookie }) => cookie))
    return handover
  }

  /** Call it when the successors are open: they get every new connection from here on. */
  async divert(): Promise<void> {
    const listening = await this.#listening()
    const old = listening.filter((socket) => this.#before.has(socket.cookie))
    this.#isDiverted = old.length > 0
    for (const [address, sockets] of Map.groupBy(old, (one) => one.address)) {
      const sharing = listening.filter((one) => one.address === address).length
      const program = choosingLast(sockets.length, sharing - sockets.length)
      // Where no successor can be chosen, clients repeat what is not taken.
      if (sharing === sockets.length || !chooseAmong(sockets[0]!.fd, program)) block(sockets)
    }
  }

  /** Resolves when the sockets of before may be closed, after `divert`. */
  async settle(): Promise<void> {
    if (!this.#isDiverted) return
    await Bun.sleep(UNDER_WAY_MILLISECONDS)
    // While the sockets are closed one by one, the numbers by which they are chosen change.
    block((await this.#listening()).filter(({ cookie }) => this.#before.has(cookie)))
  }

  /** The successors are not wanted after all. Resolves when they may be closed. */
  async undo(): Promise<void> {
    const fresh = (await this.#listening()).filter(({ cookie }) => !this.#before.has(cookie))
    if (fresh.length === 0) return
    block(fresh)
    await Bun.sleep(UNDER_WAY_MILLISECONDS)
  }

  async #listening(): Promise<readonly Bound[]> {
    return (await this.#bound()).filter(({ isListening }) => isListening)
  }

  /** The sockets of this process that are bound to the addresses. */
  async #bound(): Promise<readonly Bound[]> {
    const system = libc()
    if (system === undefined || this.#addresses.size === 0) return []
    // Without a free descriptor there is no list: connections that are just being made are lost then.
    const descriptors = await readdir('/proc/self/fd').catch(() => [])
    return descriptors.flatMap((fd) => {
      const socket = boundSocket(system, Number(fd))
      return socket !== undefined && this.#addresses.has(socket.address) ? [socket] : []
    })
  }
}

type Bound = {
  readonly fd: number
  readonly address: string
  readonly cookie: bigint
  readonly isListening: boolean
}

/** Their clients repeat what is not taken, and come to another socket. */
const block = (sockets: readonly Bound[]): void => {
  for (const { fd } of sockets) filterPackets(fd, blockingNew())
}

/** undefined: it is no socket that a client can reach. */
function boundSocket(system: Libc, fd: number): Bound | undefined {
  const name = new Uint8Array(128)
  if (system.getsockname(fd, name, Uint32Array.of(name.length)) !== 0) return undefined
  const family = name[0]
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const isSix = family === AF_INET6
  const from = isSix ? sockaddr_in6.sin6_addr : sockaddr_in.sin_addr
  const ip = name.subarray(from, from + (isSix ? 16 : 4)).toHex()
  const port = (name[sockaddr_in.sin_port]! << 8) | name[sockaddr_in.sin_port + 1]!
  const option = (number: number, value: Int32Array | BigUint64Array): boolean =>
    system.getsockopt(fd, SOL_SOCKET, number, value, Uint32Array.of(value.byteLength)) === 0
  const [cookie, isListening, type] = [new BigUint64Array(1), new Int32Array(1), new Int32Array(1)]
  if (!option(LINUX.SO_COOKIE, cookie) || !option(LINUX.SO_TYPE, type)) return undefined
  option(LINUX.SO_ACCEPTCONN, isListening)
  // Connections have the address of the socket that took them, and are none.
  if (system.getpeername(fd, name, Uint32Array.of(name.length)) === 0) return undefined
  return {
    fd,
    address: `${type[0]} ${ip} ${port}`,
    cookie: cookie[0]!,
    isListening: isListening[0] === 1,
  }
}

const nameOf = ({ ip, port }: SocketAddress, type: number): string =>
  `${type} ${parseIp(ip)?.toHex()} ${port}`
