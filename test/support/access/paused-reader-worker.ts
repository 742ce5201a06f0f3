/**
 * A serving thread that looks up one key at a time and stops in the middle, on a record of its chain, until the
 * other thread lets it go on.
 */
import { Keys, UNKNOWN } from '../../../src/access/keys.ts'
import { Whitelist } from '../../../src/access/whitelist.ts'

export type PausedReaderTask = {
  readonly table: 'whitelist' | 'keys'
  readonly memory: SharedArrayBuffer
  readonly control: SharedArrayBuffer
}

/**
 * Words of `control`; the thread that stores to `turn` wakes the other. The key asked for begins at
 * `key`.
 */
export const CONTROL = { turn: 0, pauseAt: 1, found: 2, key: 8, words: 16 } as const
export const TURN = { idle: 0, ask: 1, paused: 2, goOn: 3, answered: 4 } as const

export function setTurn(control: Int32Array, turn: number): void {
  Atomics.store(control, CONTROL.turn, turn)
  Atomics.notify(control, CONTROL.turn)
}
/** Waits until it is one of `turns`, and says which. */
export function awaitTurn(control: Int32Array, ...turns: readonly number[]): number {
  for (;;) {
    const turn = Atomics.load(control, CONTROL.turn)
    if (turns.includes(turn)) return turn
    if (Atomics.wait(control, CONTROL.turn, turn, 60_000) === 'timed-out')
      throw new Error(`waited in vain for turn ${turns}`)
  }
}

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<PausedReaderTask>) => {
  const control = new Int32Array(data.control)
  const whitelist = data.table === 'whitelist' ? new Whitelist(data.memory, false) : undefined
  const keys = data.table === 'keys' ? new Keys(data.memory, false) : undefined
  awaitTurn(control, TURN.ask)
  const length = whitelist === undefined ? 8 : 5
  const key = control.slice(CONTROL.key, CONTROL.key + length)
  const pauseAt = control[CONTROL.pauseAt]!
  // The first word is read once for the hash (a key's twice, by halves), then once on every record.
  let reads = whitelist === undefined ? -2 : -1
  const words = Object.defineProperty(Array.from(key), 0, {
    get() {
      reads++
      if (reads === pauseAt) {
        setTurn(control, TURN.paused)
        awaitTurn(control, TURN.goOn)
      }
      return key[0]
    },
  }) as unknown as Int32Array
  const found = whitelist?.has(words) ?? keys?.validUntil(words) !== UNKNOWN
  control[CONTROL.found] = found ? 1 : 0
  setTurn(control, TURN.answered)
}
