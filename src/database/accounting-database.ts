/** The contract of accounting on its tables, the same for every dialect. */
import type {
  AccountingBatch,
  AccountSettings,
  LookupAnswer,
  LookupQuestion,
  TorrentSettings,
} from '../accounting/batch.ts'
import type { Deadline } from '../time/deadline.ts'
import {
  addKeys,
  adjustAccount,
  adoptKeys,
  changeAccount,
  eraseAccount,
  findAccount,
  removeKeys,
  replaceKey,
  type UserKeyRow,
} from './accounting-accounts.ts'
import type {
  AccountingDatabase,
  AccountingState,
  AccountKeyRow,
  AccountName,
  AccountQuery,
  AccountRow,
  Adjustment,
  Changes,
  Erased,
  FlagRow,
  RecordQuery,
  RecordRow,
  TorrentRow,
  Written,
} from './accounting-contract.ts'
import { type Before, changes, purge, purgeKeys } from './accounting-feed.ts'
import {
  numberIn,
  orNull,
  readAccount,
  readAccountKeys,
  readFlag,
  readRecord,
  readSettings,
  readTorrent,
} from './accounting-rows.ts'
import { makeAccountingTables, STATE } from './accounting-schema.ts'
import { type AccountingDialect, MARK } from './accounting-sql.ts'
import { changeTorrents, putToken, removeToken } from './accounting-torrents.ts'
import { Turn } from './accounting-turn.ts'
import { add, lookUp } from './accounting-write.ts'
import type { Part } from './contract.ts'
import { batch, type Dialect, PART_ROWS, padded } from './dialects.ts'
import { hashTexts, LARGEST, LEAST_ID } from './schema.ts'
import { type Row, type Sessions, type Value, wholeNumber } from './session.ts'
import { noteWrite } from './writers.ts'

export class AccountingTables implements AccountingDatabase {
  readonly #sessions: Sessions
  /** Statements of the contract's own tables. */
  readonly #main: Dialect
  readonly #sql: AccountingDialect
  /** How far keys have been adopted, by their rows; and looked at whether they are keys still, by their texts. */
  #adopted = LEAST_ID
  #purged = ''

  constructor(sessions: Sessions, main: Dialect, sql: AccountingDialect) {
    this.#sessions = sessions
    this.#main = main
    this.#sql = sql
  }

