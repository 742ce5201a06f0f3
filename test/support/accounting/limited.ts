/** A private tracker with accounts, as a thread has it; the lines and slots of accounts are written by the test. */
import { Access, createAccessMemory } from '../../../src/access/access.ts'
import { packKeys } from '../../../src/access/keys.ts'
import { Accounts } from '../../../src/accounting/accounts.ts'
import type { AccountSettings } from '../../../src/accounting/batch.ts'
import { Limits } from '../../../src/accounting/limits.ts'
import {
  createRing,
  ENTRY,
  eventIn,
  isGoneIn,
  limitIn,
  RingReader,
  RingWriter,
} from '../../../src/accounting/ring.ts'
import { createSlots, Slots } from '../../../src/accounting/slots.ts'
import type { TrackerParts } from '../../../src/tracker.ts'
import { keyText, run } from '../access/entries.ts'

const SEED = Int32Array.of(1, 2, 3, 4)

export const SETTINGS: AccountSettings = {
  enabled: true,
  canDownload: true,
  maxDownloads: null,
  maxPeers: null,
  upPercent: 100,
  downPercent: 100,
  freeUntil: null,
  hidden: false,
}

/** Accounts 1 to 3 have `keyText` of their number; `keyText(9)` is a key without an account. */
export function limitedTracker() {
  const accounts = new Accounts(Accounts.create(100))
  const slots = new Slots(createSlots(SEED, 100), true)
  const ring = createRing()
  const writer = new RingWriter(ring, SEED)
  const reader = new RingReader(ring)
  const memory = createAccessMemory({
    listed: false,
    private: true,
    checksExpiration: true,
    seed: SEED,
    keyCapacity: 10,
  })
  const access = new Access(memory!, true)
  const keys = [1, 2, 3].map((account) => ({
    key: keyText(account),
    validUntil: Infinity,
    account,
  }))
  run(access.keys!.putAll(packKeys([...keys, { key: keyText(9), validUntil: Infinity }])))
  const tracking: Pick<TrackerParts, 'access' | 'limits' | 'afterAnnounce' | 'afterLeave'> = {
    access,
    limits: new Limits(accounts, slots),
    afterAnnounce: ({ account }, announce, answer, now) =>
      writer.append(account, announce, answer, now),
    afterLeave: (account, peer, answer, now) => writer.appendGone(account, peer, answer, now),
  }
  return {
    accounts,
    slots,
    access,
    tracking,
    /** `account` leeches another torrent. */
    leech: (account: number, words: Int32Array, peer = 1) => {
      slots.enter(account, words, 0, peer, true)
      accounts.addLeeching(account, 1)
    },
    /** What was noted since the last call. */
    noted: () => {
      const { cells, waiting } = reader
      const entries = Array.from({ length: waiting }, (_, i) => {
        const at = reader.at(i)
        return {
          account: cells[at + ENTRY.account]!,
          event: eventIn(cells[at + ENTRY.what]!),
          limit: limitIn(cells[at + ENTRY.what]!),
          ...(isGoneIn(cells[at + ENTRY.what]!) && { isGone: true }),
          /** The low words. */
          counters: [1, 3, 5].map((i) => cells[at + ENTRY.counts + i]!),
          swarm: [cells[at + ENTRY.seeders]!, cells[at + ENTRY.leechers]!],
        }
      })
      reader.took(waiting)
      return entries
    },
  }
}
