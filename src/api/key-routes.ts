/**
 * Auth keys in the management API (docs/behaviours.md A17–A22), and two additions of ours: their list (A27)
 * and the bulk forms (A28). Works in every mode of the tracker, as long as there is a database. Valid keys
 * appear in answers to those who may manage them, but in no error and no log.
 */
import { t } from 'elysia'
import { isAuthKey } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import type { NewKey, PermissionStore } from '../storage/permissions.ts'
import type { Clock } from '../time/clock.ts'
import {
  type Answer,
  badUrl,
  debugQuote,
  echo,
  json,
  KEY_TYPE,
  OK,
  okCount,
  rejection,
  text,
} from './answers.ts'
import {
  durationMistake,
  keyMistake,
  readEach,
  readKeyForm,
  readKeyForms,
  readTexts,
} from './key-forms.ts'
import { printKey } from './key-resource.ts'
import { describe, integer, nullable, page, status, statusCount } from './openapi.ts'
import {
  type ApiParts,
  type Context,
  type Operation,
  tryDatabase,
  withPermissions,
} from './operation.ts'
import { batches, fetchFirst, jsonArray } from './paging.ts'
import { MOST_U64, readPage, readUnsigned } from './parameters.ts'
import { readJson } from './request-body.ts'

const GENERATE = 'failed to generate key'
const ADD = { '2.0.0': GENERATE, '3.0.0': 'failed to add key' } as const
const DELETE = 'failed to delete key'
const RELOAD = 'failed to reload keys'
const LIST = 'failed to list keys'

/** The segment has two uses and, as in the reference's messages, one name. */
const SEGMENT = 'seconds_valid_or_key'
const KEY = t.String({ pattern: '^[0-9A-Za-z]{32}$' })
const FORM = t.Object({
  key: nullable(KEY),
  seconds_valid: t.Unsafe<number>({
    anyOf: [{ type: 'integer', minimum: 0 }, { type: 'null' }],
    description: 'null: permanent.',
  }),
})
const RESOURCE = t.Object({
  key: KEY,
  valid_until: nullable(integer()),
  expiry_time: nullable(t.String({ examples: ['2023-11-14 23:13:20.004 UTC'] })),
})
const resource = { [KEY_TYPE]: RESOURCE }
const resources = { [KEY_TYPE]: t.Array(RESOURCE) }
const done = { 'application/json': status }
const bulkStatuses = [400, 409, 413, 415, 422] as const

type KeyAnswer = (permissions: PermissionStore, context: Context) => Promise<Answer>

/** Adds the keys as they are; the answer is made by `print`. */
const add = (
  what: string,
  permissions: PermissionStore,
  keys: readonly NewKey[],
  print: (resources: readonly string[]) => string,
): Promise<Answer> =>
  tryDatabase(what, async () => {
    const added = keys.length === 0 ? [] : await permissions.addKeys(keys)
    return json(print(added.map(printKey)), KEY_TYPE)
  })
const single = ([only = '']: readonly string[]): string => only
const array = (all: readonly string[]): string => `[${all.join(',')}]`

/** Checks the duration first, as the reference does. */
const mistakeOf = ({ key, secondsValid }: NewKey, now: number): string | undefined =>
  durationMistake(secondsValid, now) ?? (key === null ? undefined : keyMistake(key))

const addOne =
  (clock: Clock): KeyAnswer =>
  async (permissions, { request, schema }) => {
    const form = await readJson(request, readKeyForm)
    if ('fault' in form) return form.fault
    const mistake = mistakeOf(form.value, clock.seconds())
    return mistake === undefined
      ? await add(ADD[schema], permissions, [form.value], single)
      : badUrl(mistake)
  }

const addMany =
  (clock: Clock): KeyAnswer =>
  async (permissions, { request, schema }) => {
    const forms = await readJson(request, readKeyForms)
    if ('fault' in forms) return forms.fault
    const now = clock.seconds()
    const keys = readEach('keys', forms.value, (value) => {
      const mistake = mistakeOf(value, now)
      return mistake === undefined ? { value } : { mistake }
    })
    return 'fault' in keys ? keys.fault : await add(ADD[schema], permissions, keys.value, array)
  }

const addDeprecated =
  (clock: Clock): KeyAnswer =>
  async (permissions, { parameter, schema }) => {
    const secondsValid = readUnsigned(parameter, MOST_U64)
    if (typeof secondsValid === 'string') {
      const shown = schema === '2.0.0' ? debugQuote(echo(parameter)) : echo(parameter)
      return badUrl(`Cannot parse \`${shown}\` to a \`u64\``)
    }
    const mistake = durationMistake(secondsValid, clock.seconds())
    if (mistake !== undefined) return badUrl(mistake)
    return await add(GENERATE, permissions, [{ key: null, secondsValid }], single)
  }

