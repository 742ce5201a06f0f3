/**
 * The TCP connections of this process, as the kernel knows them: Bun reports a connection only when it has a
 * whole request. Finds them, ends them and keeps new ones away; Linux only. Never closes a descriptor that it
 * did not open: those belong to Bun, which closes a connection itself once it has been shut down.
 */
import { readdir } from 'node:fs/promises'
import { nextTurn } from '../time/turns.ts'
import { printIp } from '../wire/address.ts'
import { type Libc, libc } from './libc.ts'
import { LINUX, STRUCT } from './linux.ts'
import { blockingProgram } from './packet-filter.ts'
import { filterPackets } from './socket-options.ts'

const { O_CLOEXEC } = LINUX
const STREAM_SOCKET = LINUX.SOCK_STREAM | LINUX.SOCK_CLOEXEC
const { sockaddr_in, sockaddr_in6, rlimit } = STRUCT
/** Descriptors that are looked at in one turn. */
const TURN = 256
/** No system allows a process more. */
const MOST_DESCRIPTORS = 2 ** 30
const V4_MAPPED = '00000000000000000000ffff'

export type Connection = {
  readonly fd: number
  /** Our port that it came to. */
  readonly port: number
  /** The client, in hex digits: an IPv4 address, or a /64, all of which one IPv6 client has. */
  readonly client: string
  /** Address and port of the other end: with `fd` it identifies the connection. */
  readonly peer: string
}

export type Look = {
  /** Descriptors that are open. */
  readonly used: number
  readonly connections: readonly Connection[]
  /** Sockets that listen on the ports. */
  readonly listeners: readonly { readonly fd: number; readonly port: number }[]
}

export class TcpSockets {
  readonly #libc: Libc
  /** Descriptors that the process may have. */
  readonly limit: number
  /** Holds a connection while it is looked at, and `#nothing` otherwise. */
  readonly #spare: number
  /** A socket without connection. Its duplicate shows which number is free. */
  readonly #nothing: number
  readonly #peer = new Uint8Array(128)
  readonly #here = new Uint8Array(128)
  readonly #length = new Uint32Array(1)
  readonly #flag = new Int32Array(1)

  private constructor(system: Libc, limit: number, spare: number, nothing: number) {
    this.#libc = system
    this.limit = limit
    this.#spare = spare
    this.#nothing = nothing
  }

  /** undefined: the system has no such calls. */
  static open(): TcpSockets | undefined {
    const system = libc()
    const limits = new BigUint64Array(rlimit.bytes / 8)
    if (system === undefined || system.getrlimit(LINUX.RLIMIT_NOFILE, limits) !== 0)
      return undefined
    const limit = Math.min(Number(limits[rlimit.rlim_cur / 8]), MOST_DESCRIPTORS)
    const nothing = system.socket(LINUX.AF_UNIX, STREAM_SOCKET, 0)
    const spare = system.socket(LINUX.AF_UNIX, STREAM_SOCKET, 0)
    return nothing < 0 || spare < 0 ? undefined : new TcpSockets(system, limit, spare, nothing)
  }

  /** The descriptor that the kernel would give next; all below are taken. -1: none is left. */
  lowestFree(): number {
    const fd = this.#libc.dup(this.#nothing)
    if (fd >= 0) this.#libc.close(fd)
    return fd
  }

  /** Takes a few microseconds for each descriptor, in several turns of the event loop. */
  async look(ports: ReadonlySet<number>): Promise<Look> {
    const open = await this.#open()
    const connections: Connection[] = []
    const listeners: { fd: number; port: number }[] = []
    for (const [i, fd] of open.entries()) {
      if (i % TURN === TURN - 1) await nextTurn()
      const connection = this.#connection(fd)
      if (connection !== undefined) {
        if (ports.has(connection.port)) connections.push({ fd, ...connection })
        continue
      }
      const port = this.#listens(fd) ? this.#portOf(fd) : undefined
      if (port !== undefined && ports.has(port)) listeners.push({ fd, port })
    }
    return { used: open.length, connections, listeners }
  }

  /** Ends the connection, unless its descriptor means something else by now. */
  end({ fd, peer }: Connection): boolean {
    // Held by our own descriptor, it cannot become another between the look and the shutdown.
    if (this.#libc.dup3(fd, this.#spare, O_CLOEXEC) < 0) return false
    const same = this.#connection(this.#spare)?.peer === peer
    if (same) this.#libc.shutdown(this.#spare, LINUX.SHUT_RDWR)
    this.#libc.dup3(this.#nothing, this.#spare, O_CLOEXEC)
    return same
  }

  /**
   * Keeps these clients, and no others, from opening new connections to the listening socket. The kernel drops
   * the packet that asks for one, and the client asks again after a second; existing connections go on.
   */
  block(fd: number, clients: readonly string[]): void {
    filterPackets(fd, clients.length === 0 ? undefined : blockingProgram(clients))
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#spare)
    this.#libc.close(this.#nothing)
  }

  async #open(): Promise<readonly number[]> {
    try {
      return (await readdir('/proc/self/fd')).map(Number)
    } catch (error) {
      // The limit may be a thousand million: it does not say how many are open.
      if ((error as NodeJS.ErrnoException).code !== 'EMFILE') return []
      // There is no descriptor left to open the directory with, so every number is taken.
      return Array.from({ length: this.limit }, (_, fd) => fd)
    }
  }

  /** undefined: it is not a connection. */
  #connection(fd: number): Omit<Connection, 'fd'> | undefined {
    this.#length[0] = this.#peer.length
    if (this.#libc.getpeername(fd, this.#peer, this.#length) !== 0) return undefined
    const port = this.#portOf(fd)
    // There may be connected UDP sockets as well, on ports of the same numbers.
    if (port === undefined || this.#option(fd, LINUX.SO_TYPE) !== LINUX.SOCK_STREAM)
      return undefined
    const six = this.#peer[0] === LINUX.AF_INET6
    const { sin_port, sin_addr } = sockaddr_in
    const { sin6_addr } = sockaddr_in6
    const peer = this.#peer.subarray(sin_port, six ? sin6_addr + 16 : sin_addr + 4).toHex()
    const address = peer.slice(((six ? sin6_addr : sin_addr) - sin_port) * 2)
    const mapped = address.startsWith(V4_MAPPED)
    return { port, peer, client: mapped ? address.slice(24) : address.slice(0, 16) }
  }

  #portOf(fd: number): number | undefined {
    this.#length[0] = this.#here.length
    if (this.#libc.getsockname(fd, this.#here, this.#length) !== 0) return undefined
    const family = this.#here[0]
    const isInternet = family === LINUX.AF_INET || family === LINUX.AF_INET6
    return isInternet ? (this.#here[2]! << 8) | this.#here[3]! : undefined
  }

  #listens(fd: number): boolean {
    return this.#option(fd, LINUX.SO_ACCEPTCONN) === 1
  }

  /** The value of an option; 0 where there is no such option. */
  #option(fd: number, option: number): number {
    this.#flag[0] = 0
    this.#length[0] = 4
    this.#libc.getsockopt(fd, LINUX.SOL_SOCKET, option, this.#flag, this.#length)
    return this.#flag[0]!
  }
}

/** The client as text. */
export function printClient(client: string): string {
  const bytes = Uint8Array.fromHex(client.padEnd(client.length === 8 ? 8 : 32, '0'))
  return client.length === 8 ? printIp(bytes, 4) : `${printIp(bytes, 6)}/64`
}
