/**
 * Options of UDP sockets that Bun has no words for, set by calling the system: a large receive buffer,
 * because a burst that does not fit is lost without a trace, and none of the extras that Bun switches on
 * and a tracker pays for with every datagram (destination address, type of service, errors of
 * earlier answers). Where the system cannot be called nothing changes. Descriptors belong to the
 * process: any thread's sockets can be passed.
 */
import { dlopen, FFIType } from 'bun:ffi'

const SOL_SOCKET = 1
const SO_RCVBUF = 8

/** Level and name of what is switched off, as on Linux; a socket of the other family refuses its half. */
const UNWANTED = [
  { level: 0, option: 8, name: 'IP_PKTINFO' },
  { level: 0, option: 13, name: 'IP_RECVTOS' },
  { level: 0, option: 11, name: 'IP_RECVERR' },
  { level: 41, option: 49, name: 'IPV6_RECVPKTINFO' },
  { level: 41, option: 66, name: 'IPV6_RECVTCLASS' },
  { level: 41, option: 25, name: 'IPV6_RECVERR' },
] as const

/** Names of the C library, glibc and musl. */
const LIBRARIES = ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]

const open = (library: string) =>
  dlopen(library, {
    setsockopt: {
      args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32],
      returns: FFIType.i32,
    },
    getsockopt: {
      args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.ptr],
      returns: FFIType.i32,
    },
  })
type Library = ReturnType<typeof open>

function openLibrary(): Library | undefined {
  for (const library of LIBRARIES)
    try {
      return open(library)
    } catch {}
  return undefined
}

/** Bytes of receive buffer that each of the sockets has now, at least; undefined = nobody can tell. */
export function tuneUdpSockets(fds: readonly number[], bufferBytes: number): number | undefined {
  if (process.platform !== 'linux' || fds.length === 0) return undefined
  const library = openLibrary()
  if (library === undefined) return undefined
  const { setsockopt, getsockopt } = library.symbols
  const value = new Int32Array(1)
  const length = new Uint32Array([4])
  let least = Number.POSITIVE_INFINITY
  for (const fd of fds) {
    for (const { level, option } of UNWANTED) setsockopt(fd, level, option, value, 4)
    value[0] = bufferBytes
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, 4)
    // The kernel reports twice what it grants: the other half is its own bookkeeping.
    const known = getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, length) === 0
    least = Math.min(least, known ? value[0]! / 2 : bufferBytes)
    value[0] = 0
  }
  library.close()
  return least
}
