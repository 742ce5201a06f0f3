/** What accounting asks about sessions that it does not know, and how what they owe is added. */
import {
  type AccountingBatch,
  FOUND_SESSION,
  FOUND_TORRENT,
  type LookupAnswer,
  type LookupQuestion,
  OWED,
  SESSION,
  type SessionBatch,
} from '../accounting/batch.ts'
import { countOf, numberIn, readTorrentSettings } from './accounting-rows.ts'
import type { AccountingDialect } from './accounting-sql.ts'
import type { Turn } from './accounting-turn.ts'
import { batch, padded, writePadded } from './dialects.ts'
import { hashTexts, limited } from './schema.ts'
import { type Row, type Session, type Value, wholeNumber } from './session.ts'

const CLIENT_BYTES = 8
const HOUR_SECONDS = 3_600

/** The two words of a fingerprint as one signed number. */
const peerOf = (words: Int32Array, i: number): bigint =>
  (BigInt(words[2 * i]!) << 32n) | BigInt(words[2 * i + 1]! >>> 0)

const nameOf = (...parts: readonly unknown[]): string => parts.join(' ')

export async function lookUp(
  session: Session,
  sql: AccountingDialect,
  { hashes, account, torrent, peer }: LookupQuestion,
): Promise<LookupAnswer> {
  const texts = hashTexts(hashes)
  const torrents = new Float64Array(texts.length * FOUND_TORRENT.words)
  const sessions = new Float64Array(account.length * FOUND_SESSION.words)
  const rules = byName(await padded(session, sql.torrentRules, texts), 1)
  for (const [i, text] of texts.entries()) {
    const row = rules.get(text)
    if (row === undefined) continue
    const { upPercent, downPercent, freeUntil } = readTorrentSettings(row, 2)
    torrents.set([1, upPercent, downPercent, freeUntil ?? 0], i * FOUND_TORRENT.words)
  }

  const asked: [account: bigint, torrent: bigint, peer: bigint, place: number][] = []
  for (let i = 0; i < account.length; i++) {
    const id = wholeNumber(rules.get(texts[torrent[i]!]!)?.[1])
    if (id !== null) asked.push([BigInt(account[i]!), id, peerOf(peer, i), i])
  }
  const names = asked.map(([account, torrent, peer]) => [account, torrent, peer])
  const stored = byName(await padded(session, sql.sessions, names), 3)
  const pairs = names.map(([account, torrent]) => [account!, torrent!])
  const tokens = byName(await padded(session, sql.tokens, pairs), 2)
  const counted = byName(await padded(session, sql.counted, pairs), 2)
  for (const [account, torrent, peer, place] of asked) {
    const at = place * FOUND_SESSION.words
    const row = stored.get(nameOf(account, torrent, peer))
    if (row !== undefined) sessions.set([1, ...row.slice(3, 7).map(numberIn)], at)
    const pair = nameOf(account, torrent)
    sessions[at + FOUND_SESSION.counted] = numberIn(counted.get(pair)?.[2])
    const token = tokens.get(pair)
    if (token === undefined) continue
    sessions[at + FOUND_SESSION.tokenUntil] = token[2] === null ? Infinity : numberIn(token[2])
  }
  return { torrents, sessions }
}

/** Rows by their first columns. */
const byName = (rows: readonly Row[], columns: number): Map<string, Row> =>
  new Map(rows.map((row) => [nameOf(...row.slice(0, columns)), row]))

/** A session of a batch whose account exists. */
type Owing = {
  readonly place: number
  readonly account: bigint
  readonly torrent: bigint
  readonly peer: bigint
  readonly what: number
  readonly seen: bigint
  /** As in `OWED`. */
  readonly owed: bigint[]
  /** Baselines. */
  uploaded: bigint
  downloaded: bigint
  readonly isStored: boolean
  /** Another process wrote it last: it serves the session now, or did. */
  readonly isMoved: boolean
  /** Of its row: who writes it, and when it was heard of last. */
  writer: bigint
  heard: bigint
}

/**
 * Adds the batch; `writer` is the row of its writer. Places of the sessions that were the first of their record to
 * complete. Rows are written in the order of their keys.
 */
