/** A database of accounting in maps: what look-ups find, and what batches add. */
import {
  FOUND_SESSION,
  FOUND_TORRENT,
  type LookupAnswer,
  type LookupQuestion,
  MOST_LOOKUPS,
  MOST_SESSIONS,
  OWED,
  SESSION,
  type TorrentSettings,
} from '../../../src/accounting/batch.ts'
import type { Frozen } from '../../../src/accounting/freezer.ts'
import { INFO_HASH_BYTES } from '../../../src/bittorrent.ts'

export type StoredSession = { up: number; down: number; seeder: boolean; seen: number }
export type StoredSums = {
  up: bigint
  down: bigint
  creditedUp: bigint
  creditedDown: bigint
  seed: number
  leech: number
  announces: number
}
export type StoredRecord = StoredSums & {
  left: number
  active: boolean
  seeder: boolean
  completed: boolean
  lastSeen: number
  client: string
}

const noSums = (): StoredSums => ({
  up: 0n,
  down: 0n,
  creditedUp: 0n,
  creditedDown: 0n,
  seed: 0,
  leech: 0,
  announces: 0,
})

export const hashAt = (hashes: Uint8Array, i: number): string =>
  hashes.subarray(i * INFO_HASH_BYTES, (i + 1) * INFO_HASH_BYTES).toHex()

export class Stored {
  /** By account, torrent and fingerprint. */
  readonly sessions = new Map<string, StoredSession>()
  readonly records = new Map<string, StoredRecord>()
  readonly torrents = new Map<string, StoredSums & TorrentSettings>()
  readonly tokens = new Map<string, number>()
  readonly erased = new Set<number>()
  flags: Frozen['flags'][number][] = []
  readonly #hasAccounts: boolean

  constructor(hasAccounts = true) {
    this.#hasAccounts = hasAccounts
  }

  torrent(hash: string): StoredSums & TorrentSettings {
    let torrent = this.torrents.get(hash)
    if (!torrent) {
      torrent = { ...noSums(), upPercent: 100, downPercent: 100, freeUntil: null }
      this.torrents.set(hash, torrent)
    }
    return torrent
  }

  /** Throws when the question is not one that may be asked. */
  lookUp({ hashes, account, torrent, peer }: LookupQuestion): LookupAnswer {
    const names = Array.from({ length: hashes.length / INFO_HASH_BYTES }, (_, i) =>
      hashAt(hashes, i),
    )
    if (new Set(names).size !== names.length) throw new Error('hashes are not distinct')
    if (account.length > MOST_LOOKUPS || names.length > MOST_LOOKUPS) throw new Error('too many')
    const torrents = new Float64Array(names.length * FOUND_TORRENT.words)
    const sessions = new Float64Array(account.length * FOUND_SESSION.words)
    names.forEach((name, i) => {
      const found = this.torrents.get(name)
      if (!found) return
      const at = i * FOUND_TORRENT.words
      torrents[at + FOUND_TORRENT.known] = 1
      torrents[at + FOUND_TORRENT.upPercent] = found.upPercent
      torrents[at + FOUND_TORRENT.downPercent] = found.downPercent
      torrents[at + FOUND_TORRENT.freeUntil] = found.freeUntil ?? 0
    })
    account.forEach((id, i) => {
      const record = `${id}/${names[torrent[i]!]}`
      const found = this.sessions.get(`${record}/${peer[i * 2]},${peer[i * 2 + 1]}`)
      const at = i * FOUND_SESSION.words
      sessions[at + FOUND_SESSION.tokenUntil] = this.tokens.get(record) ?? 0
      sessions[at + FOUND_SESSION.counted] = this.records.get(record)?.lastSeen ?? 0
      if (!found) return
      sessions[at + FOUND_SESSION.known] = 1
      sessions[at + FOUND_SESSION.uploaded] = found.up
      sessions[at + FOUND_SESSION.downloaded] = found.down
      sessions[at + FOUND_SESSION.seeder] = Number(found.seeder)
      sessions[at + FOUND_SESSION.seen] = found.seen
    })
    return { torrents, sessions }
  }

  /** Throws when the batch is not one that may be written. */
  write({ sessions: batch, hashes, flags }: Frozen): void {
    const names = Array.from({ length: hashes.length / INFO_HASH_BYTES }, (_, i) =>
      hashAt(hashes, i),
    )
    if (new Set(names).size !== names.length) throw new Error('hashes are not distinct')
    const used = new Set([...batch.torrent].map((place) => names[place]!))
    for (const { infoHash } of flags) used.add(infoHash.toHex())
    if (used.size !== names.length) throw new Error('not all hashes are used')
    if (batch.account.length > MOST_SESSIONS) throw new Error('too many')
    for (const numbers of [batch.owed, batch.uploaded, batch.downloaded, batch.left])
      for (const number of numbers)
        if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${number} is owed`)
    const seen = new Set<string>()
    for (const name of names) this.torrent(name)
    for (let i = 0; i < batch.account.length; i++) {
      const account = batch.account[i]!
      if (this.erased.has(account)) continue
      const hash = names[batch.torrent[i]!]!
      const key = `${account}/${hash}/${batch.peer[i * 2]},${batch.peer[i * 2 + 1]}`
      if (seen.has(key) && this.#hasAccounts) throw new Error('a session is in the batch twice')
      seen.add(key)
      const owed = batch.owed.subarray(i * OWED.words, (i + 1) * OWED.words)
      add(this.torrent(hash), owed)
      if (!this.#hasAccounts) continue
      const what = batch.what[i]!
      const record = this.#record(`${account}/${hash}`)
      add(record, owed)
      record.left = batch.left[i]!
      record.active = (what & SESSION.active) !== 0
      record.seeder = (what & SESSION.recordSeeder) !== 0
      if ((what & SESSION.completed) !== 0) record.completed = true
      record.lastSeen = Math.max(record.lastSeen, batch.seen[i]!)
      const client = String.fromCharCode(...batch.client.subarray(i * 8, i * 8 + 8))
      if (client[0] !== '\0') record.client = client
      if ((what & SESSION.ended) !== 0) this.sessions.delete(key)
      else
        this.sessions.set(key, {
          up: batch.uploaded[i]!,
          down: batch.downloaded[i]!,
          seeder: (what & SESSION.seeder) !== 0,
          seen: batch.seen[i]!,
        })
    }
    this.flags.push(...flags.filter(({ account }) => !this.erased.has(account)))
  }

  #record(name: string): StoredRecord {
    let record = this.records.get(name)
    if (!record) {
      record = {
        ...noSums(),
        left: 0,
        active: false,
        seeder: false,
        completed: false,
        lastSeen: 0,
        client: '',
      }
      this.records.set(name, record)
    }
    return record
  }

  erase(account: number): void {
    this.erased.add(account)
    this.flags = this.flags.filter((flag) => flag.account !== account)
    for (const map of [this.sessions, this.records, this.tokens])
      for (const key of map.keys()) if (key.startsWith(`${account}/`)) map.delete(key)
  }
}

function add(sums: StoredSums, owed: Float64Array): void {
  sums.up += BigInt(owed[OWED.uploaded]!)
  sums.down += BigInt(owed[OWED.downloaded]!)
  sums.creditedUp += BigInt(owed[OWED.creditedUploaded]!)
  sums.creditedDown += BigInt(owed[OWED.creditedDownloaded]!)
  sums.seed += owed[OWED.seedSeconds]!
  sums.leech += owed[OWED.leechSeconds]!
  sums.announces += owed[OWED.announces]!
}
