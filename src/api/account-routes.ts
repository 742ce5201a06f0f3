/**
 * Accounts in the management API: whom figures belong to, by our number (`account/{id}`) or by the site's
 * (`user/{user_id}`). Ours.
 */
import { Elysia, t } from 'elysia'
import type { AccountName, AccountRow } from '../database/accounting-contract.ts'
import type { AccountingStore } from '../storage/accounting.ts'
import { printAccount, printRecord } from './accounting-json.ts'
import {
  ACCOUNT,
  ACCOUNT_CHANGES,
  ACCOUNT_SEGMENT,
  ACCOUNT_SORT,
  ADJUSTMENT,
  ERASED,
  HIT_AND_RUN,
  RECORD,
  readUserId,
  readUserIds,
  TOKEN,
  USER_ID_LIST,
  USER_SEGMENT,
} from './accounting-schemas.ts'
import { accountSettingsIn, adjustmentIn, hitAndRunIn } from './accounting-settings.ts'
import { changed, json, OK, okCount } from './answers.ts'
import { searchOf } from './authentication.ts'
import { disabled, Missing, tryDatabase } from './failures.ts'
import { asJson, COUNTED, DONE, describe } from './openapi.ts'
import { batches, jsonArray } from './paging.ts'
import type { ApiParts, ReadBody } from './parts.ts'
import { INFO_HASH_SEGMENT, pageQuery, queryOf, readPage } from './schemas.ts'

/** What the routes are given. */
type Parts = Pick<ApiParts, 'accounting' | 'schema'> & { readonly seconds: () => number }

const print = (accounting: AccountingStore, row: AccountRow): string =>
  printAccount(row, accounting.activity(row.id))

export function accountRoutes(parts: Parts, parse: ReadBody) {
  const { accounting, schema } = parts
  return new Elysia({ tags: ['accounting'] })
    .derive(() => {
      if (accounting === undefined) throw disabled('accounting')
      return { accounting }
    })
    .get(
      '/accounts',
      ({ accounting, query }) => {
        const { user_id, sort = 'id' } = query
        const userIds = user_id === undefined ? undefined : readUserIds(user_id)
        const items = batches(
          'failed to list accounts',
          readPage(query, schema),
          async (offset, limit) => {
            const rows = await accounting.listAccounts({ userIds, sort, offset, limit })
            return rows.map((row) => print(accounting, row))
          },
        )
        return json(jsonArray(items))
      },
      {
        // Of a repeated parameter Elysia keeps the last value.
        transform: ({ request, query }) => {
          const named = searchOf(request.url).getAll('user_id')
          if (named.length > 0) query.user_id = named.join(',')
        },
        query: queryOf({
          ...pageQuery(schema),
          user_id: t.Optional(USER_ID_LIST),
          sort: t.Optional(ACCOUNT_SORT),
        }),
        detail: describe(
          'listAccounts',
          'The accounts, ascending or the largest first',
          asJson(t.Array(ACCOUNT)),
        ),
      },
    )
    .use(namedRoutes(parts, parse, BY_ID))
    .use(namedRoutes(parts, parse, BY_USER))
}

/** How a path names an account. */
type Naming = {
  readonly path: string
  readonly parameter: string
  readonly segment: typeof ACCOUNT_SEGMENT
  /** In operation ids. */
  readonly noun: string
  readonly nameOf: (text: string) => AccountName
  readonly missing: (text: string) => Missing
}
const BY_ID: Naming = {
  path: '/account/:id',
  parameter: 'id',
  segment: ACCOUNT_SEGMENT,
  noun: 'Account',
  nameOf: (text) => ({ id: Number(text) }),
  missing: (text) => new Missing(`account ${Number(text)}`),
}
const BY_USER: Naming = {
  path: '/user/:user_id',
  parameter: 'user_id',
  segment: USER_SEGMENT,
  noun: 'User',
  nameOf: (text) => ({ userId: readUserId(text) }),
  missing: (text) => new Missing(`user ${BigInt(text)}`),
}

