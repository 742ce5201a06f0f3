/**
 * A serving thread that does nothing but ask whitelist and keys, and judges every answer by what the
 * writer says that it did before and after.
 */
import { Keys, UNKNOWN } from '../../../src/access/keys.ts'
import { Whitelist } from '../../../src/access/whitelist.ts'
import { dice } from '../random.ts'
import { hashWords, keyWords } from './entries.ts'

/**
 * Numbers below `stays` are in all the while; `stays` to `end` come and go; those from `end` on
 * never are.
 */
export type ReaderTask = {
  readonly whitelist: SharedArrayBuffer
  readonly keys: SharedArrayBuffer
  /** By number: even = in, and so often put in again; odd = out; `BUSY` bit: being changed. */
  readonly states: SharedArrayBuffer
  readonly stays: number
  readonly end: number
  readonly seed: number
  /** Word 0: reader stops when it is 1. Word 1 + `reader`: questions asked. */
  readonly control: SharedArrayBuffer
  readonly reader: number
}
export const BUSY = 1 << 30

/** Until when keys that stay are good, in turn: halves of two of them would be a third. */
export const TIMES = [1.1e12, 2.2e12, 3.3e15, Number.POSITIVE_INFINITY] as const

export type ReaderResult = {
  readonly faults: readonly string[]
  /** Answers that could be judged, of numbers that come and go: those inside, and those outside. */
  readonly inside: number
  readonly outside: number
}

declare const self: Worker

const never = (n: number, end: number): Int32Array => {
  // Half of one that comes and goes, half of another: what a torn record would look like.
  const words = hashWords(n % end).slice()
  words.set(hashWords((n + 1) % end).subarray(3), 3)
  return words
}

self.onmessage = ({ data }: MessageEvent<ReaderTask>) => {
  const { states: memory, stays, end, reader } = data
  const whitelist = new Whitelist(data.whitelist, false)
  const keys = new Keys(data.keys, false)
  const states = new Int32Array(memory)
  const control = new Int32Array(data.control)
  const roll = dice(data.seed | 1)
  const faults: string[] = []
  const fault = (text: string) => void (faults.length < 20 && faults.push(text))
  let [inside, outside] = [0, 0]
  const words = Array.from({ length: end }, (_, n) => hashWords(n))
  const plainKeys = Array.from({ length: stays }, (_, n) => keyWords(n))
  const torn = Array.from({ length: 500 }, (_, n) => never(stays + n * 3, end))
  while (Atomics.load(control, 0) === 0) {
    const staying = roll(stays)
    if (!whitelist.has(words[staying]!)) fault(`${staying} stays, and was not found`)
    const time = keys.validUntil(plainKeys[staying]!)
    if (time === UNKNOWN) fault(`key ${staying} stays, and was not found`)
    else if (!(TIMES as readonly number[]).includes(time)) fault(`key ${staying} is torn: ${time}`)
    if (whitelist.has(torn[roll(500)]!)) fault('found what was never there')

    const n = stays + roll(end - stays)
    const before = Atomics.load(states, n)
    const found = whitelist.has(words[n]!)
    const after = Atomics.load(states, n)
    if (before === after && (before & BUSY) === 0) {
      if (found !== (before % 2 === 0))
        fault(`${n} is ${found ? '' : 'not '}found in state ${before}`)
      if (found) inside++
      else outside++
    }
    Atomics.add(control, 1 + reader, 1)
  }
  self.postMessage({ faults, inside, outside } satisfies ReaderResult)
}
