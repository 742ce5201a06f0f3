/**
 * Options of sockets that Bun does not set. UDP sockets get a large receive buffer, because a burst that does not fit is
 * lost without a trace, and lose the extras that Bun switches on and that cost something for every datagram
 * (destination address, type of service, errors of earlier answers). Any socket may get a packet filter. Where the C
 * library cannot be called, nothing changes.
 */
import { addressOf, libc } from './libc.ts'
import { LINUX, STRUCT } from './linux.ts'

const { IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET, SO_RCVBUF } = LINUX

/** Options that are switched off; a socket of one family refuses those of the other. */
const UNWANTED = [
  { level: IPPROTO_IP, option: LINUX.IP_PKTINFO },
  { level: IPPROTO_IP, option: LINUX.IP_RECVTOS },
  { level: IPPROTO_IP, option: LINUX.IP_RECVERR },
  { level: IPPROTO_IPV6, option: LINUX.IPV6_RECVPKTINFO },
  { level: IPPROTO_IPV6, option: LINUX.IPV6_RECVTCLASS },
  { level: IPPROTO_IPV6, option: LINUX.IPV6_RECVERR },
]

/** Sets the options of socket `fd`. Bytes of its receive buffer now; undefined: not known. */
export function tuneUdpSocket(fd: number, bufferBytes: number): number | undefined {
  const system = libc()
  if (system === undefined) return undefined
  const value = new Int32Array(1)
  for (const { level, option } of UNWANTED) system.setsockopt(fd, level, option, value, 4)
  value[0] = bufferBytes
  system.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, 4)
  // The kernel reports twice what it grants: the other half is its own bookkeeping.
  const known = system.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, new Uint32Array([4])) === 0
  return known ? value[0]! / 2 : undefined
}

/** Words of SO_MEMINFO, and the one that counts what did not fit the receive buffer. */
const MEMINFO = { words: 9, drops: 8 } as const

/** Datagrams the kernel dropped because the receive buffer of socket `fd` was full; undefined: not known. */
export function droppedAt(fd: number): number | undefined {
  const words = new Uint32Array(MEMINFO.words)
  const length = new Uint32Array([words.byteLength])
  const read = libc()?.getsockopt(fd, SOL_SOCKET, LINUX.SO_MEMINFO, words, length)
  return read === 0 ? words[MEMINFO.drops] : undefined
}

/** Has the kernel run `program` (packet-filter.ts) on what arrives at `fd`; undefined: none. false: it refused. */
export const filterPackets = (fd: number, program: ArrayBuffer | undefined): boolean =>
  attach(fd, program === undefined ? LINUX.SO_DETACH_FILTER : LINUX.SO_ATTACH_FILTER, program)

/**
 * Has `program` choose which of the sockets that share a port with `fd` gets a new connection; undefined: none does,
 * and the kernel deals them out. false: it refused.
 */
export const chooseAmong = (fd: number, program: ArrayBuffer | undefined): boolean =>
  attach(
    fd,
    program === undefined ? LINUX.SO_DETACH_REUSEPORT_BPF : LINUX.SO_ATTACH_REUSEPORT_CBPF,
    program,
  )

function attach(fd: number, option: number, program: ArrayBuffer | undefined): boolean {
  const { bytes: nameBytes, len, filter } = STRUCT.sock_fprog
  const instructions = program === undefined ? new Uint8Array() : new Uint8Array(program)
  // In one piece of memory with its name, so that it is not collected before the kernel has read it.
  const named = new Uint8Array(new ArrayBuffer(nameBytes + instructions.length))
  named.set(instructions, nameBytes)
  const name = new DataView(named.buffer)
  name.setUint16(len, instructions.length / STRUCT.sock_filter.bytes, true)
  name.setBigUint64(filter, BigInt(addressOf(named, nameBytes)), true)
  return libc()?.setsockopt(fd, SOL_SOCKET, option, named, nameBytes) === 0
}
