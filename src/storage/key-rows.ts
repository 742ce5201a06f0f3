/** Auth keys as they are administered, as the database has them, and as serving threads read them. */
import { packKeys } from '../access/keys.ts'
import type { AccountingDatabase, AccountKeyRow } from '../database/accounting-contract.ts'
import type { Database, KeyRow } from '../database/contract.ts'
import type { Entries } from '../memory/table.ts'
import type { KnownAccounts } from './known-accounts.ts'
import { parts } from './mirror.ts'

/** An auth key as it is administered. */
export type AuthKey = {
  readonly key: string
  /** End of its validity in milliseconds since the epoch, fractions of a second included; null = permanent. */
  readonly expires: bigint | null
  /** Whose it is, and what the site calls the user, if it does; absent: there are no accounts. */
  readonly account?: number
  readonly userId?: bigint | null
}

/** Keys with their accounts in the database, and what is decided about these. */
export type KeyAccounts = {
  readonly database: AccountingDatabase
  readonly known: KnownAccounts
}

export function keysOf(database: Database): AsyncGenerator<Entries, void, void> {
  return parts(
    (from) => database.readKeys(from),
    (rows) => pack(rows.map(keyOf)),
  )
}

/** Those of accounts that are switched off are left out. */
export async function* keysWithAccounts({ database, known }: KeyAccounts): AsyncGenerator<Entries> {
  await known.read()
  yield* parts(
    (from) => database.readKeys(from),
    (rows) => pack(rows.filter(({ account }) => known.isEnabled(account)).map(authKeyOf)),
  )
}

export const rowOf = ({ key, expires }: AuthKey): KeyRow => ({
  key,
  validUntil: expires === null ? null : expires / 1000n,
})

export const keyOf = ({ key, validUntil }: KeyRow): AuthKey => ({
  key,
  expires: validUntil === null ? null : validUntil * 1000n,
})

export const authKeyOf = ({ account, userId, ...row }: AccountKeyRow): AuthKey => ({
  ...keyOf(row),
  account,
  userId,
})

export const pack = (keys: readonly AuthKey[]) =>
  packKeys(
    keys.map(({ key, expires, account = 0 }) => ({
      key,
      validUntil: expires === null ? Infinity : Number(expires),
      account,
    })),
  )

export const wordsOf = (keys: readonly string[]): Int32Array =>
  packKeys(keys.map((key) => ({ key, validUntil: 0, account: 0 }))).words
