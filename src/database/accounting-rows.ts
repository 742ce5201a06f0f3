/** What the columns of accounting's rows become (their order: accounting-sql.ts), and the other way. */
import type { AccountSettings, FlagKind, TorrentSettings } from '../accounting/batch.ts'
import type {
  AccountKeyRow,
  AccountRow,
  Figures,
  FlagRow,
  RecordRow,
  TorrentRow,
} from './accounting-contract.ts'
import { LARGEST, packHashes, readKeyRows } from './schema.ts'
import { type Row, type Value, wholeNumber } from './session.ts'

/** Sums of other programs may be negative. */
const sumIn = (value: unknown): bigint => {
  const sum = wholeNumber(value) ?? 0n
  return sum > 0n ? sum : 0n
}
export const numberIn = (value: unknown): number => Number(wholeNumber(value) ?? 0n)
const numberOrNull = (value: unknown): number | null => {
  const number = wholeNumber(value)
  return number === null ? null : Number(number)
}
const yes = (value: unknown): boolean => numberIn(value) !== 0

const readFigures = (row: Row, at: number): Figures => ({
  uploaded: sumIn(row[at]),
  downloaded: sumIn(row[at + 1]),
  creditedUploaded: sumIn(row[at + 2]),
  creditedDownloaded: sumIn(row[at + 3]),
  seedSeconds: sumIn(row[at + 4]),
  leechSeconds: sumIn(row[at + 5]),
})

/** The row begins with the id. */
export const readSettings = (row: Row): AccountSettings & { readonly id: number } => ({
  id: numberIn(row[0]),
  enabled: yes(row[1]),
  canDownload: yes(row[2]),
  maxDownloads: numberOrNull(row[3]),
  maxPeers: numberOrNull(row[4]),
  upPercent: numberIn(row[5]),
  downPercent: numberIn(row[6]),
  freeUntil: numberOrNull(row[7]),
  hidden: yes(row[8]),
})

const SETTINGS_END = 9
const FIGURES = 6

/** In the order of `changeAccount`. */
export const settingValues = (settings: AccountSettings): Value[] => [
  BigInt(settings.enabled),
  BigInt(settings.canDownload),
  orNull(settings.maxDownloads),
  orNull(settings.maxPeers),
  BigInt(settings.upPercent),
  BigInt(settings.downPercent),
  orNull(settings.freeUntil),
  BigInt(settings.hidden),
]

/** Whole numbers are sent as bigint: a client may prepare a statement anew for every type. */
export const orNull = (value: number | null): bigint | null =>
  value === null ? null : BigInt(value)

export const readAccount = (row: Row): AccountRow => {
  const [userId, snatches, created, lastSeen, batch] = row.slice(SETTINGS_END + FIGURES)
  return {
    ...readSettings(row),
    ...readFigures(row, SETTINGS_END),
    userId: wholeNumber(userId),
    snatches: sumIn(snatches),
    created: numberIn(created),
    lastSeen: numberOrNull(lastSeen),
    batch: numberIn(batch),
  }
}

const hashIn = (text: unknown): Uint8Array => packHashes([text])

export const readTorrentSettings = (row: Row, at: number): TorrentSettings => ({
  upPercent: numberIn(row[at]),
  downPercent: numberIn(row[at + 1]),
  freeUntil: numberOrNull(row[at + 2]),
})

export const readTorrent = (row: Row): TorrentRow => {
  const [uploaded, downloaded, snatches, seedSeconds, lastSeen, batch] = row.slice(4)
  return {
    infoHash: hashIn(row[0]),
    ...readTorrentSettings(row, 1),
    uploaded: sumIn(uploaded),
    downloaded: sumIn(downloaded),
    snatches: sumIn(snatches),
    seedSeconds: sumIn(seedSeconds),
    lastSeen: numberOrNull(lastSeen),
    batch: numberIn(batch),
  }
}

export const readRecord = (row: Row): RecordRow => {
  const [left, active, seeder, started, completed, lastSeen, announces, client, batch] = row.slice(
    3 + FIGURES,
  )
  return {
    account: numberIn(row[0]),
    userId: wholeNumber(row[1]),
    infoHash: hashIn(row[2]),
    ...readFigures(row, 3),
    left: sumIn(left),
    isActive: yes(active),
    isSeeder: yes(seeder),
    started: numberIn(started),
    completed: numberOrNull(completed),
    lastSeen: numberIn(lastSeen),
    announces: sumIn(announces),
    client: client === '' ? null : String(client),
    batch: numberIn(batch),
  }
}

export const readFlag = (row: Row): FlagRow => {
  const [id, kind, at, account, infoHash, bytes, seconds, times, reviewed] = row
  return {
    id: numberIn(id),
    kind: String(kind) as FlagKind,
    at: numberIn(at),
    account: numberIn(account),
    infoHash: hashIn(infoHash),
    bytes: numberIn(bytes),
    seconds: numberIn(seconds),
    times: numberIn(times),
    reviewed: numberOrNull(reviewed),
  }
}

/** From rows of key, `valid_until`, account and user id. Keys without an account are left out. */
export const readAccountKeys = (rows: readonly Row[]): AccountKeyRow[] =>
  rows.flatMap(([key, validUntil, account, userId]) =>
    account === null
      ? []
      : readKeyRows([[key, validUntil]]).map((row) => ({
          ...row,
          account: numberIn(account),
          userId: wholeNumber(userId),
        })),
  )

/** A count of memory as a column takes it. Floats there hold whole numbers; anything else counts as 0, or is cut. */
export function countOf(value: number): bigint {
  if (!(value > 0)) return 0n
  return value < Number(LARGEST) ? BigInt(Math.floor(value)) : LARGEST
}
