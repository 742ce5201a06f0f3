/** Announces by number, for the tests of this folder: every word follows from the number, so that a torn entry shows. */
import { ENTRY, eventIn, type RingReader } from '../../../src/accounting/ring.ts'
import { Announce, type AnnounceEvent, Answer, EVENT } from '../../../src/bittorrent.ts'

const word = (n: number, i: number): number => Math.imul(n + 1, 0x9e37_79b1 + 2 * i) ^ i

/** Announce number `n` and its answer. `into`: written again. */
export function announceOf(
  n: number,
  event: AnnounceEvent = EVENT.started,
  into = { announce: new Announce(), answer: new Answer([]) },
) {
  const { announce, answer } = into
  announce.event = event
  for (let i = 0; i < 15; i++) announce.words[i] = word(n, i)
  for (let i = 0; i < 6; i++) announce.counts[i] = word(n, 15 + i)
  announce.family = n % 2 === 0 ? 4 : 6
  announce.port = n & 0xffff
  answer.seeders = n
  answer.leechers = n + 1
  return into
}

const whole = announceOf(0)

/** The number of the announce whose entry stands at `at`; throws when it is not the whole entry of one announce. */
export function numberIn({ cells, at }: { cells: Int32Array; at: number }): number {
  const n = cells[at + ENTRY.seeders]!
  const { announce, answer } = announceOf(n, EVENT.started, whole)
  const isWhole =
    cells[at + ENTRY.account] === n &&
    cells[at + ENTRY.second] === n &&
    eventIn(cells[at + ENTRY.what]!) === announce.event &&
    cells[at + ENTRY.leechers] === answer.leechers &&
    cells[at + ENTRY.port] === announce.port &&
    announce.words.subarray(0, 10).every((one, i) => cells[at + ENTRY.infoHash + i] === one) &&
    announce.counts.every((one, i) => cells[at + ENTRY.counts + i] === one)
  if (!isWhole) throw new Error(`entry of announce ${n} is torn`)
  return n
}

/** The numbers of the entries that wait, which are taken. */
export function drain(reader: RingReader, most = Infinity): number[] {
  const count = Math.min(reader.waiting, most)
  const numbers = Array.from({ length: count }, (_, i) =>
    numberIn({ cells: reader.cells, at: reader.at(i) }),
  )
  reader.took(count)
  return numbers
}
