/** What must be true of a shard's ledger and stored counts between two changes; part of whole.ts. */
import { hashInfoHash, infoHashSecrets } from '../../../src/memory/hash.ts'
import {
  HEADER,
  LISTED,
  NIL,
  QUESTIONS,
  STORED,
  STORED_COUNTS,
  seedIn,
  TORRENT,
  type TorrentArrays,
  WANTED,
} from '../../../src/swarm/layout.ts'

type Report = (ok: boolean, fault: string) => void

export function checkLedger(arrays: TorrentArrays, used: Set<number>, check: Report): void {
  const { header, records, ledgerNext, ledgerPrevious, owed } = arrays
  const flag = (torrent: number, bit: number) =>
    (records[torrent * TORRENT.words + TORRENT.flags]! & bit) !== 0
  if (owed.length === 0) {
    check(
      [...used].every((t) => !flag(t, LISTED | WANTED)),
      'wants or owes, and keeps no ledger',
    )
    check(header[HEADER.listed] === 0 && header[HEADER.owed] === 0, 'counts what it does not keep')
    return
  }
  const listed = new Set<number>()
  let previous: number = NIL
  for (let torrent = header[HEADER.ledgerFirst]!; torrent !== NIL; ) {
    check(used.has(torrent) && !listed.has(torrent), `torrent ${torrent} in the ledger`)
    if (!used.has(torrent) || listed.has(torrent)) break
    check(ledgerPrevious[torrent] === previous, `torrent ${torrent} has a wrong link back`)
    listed.add(torrent)
    previous = torrent
    torrent = ledgerNext[torrent]!
  }
  check(header[HEADER.ledgerLast] === previous, 'has a ledger with a wrong end')
  check(header[HEADER.listed] === listed.size, `counts others than ${listed.size} in the ledger`)
  let sum = 0
  for (let torrent = 0; torrent < header[HEADER.torrentHigh]!; torrent++) {
    const debt = owed[torrent]!
    sum += debt
    check(debt === 0 || (debt > 0 && listed.has(torrent)), `torrent ${torrent} owes ${debt}`)
    check(flag(torrent, LISTED) === listed.has(torrent), `torrent ${torrent} is marked as listed`)
  }
  check(sum === header[HEADER.owed], `owes ${sum}, says otherwise`)
}

export function checkStored(arrays: TorrentArrays, used: Set<number>, check: Report): void {
  const { header, records, stored, questions } = arrays
  const from = header[HEADER.askedFrom]!
  const to = header[HEADER.askedTo]!
  if (stored.length === 0) {
    check(from === 0 && to === 0, 'has questions, and keeps no counts')
    return
  }
  // Without a question the table was never touched.
  if (from === 0 && to === 0) return
  const waiting = (to - from) | 0
  check(waiting >= 0 && waiting <= QUESTIONS, `${waiting} questions wait`)
  const asked = new Set<number>()
  for (let i = 0; i < waiting; i++) asked.add(questions[(from + i) & (QUESTIONS - 1)]!)
  const secrets = infoHashSecrets(seedIn(header))
  const here = new Set([...used].map((t) => `${records.subarray(t * 16, t * 16 + 5)}`))
  for (let entry = 0; entry < STORED_COUNTS; entry++) {
    const at = entry * STORED.words
    const state = stored[at + STORED.state]!
    check(state >= 0 && state <= 3, `count ${entry} is in state ${state}`)
    if (state === 0) continue
    const hash = hashInfoHash(secrets, stored, at)
    check((hash & (STORED_COUNTS - 1)) === entry, `count ${entry} is in a wrong place`)
    check(state !== 1 || asked.has(entry), `count ${entry} was never asked for`)
    // A torrent in memory may be asked for until it has its count; the table may hold no count for it.
    if (state !== 3) continue
    check(
      !here.has(`${stored.subarray(at, at + 5)}`),
      `count ${entry} is of a torrent that is here`,
    )
    const words = [stored[at + STORED.count]!, stored[at + STORED.countHigh]!]
    check(
      words.every((word) => word >= 0),
      `count ${entry} is negative`,
    )
  }
}
