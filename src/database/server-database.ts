/**
 * The contract on the tables of a database server, the same for every dialect. Ids of rows have 32 bits
 * and every attempt to insert uses one up, even if the row is there: so only what is new is inserted.
 */
import { batch, padded } from './batch.ts'
import { Connections } from './connections.ts'
import { type Database, type KeyRow, NO_ROW, type Part } from './contract.ts'
import { formsOf, hashTexts, packHashes, readKeyRows } from './rows.ts'
import { TOTAL } from './schema.ts'
import { PART_ROWS, type Statements } from './server-sql.ts'
import { type Row, type Server, type Session, wholeNumber } from './session.ts'

/** Ids begin here, whoever gave them; `Part.next` counts from it, so that 0 is the beginning. */
const LEAST_ID = -(2n ** 63n)
const LARGEST = 2n ** 63n - 1n

/** What cannot be a key is in no table: servers do not get to interpret it (trailing spaces, zero bytes). */
const KEY = /^[0-9A-Za-z]{32}$/

export class ServerDatabase implements Database {
  readonly about: string
  readonly #connections: Connections
  readonly #sql: Statements

  constructor(server: Server, sql: Statements) {
    this.about = server.about
    this.#connections = new Connections(server)
    this.#sql = sql
  }

  async ping(): Promise<void> {
    await this.#rows(this.#sql.ping)
  }

  readWhitelist(from: bigint): Promise<Part<Uint8Array>> {
    return this.#readPart(this.#sql.readWhitelist, from, (rows) =>
      packHashes(rows.map((row) => row[1])),
    )
  }

  async listWhitelist(offset: number, limit: number): Promise<Uint8Array> {
    const rows = await this.#rows(this.#sql.listWhitelist, [BigInt(limit), BigInt(offset)])
    return packHashes(rows.map(([text]) => text))
  }

  async addToWhitelist(hashes: Uint8Array): Promise<void> {
    const texts = inOrder(hashTexts(hashes))
    await this.#transact(async (session) => {
      const rows = await padded(session, this.#sql.knownHashes, texts.flatMap(formsOf))
      const known = new Set(rows.map(([text]) => lower(text)))
      const missing = texts.filter((text) => !known.has(text))
      await batch(session, this.#sql.addHashes, missing.map(alone))
    })
  }

  async removeFromWhitelist(hashes: Uint8Array): Promise<void> {
    const forms = inOrder(hashTexts(hashes)).flatMap(formsOf)
    await this.#transact((session) => batch(session, this.#sql.removeHashes, forms.map(alone)))
  }

  readKeys(from: bigint): Promise<Part<readonly KeyRow[]>> {
    return this.#readPart(this.#sql.readKeys, from, (rows) =>
      keyRows(rows.map(([, key, validUntil]) => [key, validUntil])),
    )
  }

  async listKeys(offset: number, limit: number): Promise<readonly KeyRow[]> {
    return keyRows(await this.#rows(this.#sql.listKeys, [BigInt(limit), BigInt(offset)]))
  }

  async addKeys(rows: readonly KeyRow[]): Promise<void> {
    await this.#transact(async (session) => {
      const ending = rows.filter((row) => row.validUntil !== null)
      const permanent = rows.filter((row) => row.validUntil === null)
      await batch(
        session,
        this.#sql.addKeys,
        ending.map((row) => [row.key, row.validUntil]),
      )
      await batch(
        session,
        this.#sql.addPermanentKeys,
        permanent.map((row) => [row.key]),
      )
    })
  }

  removeKeys(keys: readonly string[]): Promise<number> {
    const names = inOrder(keys).filter((key) => KEY.test(key))
    return this.#transact((session) => batch(session, this.#sql.removeKeys, names.map(alone)))
  }

  removeKeysExpiredBefore(second: bigint): Promise<number> {
    return this.#connections.run((session) =>
      session.write(this.#sql.removeExpired, [second, -second]),
    )
  }

  async downloadsOf(hashes: Uint8Array): Promise<Float64Array> {
    const texts = hashTexts(hashes)
    const rows = await this.#connections.run((session) =>
      padded(session, this.#sql.completed, inOrder(texts).flatMap(formsOf)),
    )
    const counts = new Map<string, bigint>()
    for (const [text, count] of rows)
      counts.set(lower(text), (counts.get(lower(text)) ?? 0n) + countIn(count))
    return Float64Array.from(texts, (text) => Number(counts.get(text) ?? NO_ROW))
  }

  async downloadsTotal(): Promise<number> {
    return Number(countIn((await this.#rows(this.#sql.total, [TOTAL]))[0]?.[0]))
  }

  addDownloads(hashes: Uint8Array, counts: Float64Array, provenBy?: number): Promise<number> {
    return this.#transact(async (session) => {
      const added = sumsByTorrent(hashTexts(hashes), counts)
      // Whoever adds holds this row to the end, so nobody meets anybody else among the torrents.
      const before = await this.#lockTotal(session)
      if (Number(before) === provenBy) return provenBy
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
      const sum = before + counts.reduce((sum, count) => sum + BigInt(count), 0n)
      const after = sum < LARGEST ? sum : LARGEST
      await session.write(this.#sql.setTotal, [after, TOTAL])
      return Number(after)
    })
  }

  close(): Promise<void> {
    return this.#connections.close()
  }

  #rows(sql: string, values: readonly (string | bigint)[] = []): Promise<readonly Row[]> {
    return this.#connections.run((session) => session.rows(sql, values))
  }

  async #readPart<T>(
    sql: string,
    from: bigint,
    read: (rows: readonly Row[]) => T,
  ): Promise<Part<T>> {
    const rows = await this.#rows(sql, [LEAST_ID + from])
    const last = rows.length < PART_ROWS ? null : wholeNumber(rows.at(-1)![0])
    return { rows: read(rows), next: last === null ? undefined : last - LEAST_ID + 1n }
  }

  /** All of the work or, if it throws, nothing of it. */
  #transact<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#connections.run(async (session) => {
      await session.write(this.#sql.begin)
      try {
        const result = await work(session)
        await session.write(this.#sql.commit)
        return result
      } catch (error) {
        // A session that cannot even be reset must not be used by the next call.
        await session.write(this.#sql.rollback).catch(() => session.destroy())
        throw error
      }
    })
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

/** Each once, and in the order in which everybody locks them: others then wait instead of deadlocking. */
const inOrder = (texts: readonly string[]): string[] => [...new Set(texts)].sort()

const alone = (value: string): [string] => [value]
const lower = (text: unknown): string => String(text).toLowerCase()

/** Of rows of id and info hash one for each torrent: not the one in capitals where there are both forms. */
function preferred(rows: readonly Row[]): Row[] {
  const found = new Map<string, Row>()
  for (const row of rows) {
    const name = lower(row[1])
    if (!found.has(name) || row[1] === name) found.set(name, row)
  }
  return [...found.values()]
}

/** What others left below 0 is none. */
function countIn(value: unknown): bigint {
  const count = wholeNumber(value)
  return count !== null && count > 0n ? count : 0n
}

const keyRows = (rows: readonly Row[]): KeyRow[] =>
  readKeyRows(rows.map(([key, validUntil]) => [key, wholeNumber(validUntil)]))

/** In order, like `inOrder`. */
function sumsByTorrent(texts: readonly string[], counts: Float64Array): Map<string, bigint> {
  const sums = new Map<string, bigint>(inOrder(texts).map((text) => [text, 0n]))
  for (const [i, text] of texts.entries()) sums.set(text, sums.get(text)! + BigInt(counts[i]!))
  return sums
}