export async function add(
  turn: Turn,
  batched: AccountingBatch,
  writer: number,
): Promise<Int32Array> {
  const { sessions, hasAccounts } = batched
  const torrents = await torrentsOf(turn, batched.hashes)
  const accounts = await knownAccounts(turn, batched)
  const owing = await owingOf(turn, batched, torrents, accounts, writer)
  const completed = owing.filter(({ what }) => (what & SESSION.completed) !== 0)
  const first = hasAccounts ? await firstOf(turn, completed) : completed
  const snatches = new Set(first)

  await addToTorrents(turn, torrents, owing, snatches, countOf(batched.now))
  if (hasAccounts) {
    await addToAccounts(turn, owing, snatches)
    await addToRecords(turn, sessions, owing)
    const done = first.map(({ account, torrent, seen }) => [account, torrent, seen])
    await batch(turn.session, turn.sql.putCompleted, done)
    await putSessions(turn, sessions, owing)
  }
  await addFlags(turn, batched, torrents, accounts)
  return Int32Array.from(first, ({ place }) => place).sort()
}

/** By place in `hashes`. A new one has a number, and no row yet. */
type Torrent = { readonly id: bigint; readonly text: string; readonly isNew: boolean }

async function torrentsOf(turn: Turn, hashes: Uint8Array): Promise<Torrent[]> {
  const texts = hashTexts(hashes)
  const rows = byName(await padded(turn.session, turn.sql.torrentRules, texts), 1)
  return texts.map((text) => {
    const id = wholeNumber(rows.get(text)?.[1])
    return { id: id ?? turn.nextTorrent(), text, isNew: id === null }
  })
}

/** Those accounts of the batch that exist. */
async function knownAccounts(
  { session, sql }: Turn,
  { hasAccounts, sessions, flags }: AccountingBatch,
): Promise<ReadonlySet<number>> {
  const named = new Set([...sessions.account, ...flags.map(({ account }) => account)])
  if (!hasAccounts) return named
  const rows = await padded(session, sql.knownAccounts, [...named].map(BigInt))
  return new Set(rows.map(([id]) => numberIn(id)))
}

async function owingOf(
  { session, sql }: Turn,
  { sessions, hasAccounts }: AccountingBatch,
  torrents: readonly Torrent[],
  accounts: ReadonlySet<number>,
  writer: number,
): Promise<Owing[]> {
  const places = [...sessions.account.keys()].filter((i) => accounts.has(sessions.account[i]!))
  const names = places.map(
    (i) =>
      [
        BigInt(sessions.account[i]!),
        torrents[sessions.torrent[i]!]!.id,
        peerOf(sessions.peer, i),
      ] as const,
  )
  const rows = hasAccounts ? byName(await padded(session, sql.sessions, names), 3) : new Map()
  return places.map((place, n) => {
    const [account, torrent, peer] = names[n]!
    const from = place * OWED.words
    const row: Row | undefined = rows.get(nameOf(account, torrent, peer))
    const owing: Owing = {
      place,
      account,
      torrent,
      peer,
      what: sessions.what[place]!,
      seen: countOf(sessions.seen[place]!),
      owed: Array.from(sessions.owed.subarray(from, from + OWED.words), countOf),
      uploaded: countOf(sessions.uploaded[place]!),
      downloaded: countOf(sessions.downloaded[place]!),
      isStored: row !== undefined,
      isMoved: row !== undefined && numberIn(row[7]) !== writer,
      writer: BigInt(writer),
      heard: countOf(sessions.seen[place]!),
    }
    // Who ended it has added what its client reported at last.
    if (!owing.isStored && (owing.what & SESSION.stored) !== 0)
      owing.owed.fill(0n, 0, OWED.announces)
    if (!owing.isMoved) return owing
    const [uploaded, downloaded, , heard, theirWriter] = row!.slice(3).map(wholeNumber)
    const isBehind = heard! > owing.seen
    const isAnew = !isBehind && (owing.what & SESSION.restarted) !== 0
    owing.uploaded = beyond(owing, OWED.uploaded, owing.uploaded, isAnew ? 0n : uploaded!)
    owing.downloaded = beyond(owing, OWED.downloaded, owing.downloaded, isAnew ? 0n : downloaded!)
    // The time until then it has added, as well.
    const seconds = isBehind ? 0n : owing.seen - heard!
    owing.owed[OWED.seedSeconds] = least(owing.owed[OWED.seedSeconds]!, seconds)
    const rest = seconds - owing.owed[OWED.seedSeconds]!
    owing.owed[OWED.leechSeconds] = least(owing.owed[OWED.leechSeconds]!, rest)
    // It stays theirs: when it comes back, the baseline here is still that of before.
    if (isBehind) {
      owing.writer = theirWriter!
      owing.heard = heard!
    }
    return owing
  })
}

