/**
 * Interrupts Bun while it reads a UDP socket. Bun reads until the socket is empty and runs nothing else
 * meanwhile: no timer, no signal, no HTTP; under full load that can be for ever. So for the rest of the turn
 * an empty socket is put under the same descriptor, Bun finds nothing more and goes on, and in
 * the next turn the real one is back. Nothing is lost: what arrives waits in its buffer.
 */
import { type Libc, libc } from './libc.ts'

const AF_INET = 2
/** SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK */
const EMPTY_SOCKET = 2 | 0o2000000 | 0o4000
const O_CLOEXEC = 0o2000000

/** No spare descriptor is open. */
const NONE = -1

/**
 * Where threads leave the number of the descriptor that keeps their real socket alive during a break. If one
 * dies in between, the control thread must close it, or the kernel goes on filling a dead socket.
 */
export const breakMemory = (sockets: number): SharedArrayBuffer => {
  const memory = new SharedArrayBuffer(Math.max(1, sockets) * 4)
  new Int32Array(memory).fill(NONE)
  return memory
}

/** Closes what a dead thread left open: `words` are its own in the memory above. */
export function closeLeftovers(words: Int32Array): void {
  for (const [i, fd] of words.entries()) {
    if (fd !== NONE) libc()?.close(fd)
    words[i] = NONE
  }
}

export class ReadBreak {
  readonly #libc: Libc
  readonly #fd: number
  readonly #empty: number
  readonly #words: Int32Array
  readonly #at: number

  private constructor(system: Libc, fd: number, empty: number, words: Int32Array, at: number) {
    this.#libc = system
    this.#fd = fd
    this.#empty = empty
    this.#words = words
    this.#at = at
  }

  /** For the socket `fd`, whose word is `words[at]`; undefined where the system has no such thing. */
  static of(fd: number, words: Int32Array, at: number): ReadBreak | undefined {
    const system = libc()
    const empty = system?.socket(AF_INET, EMPTY_SOCKET, 0) ?? -1
    return system && empty >= 0 ? new ReadBreak(system, fd, empty, words, at) : undefined
  }

  /** Until `end`, nothing can be received; nor must anything be sent. false: it did not work. */
  begin(): boolean {
    if (this.#words[this.#at] !== NONE) return true
    const spare = this.#libc.dup(this.#fd)
    if (spare < 0) return false
    this.#words[this.#at] = spare
    if (this.#libc.dup3(this.#empty, this.#fd, O_CLOEXEC) >= 0) return true
    this.#words[this.#at] = NONE
    this.#libc.close(spare)
    return false
  }

  end(): void {
    const spare = this.#words[this.#at]!
    if (spare === NONE) return
    this.#libc.dup3(spare, this.#fd, O_CLOEXEC)
    this.#words[this.#at] = NONE
    this.#libc.close(spare)
  }

  /** The socket is closed or about to be. */
  [Symbol.dispose](): void {
    this.end()
    this.#libc.close(this.#empty)
  }
}
