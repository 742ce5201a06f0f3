/** A thread that appends announces to a ring, from number `from` on, until it is ended. */
import { RING_ENTRIES, RingReader, RingWriter } from '../../../src/accounting/ring.ts'
import { EVENT } from '../../../src/bittorrent.ts'
import { announceOf } from './announces.ts'

declare const self: Worker

export type RingTask = {
  readonly ring: SharedArrayBuffer
  readonly seed: Int32Array
  readonly from: number
}

self.onmessage = ({ data: { ring, seed, from } }: MessageEvent<RingTask>) => {
  const writer = new RingWriter(ring, seed)
  const reader = new RingReader(ring)
  const { announce, answer } = announceOf(from)
  for (let n = from; ; ) {
    // A full ring would lose it, and the test wants all.
    if (reader.waiting >= RING_ENTRIES / 2) continue
    announceOf(n, EVENT.started, { announce, answer })
    writer.append(n, announce, answer, n)
    n++
  }
}
