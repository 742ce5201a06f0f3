/**
 * The way from one serving thread to the others: a message port for each pair. What goes to a thread in one turn of
 * the event loop goes in one message, because a message costs far more than what is in it. A thread that does not
 * read cannot grow the memory of one that writes: both count what is under way.
 */
import type { MessagePort } from 'node:worker_threads'
import { LIMITS } from '../limits.ts'

/** One end of a link; survives `postMessage`, which must transfer the port. */
export type LinkEnd = {
  /** The thread at the other end. */
  readonly thread: number
  readonly port: MessagePort
  /** Two counts of relayed messages under way, a long one as several: those to the other end, then those from there. */
  readonly counts: SharedArrayBuffer
  readonly isFirst: boolean
}

/** What is said of each relayed message besides its text. All in words. */
export const RELAYED = {
  /** The seat it goes to. */
  to: 0,
  /** Seat of the offerer; 0: the message is an answer, and the rest means nothing. */
  from: 1,
  /** Info hash, peer id of the offerer, offer id. */
  ids: 2,
  words: 17,
} as const

/** What one message between threads holds: `RELAYED.words` for each text. */
type Batch = { readonly words: Int32Array; readonly texts: readonly string[] }

/** `words[at…]` say what `text`, which came from `thread`, is. */
type Receive = (thread: number, words: Int32Array, at: number, text: string) => void

/** Told how many bytes of garbage were made: the engine does not see what waits in a port. */
export type Made = (bytes: number) => void

/** Bytes that a message between threads leaves behind besides its texts, at either end, and each text of it. */
const BATCH_BYTES = 2_048
const TEXT_BYTES = 256
const bytesOf = (texts: readonly string[]): number =>
  texts.reduce((sum, { length }) => sum + length + TEXT_BYTES, BATCH_BYTES)

/** Characters of a message that count as one. Most have fewer, and none more than 64 KiB. */
const COUNTED_CHARACTERS = 4_096
const weightOf = ({ length }: string): number => 1 + Math.floor(length / COUNTED_CHARACTERS)
const weightOfAll = (texts: readonly string[]): number =>
  texts.reduce((weight, text) => weight + weightOf(text), 0)

type Link = {
  readonly port: MessagePort
  readonly counts: Int32Array
  readonly sent: number
  texts: string[]
}

export class Links {
  readonly #links = new Map<number, Link>()
  /** By link what waits for the end of the turn, one behind the other. */
  readonly #waiting = new Map<Link, Int32Array>()
  readonly #receive: Receive
  readonly #made: Made
  #isPlanned = false

  constructor(receive: Receive, made: Made = () => {}) {
    this.#receive = receive
    this.#made = made
  }

  /** A thread that died is replaced by one with the same number and another link. */
  add({ thread, port, counts, isFirst }: LinkEnd): void {
    const before = this.#links.get(thread)
    const under = new Int32Array(counts)
    const [sent, received] = isFirst ? [0, 1] : [1, 0]
    const link: Link = { port, counts: under, sent, texts: [] }
    this.#links.set(thread, link)
    if (before !== undefined) {
      this.#waiting.delete(before)
      before.port.close()
    }
    port.on('message', ({ words, texts }: Batch) => {
      Atomics.sub(under, received, weightOfAll(texts))
      this.#made(bytesOf(texts))
      for (const [i, text] of texts.entries()) this.#receive(thread, words, i * RELAYED.words, text)
    })
    // The link keeps no thread alive.
    port.unref()
  }

  /** The words of the next message to `thread`, to be filled at `at`; undefined: too many are under way. */
  send(
    thread: number,
    text: string,
  ): { readonly words: Int32Array; readonly at: number } | undefined {
    const link = this.#links.get(thread)
    if (link === undefined) return undefined
    const { texts, counts, sent } = link
    if (Atomics.load(counts, sent) >= LIMITS.relayedUnderWay) return undefined
    Atomics.add(counts, sent, weightOf(text))
    const at = texts.length * RELAYED.words
    texts.push(text)
    let words = this.#waiting.get(link) ?? new Int32Array(8 * RELAYED.words)
    if (at === words.length) {
      const longer = new Int32Array(words.length * 2)
      longer.set(words)
      words = longer
    }
    this.#waiting.set(link, words)
    if (!this.#isPlanned) {
      this.#isPlanned = true
      setImmediate(() => this.#flush())
    }
    return { words, at }
  }

  close(): void {
    for (const { port } of this.#links.values()) port.close()
    this.#links.clear()
    this.#waiting.clear()
  }

  #flush(): void {
    this.#isPlanned = false
    for (const [link, words] of this.#waiting) {
      const { texts } = link
      link.texts = []
      const batch: Batch = { words: words.slice(0, texts.length * RELAYED.words), texts }
      link.port.postMessage(batch)
      this.#made(bytesOf(texts))
    }
    this.#waiting.clear()
  }
}