function namedRoutes({ accounting, schema, seconds }: Parts, parse: ReadBody, naming: Naming) {
  const { path, parameter, noun, segment } = naming
  const params = t.Object({ [parameter]: segment })
  const withHash = t.Object({ [parameter]: segment, info_hash: INFO_HASH_SEGMENT })
  type Params = Readonly<Record<string, string>>
  /** What `find` finds of the account in the path. */
  const found = async <T>(
    what: string,
    params: Params,
    find: (name: AccountName) => Promise<T | null>,
  ): Promise<T> => {
    const text = params[parameter]!
    const result = await tryDatabase(what, () => find(naming.nameOf(text)))
    if (result === null) throw naming.missing(text)
    return result
  }
  // Handlers name what they take of their context: from one that takes the whole, Elysia reads the body, too.
  return new Elysia({ tags: ['accounting'] })
    .derive(() => {
      if (accounting === undefined) throw disabled('accounting')
      return { accounting }
    })
    .get(
      path,
      async ({ accounting, params }) => {
        const row = await found('failed to read account', params, (name) =>
          accounting.account(name),
        )
        return json(print(accounting, row))
      },
      {
        params,
        detail: describe(`get${noun}`, 'An account: totals, limits, activity', asJson(ACCOUNT)),
      },
    )
    .patch(
      path,
      async ({ accounting, params, body }) => {
        const { wanted, text } = accountSettingsIn(body)
        const row = await found('failed to change account', params, (name) =>
          accounting.changeAccount(name, wanted),
        )
        return changed(`${row.id}: ${text}`, json(print(accounting, row)))
      },
      {
        parse,
        params,
        body: ACCOUNT_CHANGES,
        detail: describe(`change${noun}`, 'Change settings of an account', asJson(ACCOUNT), {
          description: 'Those that are named; they apply to what is announced from then on.',
        }),
      },
    )
    .delete(
      path,
      async ({ accounting, params }) => {
        const { id, successor } = await found('failed to erase account', params, (name) =>
          accounting.eraseAccount(name),
        )
        return changed(`${id}`, json(`{"status":"ok","id":${id},"successor":${successor}}`))
      },
      {
        params,
        detail: describe(`erase${noun}`, 'Erase all that is known of an account', asJson(ERASED), {
          description: 'Its keys stay: they begin a new account, `successor`; null: it had none.',
        }),
      },
    )
    .post(
      `${path}/adjust`,
      async ({ accounting, params, body }) => {
        const { wanted, text } = adjustmentIn(body)
        const row = await found('failed to adjust account', params, (name) =>
          accounting.adjustAccount(name, wanted),
        )
        return changed(
          `${row.id}: ${text}: ${JSON.stringify(body.reason)}`,
          json(print(accounting, row)),
        )
      },
      {
        parse,
        params,
        body: ADJUSTMENT,
        detail: describe(`adjust${noun}`, 'Add to credited figures, or take away', asJson(ACCOUNT)),
      },
    )
    .get(
      `${path}/records`,
      async ({ accounting, params, query }) => {
        const what = 'failed to list records'
        const hitAndRun = hitAndRunIn(query, seconds())
        const { id } = await found(what, params, (name) => accounting.account(name))
        const items = batches(what, readPage(query, schema), async (offset, limit) => {
          const of = { account: id }
          return (await accounting.listRecords({ of, hitAndRun, offset, limit })).map(printRecord)
        })
        return json(jsonArray(items))
      },
      {
        params,
        query: queryOf({ ...pageQuery(schema), ...HIT_AND_RUN }),
        detail: describe(
          `list${noun}Records`,
          'What an account moved of each torrent, ascending by info hash',
          asJson(t.Array(RECORD)),
        ),
      },
    )
    .put(
      `${path}/token/:info_hash`,
      async ({ accounting, params, body: { until } }) => {
        const what = 'failed to put token'
        const { id } = await found(what, params, (name) => accounting.account(name))
        const hash = Uint8Array.fromHex(params.info_hash!)
        if (!(await tryDatabase(what, () => accounting.putToken(id, hash, until))))
          throw naming.missing(params[parameter]!)
        return changed(`${id}: ${hash.toHex()}${until === null ? '' : ` until ${until}`}`, OK)
      },
      {
        parse,
        params: withHash,
        body: TOKEN,
        detail: describe(`put${noun}Token`, 'Make the download of a torrent free', DONE),
      },
    )
    .delete(
      `${path}/token/:info_hash`,
      async ({ accounting, params }) => {
        const what = 'failed to remove token'
        const { id } = await found(what, params, (name) => accounting.account(name))
        const hash = Uint8Array.fromHex(params.info_hash!)
        const isDone = await tryDatabase(what, () => accounting.removeToken(id, hash))
        return changed(`${id}: ${hash.toHex()}`, okCount(Number(isDone)))
      },
      {
        params: withHash,
        detail: describe(`remove${noun}Token`, 'Take such a token back', COUNTED, {
          description: '`count` is 0 where there was none, which is no mistake.',
        }),
      },
    )
}
