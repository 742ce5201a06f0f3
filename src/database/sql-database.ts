/**
 * The contract on tables, the same for every dialect. Row ids of servers have 32 bits and every attempt to insert
 * uses one up, even if the row exists: only new rows are inserted.
 */
import type { BatchName } from '../accounting/batch.ts'
import { isAuthKey } from '../bittorrent.ts'
import type { Deadline } from '../time/deadline.ts'
import { AccountingTables } from './accounting-database.ts'
import type { AccountingDialect } from './accounting-sql.ts'
import { type Database, type KeyRow, NO_ROW, type Part } from './contract.ts'
import { batch, type Dialect, insertKeys, PART_ROWS, padded } from './dialects.ts'
import {
  formsOf,
  hashTexts,
  LARGEST,
  LEAST_ID,
  limited,
  packHashes,
  readKeyRows,
  TOTAL,
} from './schema.ts'
import { type Row, type Session, type Sessions, wholeNumber } from './session.ts'
import { noteWrite } from './writers.ts'

export class SqlDatabase implements Database {
  readonly about: string
  readonly accounting: AccountingTables
  readonly #sessions: Sessions
  readonly #sql: Dialect

  constructor(sessions: Sessions, sql: Dialect, accounting: AccountingDialect) {
    this.about = sessions.about
    this.accounting = new AccountingTables(sessions, sql, accounting)
    this.#sessions = sessions
    this.#sql = sql
  }

  /** An empty transaction: a file answers reads although it is locked, or gone. */
  ping(deadline?: Deadline): Promise<void> {
    return this.#sessions.transact(async () => undefined, deadline)
  }

