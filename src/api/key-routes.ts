/**
 * Auth keys in the management API (docs/behaviours.md A17–A22), and two additions of ours: their list (A27)
 * and the bulk forms (A28). Works in every mode of the tracker, as long as there is a database. Valid keys
 * appear in answers to those who may manage them, but in no error and no log.
 */
import { Elysia, t } from 'elysia'
import type { AuthKey, NewKey, PermissionStore } from '../storage/permissions.ts'
import { REPLACEMENT } from './accounting-schemas.ts'
import { type Answer, json, KEY_TYPE, OK, okCount } from './answers.ts'
import { disabled, Failure, Missing, tryDatabase } from './failures.ts'
import { COUNTED, DONE, describe, nullable } from './openapi.ts'
import { batches, jsonArray } from './paging.ts'
import type { ApiParts, ReadBody } from './parts.ts'
import {
  integer,
  KEY,
  KEY_SEGMENT,
  KEYS,
  NEW_KEY,
  NEW_KEYS,
  pageQuery,
  queryOf,
  readPage,
  readSeconds,
  secondsSegment,
} from './schemas.ts'

const GENERATE = 'failed to generate key'
const ADD = { '2.0.0': GENERATE, '3.0.0': 'failed to add key' } as const
const DELETE = 'failed to delete key'

/** One path has two uses and, as in the reference's messages, one name. */
const SEGMENT = 'seconds_valid_or_key'
const SHOWN = t.Object(
  {
    key: KEY,
    valid_until: nullable(integer()),
    expiry_time: nullable(t.String({ examples: ['2023-11-14 23:13:20.004 UTC'] })),
    account: t.Optional(integer({ description: 'Only with accounting, as `user_id`.' })),
    user_id: t.Optional(nullable(integer())),
  },
  { $id: 'AuthKey' },
)
const shown = { [KEY_TYPE]: SHOWN }
const allShown = { [KEY_TYPE]: t.Array(SHOWN) }

/** The last millisecond of the runtime's calendar; a database may hold any number. */
const LAST_MILLISECOND = 8_640_000_000_000_000n

/** A key as the API shows it. Years of five digits and more have a sign in front, as the reference's. */
export function printKey({ key, expires, account, userId }: AuthKey): string {
  const owner = account === undefined ? '' : `,"account":${account},"user_id":${userId ?? null}`
  if (expires === null) return `{"key":"${key}","valid_until":null,"expiry_time":null${owner}}`
  const shown = expires < LAST_MILLISECOND ? expires : LAST_MILLISECOND
  const time = new Date(Number(shown))
    .toISOString()
    .replace(/^\+0/, '+')
    .replace('T', ' ')
    .replace(/(\.000)?Z$/, ' UTC')
  return `{"key":"${key}","valid_until":${expires / 1_000n},"expiry_time":"${time}"${owner}}`
}

type Form = {
  readonly key: string | null
  readonly seconds_valid: number | null
  readonly user_id?: number | bigint | null | undefined
}
/** Throws unless keys have accounts. */
function assertAccounts(accounting: ApiParts['accounting']): void {
  if (accounting?.status().level !== 'users') throw disabled('accounting')
}
const formReader =
  (accounting: ApiParts['accounting']) =>
  ({ key, seconds_valid, user_id = null }: Form): NewKey => {
    if (user_id !== null) assertAccounts(accounting)
    return {
      key,
      secondsValid: seconds_valid === null ? null : BigInt(seconds_valid),
      ...(user_id !== null && { userId: BigInt(user_id) }),
    }
  }

/** The new keys as they are shown. */
const add = (permissions: PermissionStore, what: string, keys: readonly NewKey[]) =>
  tryDatabase(what, async () => (await permissions.addKeys(keys)).map(printKey))

async function addOne(permissions: PermissionStore, what: string, key: NewKey): Promise<Answer> {
  const [added = ''] = await add(permissions, what, [key])
  return json(added, KEY_TYPE)
}

