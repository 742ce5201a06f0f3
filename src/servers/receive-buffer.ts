/**
 * Asks the kernel for a large UDP receive buffer, because a burst that does not fit is lost without a
 * trace in the process. Bun has no option for it, so the system is called directly; where that is not
 * possible nothing changes. Descriptors belong to the process: any thread's sockets can be passed.
 */
import { dlopen, FFIType } from 'bun:ffi'

const SOL_SOCKET = 1
const SO_RCVBUF = 8

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

/** Bytes that every one of the sockets has now, at least; undefined = the system could not be asked. */
export function enlargeReceiveBuffers(fds: readonly number[], bytes: number): number | undefined {
  if (process.platform !== 'linux' || fds.length === 0) return undefined
  for (const library of LIBRARIES) {
    let libc: ReturnType<typeof open>
    try {
      libc = open(library)
    } catch {
      continue
    }
    const value = new Int32Array([bytes])
    const length = new Uint32Array([4])
    let least = Number.POSITIVE_INFINITY
    for (const fd of fds) {
      value[0] = bytes
      libc.symbols.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, 4)
      if (libc.symbols.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, length) !== 0) return undefined
      // The kernel reports twice what it grants: the other half is its own bookkeeping.
      least = Math.min(least, value[0]! / 2)
    }
    libc.close()
    return least
  }
  return undefined
}