  readWhitelist(from: bigint, deadline?: Deadline): Promise<Part<Uint8Array>> {
    return this.#readPart(deadline, this.#sql.readWhitelist, from, (rows) =>
      packHashes(rows.map((row) => row[1])),
    )
  }

  async listWhitelist(offset: number, limit: number, deadline?: Deadline): Promise<Uint8Array> {
    const page = [BigInt(limit), BigInt(offset)]
    const rows = await this.#rows(deadline, this.#sql.listWhitelist, page)
    return packHashes(rows.map(([text]) => text))
  }

  addToWhitelist(hashes: Uint8Array, deadline?: Deadline): Promise<void> {
    const texts = inOrder(hashTexts(hashes))
    return this.#sessions.transact(async (session) => {
      const rows = await padded(session, this.#sql.knownHashes, texts.flatMap(formsOf))
      const known = new Set(rows.map(([text]) => lower(text)))
      const missing = texts.filter((text) => !known.has(text))
      await batch(session, this.#sql.addHashes, missing.map(alone))
    }, deadline)
  }

  async removeFromWhitelist(hashes: Uint8Array, deadline?: Deadline): Promise<void> {
    const forms = inOrder(hashTexts(hashes)).flatMap(formsOf)
    await this.#sessions.transact(
      (session) => batch(session, this.#sql.removeHashes, forms.map(alone)),
      deadline,
    )
  }

  readKeys(from: bigint, deadline?: Deadline): Promise<Part<readonly KeyRow[]>> {
    return this.#readPart(deadline, this.#sql.readKeys, from, (rows) =>
      readKeyRows(rows.map(([, key, validUntil]) => [key, validUntil])),
    )
  }

  async listKeys(offset: number, limit: number, deadline?: Deadline): Promise<readonly KeyRow[]> {
    const page = [BigInt(limit), BigInt(offset)]
    return readKeyRows(await this.#rows(deadline, this.#sql.listKeys, page))
  }

  addKeys(rows: readonly KeyRow[], deadline?: Deadline): Promise<void> {
    return this.#sessions.transact((session) => insertKeys(session, this.#sql, rows), deadline)
  }

  removeKeys(keys: readonly string[], deadline?: Deadline): Promise<number> {
    // Servers do not get to interpret anything else (trailing spaces, zero bytes).
    const names = inOrder(keys).filter(isAuthKey)
    return this.#sessions.transact(
      (session) => batch(session, this.#sql.removeKeys, names.map(alone)),
      deadline,
    )
  }

  removeKeysExpiredBefore(second: bigint, deadline?: Deadline): Promise<number> {
    return this.#sessions.transact(
      (session) => session.write(this.#sql.removeExpired, [second, -second]),
      deadline,
    )
  }

  async downloadsOf(hashes: Uint8Array, deadline?: Deadline): Promise<Float64Array> {
    const texts = hashTexts(hashes)
    const rows = await this.#sessions.run(
      (session) => padded(session, this.#sql.completed, inOrder(texts).flatMap(formsOf)),
      deadline,
    )
    const counts = new Map<string, bigint>()
    for (const [text, count] of rows)
      counts.set(lower(text), (counts.get(lower(text)) ?? 0n) + countIn(count))
    return Float64Array.from(texts, (text) => Number(counts.get(text) ?? NO_ROW))
  }

  async downloadsTotal(deadline?: Deadline): Promise<number> {
    return Number(countIn((await this.#rows(deadline, this.#sql.total, [TOTAL]))[0]?.[0]))
  }

  addDownloads(
    hashes: Uint8Array,
    counts: Float64Array,
    name: BatchName,
    deadline?: Deadline,
  ): Promise<number> {
    return this.#sessions.transact(async (session) => {
      const added = sumsByTorrent(hashTexts(hashes), counts)
      // The total first: its lock serializes writers, so they cannot deadlock on the rows of torrents.
      const before = await this.#lockTotal(session)
      if ((await noteWrite(session, this.#sql, name)) === undefined) return Number(before)
      const forms = [...added.keys()].flatMap(formsOf)
      const toKnown = preferred(await padded(session, this.#sql.knownTorrents, forms)).flatMap(
        ([id, text]) => {
          const count = added.get(lower(text))
          added.delete(lower(text))
          return count === undefined ? [] : [[wholeNumber(id), String(text), count]]
        },
      )
      await batch(session, this.#sql.addToKnown, toKnown)
      await batch(session, this.#sql.addToNew, [...added])
      const after = limited(counts.reduce((sum, count) => sum + BigInt(count), before))
      await session.write(this.#sql.setTotal, [after, TOTAL])
      return Number(after)
    }, deadline)
  }

  close(): Promise<void> {
    return this.#sessions.close()
  }

  #rows(
    deadline: Deadline | undefined,
    sql: string,
    values: readonly (string | bigint)[] = [],
  ): Promise<readonly Row[]> {
    return this.#sessions.run((session) => session.rows(sql, values), deadline)
  }

  async #readPart<T>(
    deadline: Deadline | undefined,
    sql: string,
    from: bigint,
    read: (rows: readonly Row[]) => T,
  ): Promise<Part<T>> {
    const rows = await this.#rows(deadline, sql, [LEAST_ID + from])
    const last = rows.length < PART_ROWS ? LARGEST : wholeNumber(rows.at(-1)![0])!
    return { rows: read(rows), next: last === LARGEST ? undefined : last - LEAST_ID + 1n }
  }

  async #lockTotal(session: Session): Promise<bigint> {
    const lock = () => session.rows(this.#sql.lockTotal, [TOTAL])
    let [row] = await lock()
    if (!row) {
      await session.write(this.#sql.addTotal, [TOTAL, 0n])
      row = (await lock())[0]
    }
    return countIn(row?.[0])
  }
}

/** Each once, in the order in which every call locks them: calls wait for each other instead of deadlocking. */
const inOrder = (texts: readonly string[]): string[] => [...new Set(texts)].sort()

const alone = (value: string): [string] => [value]
const lower = (text: unknown): string => String(text).toLowerCase()

/** From rows of id and info hash one for each torrent: the lower-case one where both forms exist. */
function preferred(rows: readonly Row[]): Row[] {
  const found = new Map<string, Row>()
  for (const row of rows) {
    const name = lower(row[1])
    if (!found.has(name) || row[1] === name) found.set(name, row)
  }
  return [...found.values()]
}

/** A negative count of another program is 0. */
function countIn(value: unknown): bigint {
  const count = wholeNumber(value)
  return count !== null && count > 0n ? count : 0n
}

/** In the order of `inOrder`. */
function sumsByTorrent(texts: readonly string[], counts: Float64Array): Map<string, bigint> {
  const sums = new Map<string, bigint>(inOrder(texts).map((text) => [text, 0n]))
  for (const [i, text] of texts.entries()) sums.set(text, sums.get(text)! + BigInt(counts[i]!))
  return sums
}
