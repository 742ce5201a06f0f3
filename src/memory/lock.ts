/**
 * A mutex in shared memory that knows its holder. An uncontended pair of calls is two atomic instructions; a
 * thread that waits spins briefly, then sleeps. The holder's number in the word lets the control thread find
 * the locks of a thread that died.
 */

/** Set in the word when another thread sleeps on it. Thread numbers stay below. */
const CONTENDED = 0x4000_0000
/** Rounds of the spin: a critical section is about half a microsecond long. */
const SPINS = 200
/** A sleeper looks again after this long, even if it was never woken. */
const SLEEP_MILLISECONDS = 20

export class Lock {
  readonly #words: Int32Array
  readonly #at: number
  readonly #me: number
  readonly #alone: boolean
  /** How often this thread found it taken, and how often it had to sleep for it. Only a thread that waits counts. */
  contended = 0
  slept = 0

  /**
   * `thread` ≥ 1: 0 in the word means free. `alone`: no other thread has the memory, so nothing is locked at
   * all: atomic instructions make every announce wait for the writes of the one before.
   */
  constructor(memory: SharedArrayBuffer, wordIndex: number, thread: number, alone = false) {
    this.#words = new Int32Array(memory)
    this.#at = wordIndex
    this.#me = thread
    this.#alone = alone
  }

  /** Thread number of the holder; 0 = free. */
  holder(): number {
    return Atomics.load(this.#words, this.#at) & ~CONTENDED
  }

  acquire(): void {
    if (this.#alone) return
    if (Atomics.compareExchange(this.#words, this.#at, 0, this.#me) !== 0) this.#wait()
  }

  /** false = another thread holds it, and goes on holding it for a short while. For threads that must not hang. */
  tryAcquire(): boolean {
    return (
      this.#alone ||
      Atomics.compareExchange(this.#words, this.#at, 0, this.#me) === 0 ||
      this.#spin()
    )
  }

  release(): void {
    if (this.#alone) return
    const word = Atomics.exchange(this.#words, this.#at, 0)
    if ((word & CONTENDED) !== 0) Atomics.notify(this.#words, this.#at, 1)
  }

  /** Takes over from the holder `dead`, which no longer runs. For the control thread alone. */
  seize(dead: number): boolean {
    const word = Atomics.load(this.#words, this.#at)
    if ((word & ~CONTENDED) !== dead) return false
    return (
      Atomics.compareExchange(this.#words, this.#at, word, this.#me | (word & CONTENDED)) ===
        word || this.seize(dead)
    )
  }

  #spin(): boolean {
    this.contended++
    const words = this.#words
    const at = this.#at
    for (let spin = 0; spin < SPINS; spin++)
      if (Atomics.load(words, at) === 0 && Atomics.compareExchange(words, at, 0, this.#me) === 0)
        return true
    return false
  }

  #wait(): void {
    const words = this.#words
    const at = this.#at
    if (this.#spin()) return
    this.slept++
    // From here on the word is taken with CONTENDED set: others may sleep on it, too.
    for (;;) {
      const word = Atomics.load(words, at)
      if (word === 0) {
        if (Atomics.compareExchange(words, at, 0, this.#me | CONTENDED) === 0) return
      } else if (
        (word & CONTENDED) !== 0 ||
        Atomics.compareExchange(words, at, word, word | CONTENDED) === word
      )
        Atomics.wait(words, at, word | CONTENDED, SLEEP_MILLISECONDS)
    }
  }
}