/** How many of the keys existed. */
const remove = (permissions: PermissionStore, keys: readonly string[]) =>
  tryDatabase(DELETE, () => permissions.removeKeys(keys))

export function keyRoutes(parts: ApiParts, parse: ReadBody) {
  const { permissions, accounting, schema, databaseName } = parts
  const newKey = formReader(accounting)
  return new Elysia({ tags: ['keys'] })
    .derive(() => {
      if (permissions === undefined) throw disabled('auth keys')
      return { permissions }
    })
    .post('/keys', ({ permissions, body }) => addOne(permissions, ADD[schema], newKey(body)), {
      parse,
      body: NEW_KEY,
      detail: describe('addKey', 'Add a key', shown),
    })
    .get(
      '/keys',
      ({ permissions, query }) => {
        const items = batches(
          'failed to list keys',
          readPage(query, schema),
          async (offset, limit) => (await permissions.listKeys(offset, limit)).map(printKey),
        )
        return json(jsonArray(items), KEY_TYPE)
      },
      {
        query: queryOf(pageQuery(schema)),
        detail: describe('listKeys', 'The keys, ascending', allShown),
      },
    )
    .get(
      '/keys/reload',
      async ({ permissions }) => {
        await tryDatabase('failed to reload keys', () => permissions.reloadKeys())
        return OK
      },
      {
        detail: describe('reloadKeys', 'Reload the keys from the database', DONE, { scope: 'all' }),
      },
    )
    .post(
      '/keys/bulk',
      async ({ permissions, body: { keys } }) => {
        const added = keys.length === 0 ? [] : await add(permissions, ADD[schema], keys.map(newKey))
        return json(`[${added.join(',')}]`, KEY_TYPE)
      },
      {
        parse,
        body: NEW_KEYS,
        detail: describe('addKeys', 'Add many keys', allShown, {
          description: 'All or none. The answer has them in the order of the request.',
        }),
      },
    )
    .delete(
      '/keys/bulk',
      async ({ permissions, body: { keys } }) =>
        okCount(keys.length === 0 ? 0 : await remove(permissions, keys)),
      {
        parse,
        body: KEYS,
        detail: describe('deleteKeys', 'Delete many keys', COUNTED, {
          description:
            'All or none. `count` is how many existed; keys that do not exist are no mistake.',
        }),
      },
    )
    .post(
      `/key/:${SEGMENT}`,
      async ({ permissions, params }) => {
        const secondsValid = readSeconds(params[SEGMENT], schema)
        return await addOne(permissions, GENERATE, { key: null, secondsValid })
      },
      {
        params: t.Object({ [SEGMENT]: secondsSegment(schema) }),
        detail: describe('generateKey', 'Generate a key that is valid for so many seconds', shown, {
          description: 'Use POST /api/v1/keys instead.',
          deprecated: true,
        }),
      },
    )
    .put(
      `/key/:${SEGMENT}`,
      async ({ permissions, params, body }) => {
        assertAccounts(accounting)
        const replaced = await tryDatabase('failed to replace key', () =>
          permissions.replaceKey(params[SEGMENT], body.new_key),
        )
        if (replaced === null) throw new Missing('the key')
        return json(printKey(replaced), KEY_TYPE)
      },
      {
        parse,
        params: t.Object({ [SEGMENT]: KEY_SEGMENT }),
        body: REPLACEMENT,
        detail: describe(
          'replaceKey',
          'Give the account of a key another key in its place',
          shown,
          {
            description: 'It is valid as long as the old one, which is refused from then on.',
          },
        ),
      },
    )
    .delete(
      `/key/:${SEGMENT}`,
      async ({ permissions, params }) => {
        if ((await remove(permissions, [params[SEGMENT]])) > 0) return OK
        const detail = `Failed to remove record from ${databaseName} database, error-code: 0`
        throw new Failure(500, `${DELETE}: ${detail}`)
      },
      {
        params: t.Object({ [SEGMENT]: KEY_SEGMENT }),
        detail: describe('deleteKey', 'Delete a key; fails if it does not exist', DONE),
      },
    )
}