/**
 * What another process has stored it has added, too: only what goes beyond its baseline is still owed, and credited in
 * proportion. The baseline to store, which never falls because of this. `theirs`: 0 for a client that began anew.
 */
function beyond({ owed }: Owing, what: number, baseline: bigint, theirs: bigint): bigint {
  const most = baseline > theirs ? baseline - theirs : 0n
  const claimed = owed[what]!
  if (claimed > most) {
    owed[what] = most
    owed[what + CREDITED]! = (owed[what + CREDITED]! * most) / claimed
  }
  return baseline > theirs ? baseline : theirs
}

const least = (one: bigint, other: bigint): bigint => (one < other ? one : other)

/** From what was moved to what of it is credited, in `OWED`. */
const CREDITED = OWED.creditedUploaded - OWED.uploaded

/** The sessions that were the first of their record to complete, in the order of records. */
async function firstOf({ session, sql }: Turn, completed: readonly Owing[]): Promise<Owing[]> {
  const first = new Map<string, Owing>()
  for (const one of completed) {
    const name = nameOf(one.account, one.torrent)
    const other = first.get(name)
    if (other === undefined || one.seen < other.seen) first.set(name, one)
  }
  const pairs = Array.from(first.values(), ({ account, torrent }) => [account, torrent])
  for (const [account, torrent] of await padded(session, sql.completed, pairs))
    first.delete(nameOf(account, torrent))
  return [...first.values()].sort(byKey)
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)
const byKey = (a: Owing, b: Owing): number =>
  compare(a.account, b.account) || compare(a.torrent, b.torrent) || compare(a.peer, b.peer)

/** Sums of rows with the same key, and the latest second of each. */
class Sums {
  readonly #rows = new Map<bigint | string, { sums: bigint[]; seen: bigint }>()

  add(key: bigint | string, counts: readonly bigint[], seen: bigint): void {
    const row = this.#rows.get(key)
    if (row === undefined) this.#rows.set(key, { sums: [...counts], seen })
    else {
      for (const [i, count] of counts.entries()) row.sums[i]! += count
      if (seen > row.seen) row.seen = seen
    }
  }

  /** The key was added. */
  of(key: bigint | string): bigint[] {
    const { sums, seen } = this.#rows.get(key)!
    return [...sums.map(limited), seen]
  }
}

async function addToTorrents(
  { session, sql, sequence }: Turn,
  torrents: readonly Torrent[],
  owing: readonly Owing[],
  snatches: ReadonlySet<Owing>,
  now: bigint,
): Promise<void> {
  const sums = new Sums()
  for (const one of owing) {
    const [up, down, seed] = [OWED.uploaded, OWED.downloaded, OWED.seedSeconds].map(
      (i) => one.owed[i]!,
    )
    sums.add(one.torrent, [up!, down!, snatches.has(one) ? 1n : 0n, seed!], one.seen)
  }
  const moved = new Set(owing.map(({ torrent }) => torrent))
  const rows = torrents
    .filter(({ id, isNew }) => isNew || moved.has(id))
    .sort((a, b) => compare(a.id, b.id))
    .map(({ id, text }) => [
      id,
      text,
      ...(moved.has(id) ? sums.of(id) : [0n, 0n, 0n, 0n, now]),
      sequence,
    ])
  await batch(session, sql.putTorrents, rows)
}

