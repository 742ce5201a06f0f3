/**
 * A text that the control thread puts up and other threads read: in shared memory, in two halves, of which one is
 * shown while the other is written. A reader never waits.
 */

/** Words: how often a text was put up, and the bytes of each half. */
const AT = { version: 0, bytes: 1, words: 4 } as const

export class Board {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #halves: readonly [Uint8Array, Uint8Array]
  readonly #most: number

  /** `memory`: of the board of another thread; or bytes of the longest text. */
  constructor(memory: SharedArrayBuffer | number) {
    this.memory =
      typeof memory === 'number' ? new SharedArrayBuffer(AT.words * 4 + 2 * memory) : memory
    const most = (this.memory.byteLength - AT.words * 4) / 2
    this.#most = most
    this.#words = new Int32Array(this.memory, 0, AT.words)
    const half = (i: number) => new Uint8Array(this.memory, AT.words * 4 + i * most, most)
    this.#halves = [half(0), half(1)]
  }

  /** Grows with every text; 0: there is none. */
  get version(): number {
    return Atomics.load(this.#words, AT.version)
  }

  /** Only the control thread calls it. false: it is too long, and the old one stays. */
  put(text: string): boolean {
    const bytes = Buffer.from(text)
    if (bytes.length > this.#most) return false
    const next = this.version + 1
    const half = next & 1
    this.#halves[half]!.set(bytes)
    this.#words[AT.bytes + half] = bytes.length
    Atomics.store(this.#words, AT.version, next)
    return true
  }

  /** undefined: there is none. */
  read(): string | undefined {
    // The half is written again when the next text but one is put up, seconds later: no read takes so long.
    const half = this.version & 1
    if (this.version === 0) return undefined
    return Buffer.from(this.#halves[half]!.slice(0, this.#words[AT.bytes + half])).toString()
  }
}
