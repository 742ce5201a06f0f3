/**
 * Options of UDP sockets that Bun does not set: a large receive buffer, because a burst that does not fit is
 * lost without a trace; and without the extras that Bun switches on and that cost something for every datagram
 * (destination address, type of service, errors of earlier answers). Where the C library cannot be called,
 * nothing changes.
 */
import { LINUX, libc } from './libc.ts'

const { SOL_SOCKET } = LINUX
const SO_RCVBUF = 8

/** Options that are switched off; a socket of one family refuses those of the other. */
const UNWANTED = [
  { level: 0, option: 8, name: 'IP_PKTINFO' },
  { level: 0, option: 13, name: 'IP_RECVTOS' },
  { level: 0, option: 11, name: 'IP_RECVERR' },
  { level: 41, option: 49, name: 'IPV6_RECVPKTINFO' },
  { level: 41, option: 66, name: 'IPV6_RECVTCLASS' },
  { level: 41, option: 25, name: 'IPV6_RECVERR' },
] as const

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