async function addToAccounts(
  { session, sql, sequence }: Turn,
  owing: readonly Owing[],
  snatches: ReadonlySet<Owing>,
): Promise<void> {
  const sums = new Sums()
  for (const one of owing) {
    const figures = one.owed.slice(0, OWED.announces)
    sums.add(one.account, [...figures, snatches.has(one) ? 1n : 0n], one.seen)
  }
  const ids = [...new Set(owing.map(({ account }) => account))].sort(compare)
  await batch(
    session,
    sql.putAccounts,
    ids.map((id) => [id, ...sums.of(id), sequence]),
  )
}

async function addToRecords(
  { session, sql, sequence }: Turn,
  sessions: SessionBatch,
  owing: readonly Owing[],
): Promise<void> {
  const sums = new Sums()
  /** By record the session that was heard of last, and the second at which the first one began. */
  const last = new Map<string, { one: Owing; began: bigint }>()
  for (const one of owing) {
    const name = nameOf(one.account, one.torrent)
    sums.add(name, one.owed, one.seen)
    const [began, known] = [countOf(sessions.began[one.place]!), last.get(name)]
    last.set(name, {
      one: known === undefined || one.seen >= known.one.seen ? one : known.one,
      began: known === undefined || began < known.began ? began : known.began,
    })
  }
  const rows = [...last]
    .sort(([, a], [, b]) => byKey(a.one, b.one))
    .map(([name, { one, began }]) => [
      one.account,
      one.torrent,
      ...sums.of(name),
      countOf(sessions.left[one.place]!),
      bit(one, SESSION.active),
      bit(one, SESSION.recordSeeder),
      began,
      clientOf(sessions.client, one.place),
      sequence,
    ])
  await batch(session, sql.putRecords, rows)
}

const bit = ({ what }: Owing, mask: number): bigint => ((what & mask) === 0 ? 0n : 1n)

/** '' if it is not known, or not text. */
function clientOf(clients: Uint8Array, place: number): string {
  const bytes = clients.subarray(place * CLIENT_BYTES, (place + 1) * CLIENT_BYTES)
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f) ? String.fromCharCode(...bytes) : ''
}

async function putSessions(
  { session, sql }: Turn,
  sessions: SessionBatch,
  owing: readonly Owing[],
): Promise<void> {
  const inOrder = owing.toSorted(byKey)
  // One that moved may still owe something elsewhere, which its baseline must limit. It goes when it is old.
  const isGone = ({ what, isMoved }: Owing) => (what & SESSION.ended) !== 0 && !isMoved
  const kept = inOrder.filter((one) => !isGone(one))
  await batch(
    session,
    sql.putSessions,
    kept.map((one) => [
      one.account,
      one.torrent,
      one.peer,
      one.uploaded,
      one.downloaded,
      bit(one, SESSION.seeder),
      countOf(sessions.began[one.place]!),
      one.heard,
      one.writer,
    ]),
  )
  const gone = inOrder.filter((one) => isGone(one) && one.isStored)
  const names = gone.map(({ account, torrent, peer }) => [account, torrent, peer])
  await writePadded(session, sql.removeSessions, [], names)
}

/** Those of one hour are one row. */
async function addFlags(
  { session, sql }: Turn,
  { flags, hashes }: AccountingBatch,
  torrents: readonly Torrent[],
  accounts: ReadonlySet<number>,
): Promise<void> {
  if (flags.length === 0) return
  const ids = new Map(hashTexts(hashes).map((text, i) => [text, torrents[i]!.id]))
  const rows = new Map<string, Value[]>()
  for (const { kind, at, account, infoHash, bytes, seconds, times } of flags) {
    const torrent = ids.get(infoHash.toHex())
    if (torrent === undefined || !accounts.has(account)) continue
    const key = [BigInt(account), torrent, kind, countOf(at / HOUR_SECONDS)]
    const counts = [bytes, seconds, times].map(countOf)
    const [first, ...before] = (rows.get(nameOf(...key))?.slice(key.length) ?? []) as bigint[]
    const sums = counts.map((count, i) => limited(count + (before[i] ?? 0n)))
    rows.set(nameOf(...key), [...key, first ?? countOf(at), ...sums])
  }
  await batch(session, sql.putFlags, [...rows.values()])
}