  open(deadline?: Deadline): Promise<AccountingState> {
    return this.#sessions.transact(async (session) => {
      await makeAccountingTables(session, this.#sessions.about, this.#sql.types, this.#sql.addState)
      const state = async (name: string) =>
        wholeNumber((await session.rows(this.#sql.state, [name]))[0]?.[0]) ?? 0n
      const secret = new BigInt64Array([
        await state(STATE.secretHigh),
        await state(STATE.secretLow),
      ])
      const [counts] = await session.rows(this.#sql.whole)
      const [accounts, torrents] = counts!.map(numberIn)
      return {
        secret: new Uint8Array(secret.buffer),
        sequence: Number(await state(STATE.sequence)),
        accounts: accounts!,
        torrents: torrents!,
      }
    }, deadline)
  }

  async adoptKeys(deadline?: Deadline): Promise<number> {
    const adopted = await this.#turn((turn) => adoptKeys(turn, this.#adopted), deadline)
    this.#adopted = adopted?.last ?? LEAST_ID
    return adopted?.count ?? 0
  }

  readSettings(
    from: bigint,
    deadline?: Deadline,
  ): Promise<Part<readonly (AccountSettings & { readonly id: number })[]>> {
    return this.#part(this.#sql.settings, from, 0n, (rows) => rows.map(readSettings), deadline)
  }

  readKeys(from: bigint, deadline?: Deadline): Promise<Part<readonly AccountKeyRow[]>> {
    const read = (rows: readonly Row[]) => readAccountKeys(rows.map((row) => row.slice(1)))
    return this.#part(this.#sql.readKeys, from, LEAST_ID, read, deadline)
  }

  async listKeys(
    account: number | null,
    offset: number,
    limit: number,
    deadline?: Deadline,
  ): Promise<readonly AccountKeyRow[]> {
    const page = pageOf({ offset, limit })
    return readAccountKeys(
      account === null
        ? await this.#rows(this.#sql.listKeys, page, deadline)
        : await this.#rows(this.#sql.listKeysOf, [BigInt(account), ...page], deadline),
    )
  }

  addKeys(rows: readonly UserKeyRow[], deadline?: Deadline): Promise<readonly AccountKeyRow[]> {
    return this.#turn((turn) => addKeys(turn, this.#main, rows), deadline)
  }

  removeKeys(keys: readonly string[], deadline?: Deadline): Promise<number> {
    return this.#turn((turn) => removeKeys(turn, this.#main, keys), deadline)
  }

  replaceKey(key: string, newKey: string, deadline?: Deadline): Promise<AccountKeyRow | null> {
    return this.#turn((turn) => replaceKey(turn, this.#main, key, newKey), deadline)
  }

  lookUp(question: LookupQuestion, deadline?: Deadline): Promise<LookupAnswer> {
    return this.#sessions.run((session) => lookUp(session, this.#sql, question), deadline)
  }

  write(owed: AccountingBatch, deadline?: Deadline): Promise<Written> {
    return this.#turn(async (turn) => {
      const writer = await noteWrite(turn.session, this.#main, owed)
      if (writer === undefined)
        return {
          sequence: Number(turn.sequence - 1n),
          isRepeated: true,
          firstCompleted: new Int32Array(0),
        }
      const firstCompleted = await add(turn, owed, writer)
      await turn.end()
      return { sequence: Number(turn.sequence), isRepeated: false, firstCompleted }
    }, deadline)
  }

  async listAccounts(query: AccountQuery, deadline?: Deadline): Promise<readonly AccountRow[]> {
    const { userIds, sort } = query
    const page = pageOf(query)
    const rows = await this.#sessions.run(
      (session) =>
        userIds === undefined
          ? session.rows(this.#sql.accounts[sort], page)
          : padded(session, this.#sql.accountsOfUsers[sort], userIds, page),
      deadline,
    )
    return rows.map(readAccount)
  }

  account(name: AccountName, deadline?: Deadline): Promise<AccountRow | null> {
    return this.#sessions.run((session) => findAccount(session, this.#sql, name), deadline)
  }

  changeAccount(
    name: AccountName,
    settings: Partial<AccountSettings>,
    deadline?: Deadline,
  ): Promise<AccountRow | null> {
    return this.#turn((turn) => changeAccount(turn, name, settings), deadline)
  }

  adjustAccount(
    name: AccountName,
    adjustment: Adjustment,
    deadline?: Deadline,
  ): Promise<AccountRow | null> {
    return this.#turn((turn) => adjustAccount(turn, name, adjustment), deadline)
  }

  eraseAccount(name: AccountName, deadline?: Deadline): Promise<Erased | null> {
    return this.#turn((turn) => eraseAccount(turn, name), deadline)
  }

  async listRecords(query: RecordQuery, deadline?: Deadline): Promise<readonly RecordRow[]> {
    const { of, hitAndRun } = query
    const [statements, name]: [readonly [string, string], Value] =
      'account' in of
        ? [this.#sql.recordsOf, BigInt(of.account)]
        : [this.#sql.recordsOfTorrent, of.infoHash.toHex()]
    const filter = hitAndRun
      ? [BigInt(hitAndRun.lastSeenBefore), BigInt(hitAndRun.minSeedSeconds)]
      : []
    const values = [name, ...filter, ...pageOf(query)]
    return (await this.#rows(statements[hitAndRun ? 1 : 0], values, deadline)).map(readRecord)
  }

  async torrent(infoHash: Uint8Array, deadline?: Deadline): Promise<TorrentRow | null> {
    const [row] = await this.#sessions.run(
      (session) => padded(session, this.#sql.torrents, hashTexts(infoHash)),
      deadline,
    )
    return row === undefined ? null : readTorrent(row)
  }

  changeTorrents(
    hashes: Uint8Array,
    settings: Partial<TorrentSettings>,
    deadline?: Deadline,
  ): Promise<readonly TorrentRow[]> {
    return this.#turn((turn) => changeTorrents(turn, hashes, settings), deadline)
  }

  putToken(
    account: number,
    infoHash: Uint8Array,
    until: number | null,
    deadline?: Deadline,
  ): Promise<boolean> {
    return this.#turn((turn) => putToken(turn, account, infoHash, until), deadline)
  }

  removeToken(account: number, infoHash: Uint8Array, deadline?: Deadline): Promise<boolean> {
    return this.#turn((turn) => removeToken(turn, account, infoHash), deadline)
  }

  changes(after: number, limit: number, deadline?: Deadline): Promise<Changes> {
    return this.#sessions.run((session) => changes(session, this.#sql, after, limit), deadline)
  }

  async listFlags(offset: number, limit: number, deadline?: Deadline): Promise<readonly FlagRow[]> {
    return (await this.#rows(this.#sql.flags, pageOf({ offset, limit }), deadline)).map(readFlag)
  }

  reviewFlag(id: number, at: number | null, deadline?: Deadline): Promise<FlagRow | null> {
    return this.#turn(async ({ session, sql }) => {
      await session.write(sql.reviewFlag, [orNull(at), BigInt(id)])
      const [row] = await session.rows(sql.flag, [BigInt(id)])
      return row === undefined ? null : readFlag(row)
    }, deadline)
  }

  async readMark(name: string, deadline?: Deadline): Promise<number> {
    return numberIn((await this.#rows(this.#sql.state, [MARK + name], deadline))[0]?.[0])
  }

  putMark(name: string, value: number, deadline?: Deadline): Promise<void> {
    return this.#turn(async ({ session, sql }) => {
      await batch(session, sql.putState, [[MARK + name, BigInt(value)]])
    }, deadline)
  }

  async purge(before: Before, deadline?: Deadline): Promise<number> {
    const [count, keys] = await this.#turn(
      async (turn) => [await purge(turn, before), await purgeKeys(turn, this.#purged)] as const,
      deadline,
    )
    this.#purged = keys.next ?? ''
    return count + keys.count
  }

  #turn<T>(work: (turn: Turn) => Promise<T>, deadline: Deadline | undefined): Promise<T> {
    return this.#sessions.transact(
      async (session) => work(await Turn.begin(session, this.#sql)),
      deadline,
    )
  }

  #rows(
    sql: string,
    values: readonly Value[],
    deadline: Deadline | undefined,
  ): Promise<readonly Row[]> {
    return this.#sessions.run((session) => session.rows(sql, values), deadline)
  }

  /** Rows whose numbers begin with `least`. */
  async #part<T>(
    sql: string,
    from: bigint,
    least: bigint,
    read: (rows: readonly Row[]) => T,
    deadline: Deadline | undefined,
  ): Promise<Part<T>> {
    const rows = await this.#rows(sql, [least + from], deadline)
    const last = rows.length < PART_ROWS ? LARGEST : wholeNumber(rows.at(-1)![0])!
    return { rows: read(rows), next: last === LARGEST ? undefined : last - least + 1n }
  }
}

const pageOf = ({ offset, limit }: { offset: number; limit: number }): bigint[] => [
  BigInt(limit),
  BigInt(offset),
]
