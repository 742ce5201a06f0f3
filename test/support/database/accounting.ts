/** Batches and questions of accounting, in few words. */
import {
  type AccountingBatch,
  type BatchName,
  type Flag,
  FOUND_SESSION,
  FOUND_TORRENT,
  SESSION,
} from '../../../src/accounting/batch.ts'
import type { AccountingDatabase } from '../../../src/database/accounting-contract.ts'
import type { Database } from '../../../src/database/contract.ts'
import { hashes, join, key } from './hashes.ts'

/** Torrents and peers are numbered. Whatever is left out is 0, or false. */
export type Session = {
  readonly account: number
  readonly torrent: number
  readonly peer?: number
  /** What it owes. */
  readonly up?: number
  readonly down?: number
  readonly creditedUp?: number
  readonly creditedDown?: number
  readonly seed?: number
  readonly leech?: number
  /** Its baselines. */
  readonly uploaded?: number
  readonly downloaded?: number
  readonly left?: number
  readonly began?: number
  readonly seen?: number
  readonly seeder?: boolean
  readonly ended?: boolean
  readonly active?: boolean
  readonly completed?: boolean
  readonly client?: string
}

export const NOW = 1_800_000_000

export function batchOf(
  name: BatchName,
  sessions: readonly Session[],
  { flags = [], hasAccounts = true }: { flags?: readonly Flag[]; hasAccounts?: boolean } = {},
): AccountingBatch {
  const texts = [
    ...new Set([
      ...sessions.map(({ torrent }) => hashes(1, torrent).toHex()),
      ...flags.map(({ infoHash }) => infoHash.toHex()),
    ]),
  ]
  const floats = (read: (session: Session) => number) => Float64Array.from(sessions, read)
  return {
    ...name,
    now: NOW,
    hasAccounts,
    hashes: Uint8Array.fromHex(texts.join('')),
    flags,
    sessions: {
      account: floats(({ account }) => account),
      torrent: Int32Array.from(sessions, ({ torrent }) =>
        texts.indexOf(hashes(1, torrent).toHex()),
      ),
      peer: Int32Array.from(sessions.flatMap(peerOf)),
      uploaded: floats(({ uploaded = 0 }) => uploaded),
      downloaded: floats(({ downloaded = 0 }) => downloaded),
      left: floats(({ left = 0 }) => left),
      what: Uint8Array.from(
        sessions,
        ({ seeder, ended, active, completed }) =>
          (seeder ? SESSION.seeder | SESSION.recordSeeder : 0) |
          (ended ? SESSION.ended : 0) |
          (active ? SESSION.active : 0) |
          (completed ? SESSION.completed : 0),
      ),
      began: floats(({ began = NOW }) => began),
      seen: floats(({ seen = NOW }) => seen),
      owed: Float64Array.from(
        sessions.flatMap(
          ({ up = 0, down = 0, creditedUp = up, creditedDown = down, seed = 0, leech = 0 }) => [
            up,
            down,
            creditedUp,
            creditedDown,
            seed,
            leech,
            1,
          ],
        ),
      ),
      client: Uint8Array.from(
        sessions.flatMap(({ client = '' }) => [...Buffer.from(client.padEnd(8, '\0'))]),
      ),
    },
  }
}

/** Words of both signs. */
const peerOf = ({ peer = 0 }: { readonly peer?: number }): [number, number] => [peer | 0, -1 - peer]

export type Found = {
  readonly uploaded: number
  readonly downloaded: number
  readonly seeder: number
  readonly seen: number
}

/** What is known of sessions: undefined where nothing is; their tokens, and up to when their records are counted. */
export async function lookUp(
  accounting: AccountingDatabase,
  sessions: readonly Pick<Session, 'account' | 'torrent' | 'peer'>[],
) {
  const numbers = [...new Set(sessions.map(({ torrent }) => torrent))]
  const { torrents, sessions: found } = await accounting.lookUp({
    hashes: join(...numbers.map((number) => hashes(1, number))),
    account: Float64Array.from(sessions, ({ account }) => account),
    torrent: Int32Array.from(sessions, ({ torrent }) => numbers.indexOf(torrent)),
    peer: Int32Array.from(sessions.flatMap(peerOf)),
  })
  return {
    torrents: numbers.map((_, i) => {
      const at = i * FOUND_TORRENT.words
      return torrents[at] === 1 ? [...torrents.slice(at + 1, at + FOUND_TORRENT.words)] : undefined
    }),
    sessions: sessions.map((_, i): Found | undefined => {
      const at = i * FOUND_SESSION.words
      const [known, uploaded, downloaded, seeder, seen] = found.slice(at, at + FOUND_SESSION.words)
      return known === 1
        ? { uploaded: uploaded!, downloaded: downloaded!, seeder: seeder!, seen: seen! }
        : undefined
    }),
    tokens: sessions.map((_, i) => found[i * FOUND_SESSION.words + FOUND_SESSION.tokenUntil]),
    counted: sessions.map((_, i) => found[i * FOUND_SESSION.words + FOUND_SESSION.counted]),
  }
}

/** 50 sessions of account 1 moved a byte each. */
export const killedBatch = (number: number): AccountingBatch =>
  batchOf(
    { writer: 'k'.repeat(32), number },
    Array.from({ length: 50 }, (_, i) => ({ account: 1, torrent: 1 + i, up: 1, uploaded: number })),
  )

/** Accounts, each with a key of the same number as its place, from 1 on. */
export async function withAccounts(database: Database, count: number): Promise<number[]> {
  await database.accounting.open()
  const rows = Array.from({ length: count }, (_, i) => ({
    key: key(1 + i),
    validUntil: null,
    userId: null,
  }))
  return (await database.accounting.addKeys(rows)).map(({ account }) => account)
}
