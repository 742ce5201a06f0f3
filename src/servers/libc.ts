/**
 * The few calls of the C library that Bun does not offer, on Linux only. Only this file knows how they are
 * reached. Descriptors belong to the process, whichever thread opened them.
 */
import { dlopen, FFIType, type Pointer, ptr as pointer, read } from 'bun:ffi'
import { SYSTEM_CALL } from './linux.ts'

/** Names of the library, glibc and musl. */
const LIBRARIES = ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]
const { i32, i64_fast, u32, u64, ptr } = FFIType

const open = (library: string) => {
  const { symbols } = dlopen(library, {
    setsockopt: { args: [i32, i32, i32, ptr, u32], returns: i32 },
    getsockopt: { args: [i32, i32, i32, ptr, ptr], returns: i32 },
    getpeername: { args: [i32, ptr, ptr], returns: i32 },
    getrlimit: { args: [i32, ptr], returns: i32 },
    shutdown: { args: [i32, i32], returns: i32 },
    socket: { args: [i32, i32, i32], returns: i32 },
    connect: { args: [i32, ptr, u32], returns: i32 },
    poll: { args: [ptr, u64, i32], returns: i32 },
    getsockname: { args: [i32, ptr, ptr], returns: i32 },
    recvmmsg: { args: [i32, ptr, u32, i32, ptr], returns: i32 },
    dup: { args: [i32], returns: i32 },
    dup3: { args: [i32, i32, i32], returns: i32 },
    close: { args: [i32], returns: i32 },
    getpagesize: { args: [], returns: i32 },
    adjtimex: { args: [ptr], returns: i32 },
    madvise: { args: [u64, u64, i32], returns: i32 },
    syscall: { args: [i64_fast, i32, ptr, u32, i32], returns: i32 },
    __errno_location: { args: [], returns: ptr },
  })
  const { SYS_sendmmsg, SYS_gettid } = SYSTEM_CALL[process.arch as keyof typeof SYSTEM_CALL]
  return {
    ...symbols,
    /** Not by the function of that name, which in musl calls `sendmsg` for each message. */
    sendmmsg: (fd: number, messages: number, count: number, flags: number): number =>
      symbols.syscall(SYS_sendmmsg, fd, messages as Pointer, count, flags),
    /** Not by the function of that name, which older libraries do not have. */
    gettid: (): number => symbols.syscall(SYS_gettid, 0, null, 0, 0),
    /** Why the previous call failed. Ask at once. */
    errno: (): number => read.i32(symbols.__errno_location()!, 0),
  }
}

/** Address of `memory` plus `offset` bytes; valid while the caller keeps the memory. */
export const addressOf = (memory: NodeJS.TypedArray | ArrayBuffer, offset = 0): number =>
  pointer(memory, offset)

export type Libc = ReturnType<typeof open>

/** Opened at the first use, once in each thread; null: the system has no such library. */
let opened: Libc | null | undefined

/** Number of the calling thread in the system; 0: not known. */
export const threadId = (): number => libc()?.gettid() ?? 0

export function libc(): Libc | undefined {
  if (opened === undefined) opened = process.platform === 'linux' ? find() : null
  return opened ?? undefined
}

function find(): Libc | null {
  for (const library of LIBRARIES)
    try {
      return open(library)
    } catch {}
  return null
}
