/** Accounts and their keys. */
import type { AccountSettings } from '../accounting/batch.ts'
import { isAuthKey } from '../bittorrent.ts'
import { systemClock } from '../time/clock.ts'
import type {
  AccountKeyRow,
  AccountName,
  AccountRow,
  Adjustment,
  Erased,
} from './accounting-contract.ts'
import { numberIn, readAccount, readAccountKeys, settingValues } from './accounting-rows.ts'
import { type AccountingDialect, ERASED } from './accounting-sql.ts'
import type { Turn } from './accounting-turn.ts'
import type { KeyRow } from './contract.ts'
import { batch, type Dialect, insertKeys, padded } from './dialects.ts'
import { LARGEST } from './schema.ts'
import { type Session, wholeNumber } from './session.ts'

export type UserKeyRow = KeyRow & { readonly userId: bigint | null }

const now = (): bigint => BigInt(systemClock.seconds())

/** Gives keys whose row in "keys" is after number `from` an account each. The last number; undefined: there are none. */
export async function adoptKeys(
  turn: Turn,
  from: bigint,
): Promise<{ readonly count: number; readonly last: bigint } | undefined> {
  const rows = await turn.session.rows(turn.sql.adoptable, [from])
  if (rows.length === 0) return undefined
  await nameAccounts(
    turn,
    rows.map(([, key]) => ({ key: String(key), userId: null })),
  )
  await turn.end()
  return { count: rows.length, last: wholeNumber(rows.at(-1)![0])! }
}

/** Makes the accounts that keys without one need. Account ids in the order of `keys`. */
async function nameAccounts(
  turn: Turn,
  keys: readonly { readonly key: string; readonly userId: bigint | null }[],
): Promise<bigint[]> {
  const users = [...new Set(keys.flatMap(({ userId }) => userId ?? []))]
  const known = await padded(turn.session, turn.sql.users, users)
  const accountOf = new Map(known.map(([user, id]) => [wholeNumber(user)!, wholeNumber(id)!]))
  const missing = [
    ...users.filter((user) => !accountOf.has(user)),
    ...keys.flatMap(({ userId }) => (userId === null ? [null] : [])),
  ]
  const made = await turn.makeAccounts(missing, now())
  const own = made.filter((id, i) => {
    const user = missing[i]!
    if (user !== null) accountOf.set(user, id)
    return user === null
  })
  const ids = keys.map(({ userId }) => (userId === null ? own.shift()! : accountOf.get(userId)!))
  await batch(
    turn.session,
    turn.sql.addMappings,
    keys.map(({ key }, i) => [key, ids[i]!] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  )
  return ids
}

export async function addKeys(
  turn: Turn,
  sql: Dialect,
  rows: readonly UserKeyRow[],
): Promise<AccountKeyRow[]> {
  await insertKeys(turn.session, sql, rows)
  // An account may have had one of these keys before: what removed it did not know of accounts.
  const names = rows.map(({ key }) => [key]).sort()
  await batch(turn.session, turn.sql.removeMappings, names)
  const ids = await nameAccounts(turn, rows)
  await turn.end()
  return rows.map((row, i) => ({ ...row, account: Number(ids[i]!) }))
}

export async function removeKeys(
  { session, sql }: Turn,
  main: Dialect,
  keys: readonly string[],
): Promise<number> {
  // Servers do not get to interpret anything else.
  const names = [...new Set(keys)]
    .filter(isAuthKey)
    .sort()
    .map((key) => [key])
  const count = await batch(session, main.removeKeys, names)
  await batch(session, sql.removeMappings, names)
  return count
}

export async function replaceKey(
  turn: Turn,
  main: Dialect,
  key: string,
  newKey: string,
): Promise<AccountKeyRow | null> {
  const { session, sql } = turn
  if (!isAuthKey(key)) return null
  const [row] = await session.rows(sql.keyNamed, [key])
  if (row === undefined) return null
  const [old] = readAccountKeys([row])
  const validUntil = wholeNumber(row[1])
  await insertKeys(session, main, [{ key: newKey, validUntil }])
  await batch(session, main.removeKeys, [[key]])
  await batch(session, sql.removeMappings, [[key], [newKey]])
  const account = old?.account ?? (await turn.makeAccounts([null], now()))[0]!
  await batch(session, sql.addMappings, [[newKey, BigInt(account)]])
  await turn.end()
  return { key: newKey, validUntil, account: Number(account), userId: old?.userId ?? null }
}

export async function findAccount(
  session: Session,
  sql: AccountingDialect,
  name: AccountName,
): Promise<AccountRow | null> {
  const [row] =
    'id' in name
      ? await session.rows(sql.account, [BigInt(name.id)])
      : await session.rows(sql.accountOfUser, [name.userId])
  return row === undefined ? null : readAccount(row)
}

export async function changeAccount(
  turn: Turn,
  name: AccountName,
  settings: Partial<AccountSettings>,
): Promise<AccountRow | null> {
  const { session, sql, sequence } = turn
  const account = await findAccount(session, sql, name)
  if (account === null) return null
  const changed = { ...account, ...settings, batch: Number(sequence) }
  await session.write(sql.changeAccount, [...settingValues(changed), sequence, BigInt(account.id)])
  await turn.end()
  return changed
}

export async function adjustAccount(
  turn: Turn,
  name: AccountName,
  { creditedUploaded = 0n, creditedDownloaded = 0n }: Adjustment,
): Promise<AccountRow | null> {
  const { session, sql, sequence } = turn
  const account = await findAccount(session, sql, name)
  if (account === null) return null
  const up = within(account.creditedUploaded + creditedUploaded)
  const down = within(account.creditedDownloaded + creditedDownloaded)
  await session.write(sql.adjustAccount, [up, down, sequence, BigInt(account.id)])
  await turn.end()
  return { ...account, creditedUploaded: up, creditedDownloaded: down, batch: Number(sequence) }
}

const within = (sum: bigint): bigint => (sum < 0n ? 0n : sum < LARGEST ? sum : LARGEST)

export async function eraseAccount(turn: Turn, name: AccountName): Promise<Erased | null> {
  const { session, sql, sequence } = turn
  const account = await findAccount(session, sql, name)
  if (account === null) return null
  const { userId } = account
  const id = BigInt(account.id)
  const keys: KeyRow[] = readAccountKeys(await session.rows(sql.keysOf, [id])).map(
    ({ key, validUntil }) => ({ key, validUntil }),
  )
  for (const statement of sql.erase) await session.write(statement, [id])
  await batch(session, sql.putState, [[`${ERASED}${id}/${now()}`, sequence]])
  let successor: bigint | undefined
  if (keys.length > 0) {
    ;[successor] = await turn.makeAccounts([userId], now())
    const names = keys.map(({ key }) => [key, successor!] as const)
    await batch(session, sql.addMappings, names)
  }
  await turn.end()
  return { id: account.id, keys, successor: successor === undefined ? null : Number(successor) }
}

/** Accounts that were erased: their numbers, when, and the number of the write that did it. */
export async function erasedAccounts(
  session: Session,
  sql: AccountingDialect,
): Promise<{ name: string; id: number; at: number; batch: number }[]> {
  const rows = await session.rows(sql.erased)
  return rows.map(([name, value]) => {
    const [, id, at] = String(name).split('/')
    return { name: String(name), id: Number(id), at: Number(at), batch: numberIn(value) }
  })
}