const badKeyId = (key: string): string => `Invalid auth key id param "${echo(key)}"`

const removeOne =
  (databaseName: string): KeyAnswer =>
  async (permissions, { parameter }) => {
    if (!isAuthKey(parameter)) return text(400, badKeyId(parameter))
    return await tryDatabase(DELETE, async () => {
      const removed = await permissions.removeKeys([parameter])
      return removed > 0
        ? OK
        : rejection(
            `${DELETE}: Failed to remove record from ${databaseName} database, error-code: 0`,
          )
    })
  }

const removeMany: KeyAnswer = async (permissions, { request }) => {
  const texts = await readJson(request, (bytes) => readTexts(bytes, 'keys'))
  if ('fault' in texts) return texts.fault
  const keys = readEach('keys', texts.value, (value) =>
    isAuthKey(value) ? { value } : { mistake: badKeyId(value) },
  )
  if ('fault' in keys) return keys.fault
  return await tryDatabase(DELETE, async () =>
    okCount(keys.value.length === 0 ? 0 : await permissions.removeKeys(keys.value)),
  )
}

const list: KeyAnswer = async (permissions, { query, schema }) => {
  const asked = readPage(query, schema)
  if ('fault' in asked) return asked.fault
  return await tryDatabase(LIST, async () => {
    const items = batches(asked, async (offset, limit) =>
      (await permissions.listKeys(offset, limit)).map(printKey),
    )
    return json(jsonArray(await fetchFirst(items)), KEY_TYPE)
  })
}

const reload: KeyAnswer = (permissions) =>
  tryDatabase(RELOAD, async () => {
    await permissions.reloadKeys()
    return OK
  })

export function keyOperations(parts: ApiParts, clock: Clock): readonly Operation[] {
  const on = (answer: KeyAnswer) => withPermissions(parts, 'auth keys', answer)
  const tag = 'keys'
  return [
    {
      method: 'POST',
      path: '/api/v1/keys',
      answer: on(addOne(clock)),
      detail: describe({
        tag,
        summary: 'Add a key',
        description: 'Both fields are required; a `key` of null is generated.',
        body: FORM,
        answers: resource,
        also: bulkStatuses,
      }),
    },
    {
      method: 'GET',
      path: '/api/v1/keys',
      answer: on(list),
      detail: describe({
        tag,
        summary: 'The keys, ascending',
        query: page,
        answers: resources,
        also: [400, 409],
      }),
    },
    {
      method: 'GET',
      path: '/api/v1/keys/reload',
      answer: on(reload),
      detail: describe({
        tag,
        summary: 'Reload the keys from the database',
        answers: done,
        also: [409],
      }),
    },
    {
      method: 'POST',
      path: '/api/v1/keys/bulk',
      answer: on(addMany(clock)),
      detail: describe({
        tag,
        summary: 'Add many keys',
        description: 'All or none. The answer has them in the order of the request.',
        body: t.Object({ keys: t.Array(FORM, { maxItems: LIMITS.bulkKeys }) }),
        answers: resources,
        also: bulkStatuses,
      }),
    },
    {
      method: 'DELETE',
      path: '/api/v1/keys/bulk',
      answer: on(removeMany),
      detail: describe({
        tag,
        summary: 'Delete many keys',
        description:
          'All or none. `count` is how many existed; keys that do not exist are no mistake.',
        body: t.Object({ keys: t.Array(KEY, { maxItems: LIMITS.bulkKeys }) }),
        answers: { 'application/json': statusCount },
        also: bulkStatuses,
      }),
    },
    {
      method: 'POST',
      path: `/api/v1/key/:${SEGMENT}`,
      answer: on(addDeprecated(clock)),
      detail: describe({
        tag,
        summary: 'Generate a key that expires (deprecated: POST /api/v1/keys)',
        parameter: [SEGMENT, integer(), 'Seconds for which it is valid.'],
        answers: resource,
        also: [400, 404, 409],
      }),
    },
    {
      method: 'DELETE',
      path: `/api/v1/key/:${SEGMENT}`,
      answer: on(removeOne(parts.databaseName)),
      detail: describe({
        tag,
        summary: 'Delete a key; fails if it does not exist',
        parameter: [SEGMENT, KEY, 'The key.'],
        answers: done,
        also: [400, 404, 409],
      }),
    },
  ]
}
