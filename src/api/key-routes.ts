/**
 * Authentication keys in the management API (spec/torrust-rest-api §6), their list and their bulk forms,
 * which are ours. Works in every mode of the tracker, as long as there is a database. A key stands in the
 * answer to whoever may manage keys, and in no error and no log unless it is malformed.
 */
import { t } from 'elysia'
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
import { describe, integer, nullable, page, status, statusCount } from './documentation.ts'
import {
  durationMistake,
  keyMistake,
  readEach,
  readKeyForm,
  readKeyForms,
  readTexts,
} from './key-forms.ts'
import { printKey } from './key-resource.ts'
import { type Ask, attempt, type Operation, withBook } from './operation.ts'
import { begun, jsonArray, lots } from './paging.ts'
import { MOST_U64, readPage, readUnsigned } from './parameters.ts'
import type { ApiParts } from './parts.ts'
import { readJsonBytes } from './request-body.ts'

const GENERATE = 'failed to generate key'
const ADD = { '2.0.0': GENERATE, '3.0.0': 'failed to add key' } as const
const DELETE = 'failed to delete key'
const RELOAD = 'failed to reload keys'
const LIST = 'failed to list keys'

/** One name for both uses of the segment, as in the reference's messages. */
const SEGMENT = 'seconds_valid_or_key'
const KEY = t.String({ pattern: '^[0-9A-Za-z]{32}$' })
const FORM = t.Object({
  key: nullable(KEY),
  seconds_valid: t.Unsafe<number>({
    anyOf: [{ type: 'integer', minimum: 0 }, { type: 'null' }],
    description: 'null: for ever.',
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

type WithBook = (book: PermissionStore, ask: Ask) => Promise<Answer>

/** Adds them as they are; one or many make the same mistakes. */
const add = (
  what: string,
  book: PermissionStore,
  keys: readonly NewKey[],
  print: (resources: readonly string[]) => string,
): Promise<Answer> =>
  attempt(what, async () => {
    const added = keys.length === 0 ? [] : await book.addKeys(keys)
    return json(print(added.map(printKey)), KEY_TYPE)
  })
const single = ([only = '']: readonly string[]): string => only
const array = (all: readonly string[]): string => `[${all.join(',')}]`

/** Of a key with a name the duration is looked at first, as in the reference. */
const mistakeOf = ({ key, secondsValid }: NewKey, now: number): string | undefined =>
  durationMistake(secondsValid, now) ?? (key === null ? undefined : keyMistake(key))

const addOne =
  (clock: Clock): WithBook =>
  async (book, { request, schema }) => {
    const body = await readJsonBytes(request)
    if ('fault' in body) return body.fault
    const form = readKeyForm(body.bytes)
    if ('fault' in form) return form.fault
    const mistake = mistakeOf(form.value, clock.seconds())
    return mistake === undefined
      ? await add(ADD[schema], book, [form.value], single)
      : badUrl(mistake)
  }

const addMany =
  (clock: Clock): WithBook =>
  async (book, { request, schema }) => {
    const body = await readJsonBytes(request)
    if ('fault' in body) return body.fault
    const forms = readKeyForms(body.bytes)
    if ('fault' in forms) return forms.fault
    const now = clock.seconds()
    const keys = readEach('keys', forms.value, (value) => {
      const mistake = mistakeOf(value, now)
      return mistake === undefined ? { value } : { mistake }
    })
    return 'fault' in keys ? keys.fault : await add(ADD[schema], book, keys.value, array)
  }

const addDeprecated =
  (clock: Clock): WithBook =>
  async (book, { parameter, schema }) => {
    const secondsValid = readUnsigned(parameter, MOST_U64)
    if (typeof secondsValid === 'string') {
      const shown = schema === '2.0.0' ? debugQuote(echo(parameter)) : echo(parameter)
      return badUrl(`Cannot parse \`${shown}\` to a \`u64\``)
    }
    const mistake = durationMistake(secondsValid, clock.seconds())
    if (mistake !== undefined) return badUrl(mistake)
    return await add(GENERATE, book, [{ key: null, secondsValid }], single)
  }

const badKeyId = (key: string): string => `Invalid auth key id param "${echo(key)}"`

const removeOne =
  (databaseName: string): WithBook =>
  async (book, { parameter }) => {
    if (keyMistake(parameter) !== undefined) return text(400, badKeyId(parameter))
    return await attempt(DELETE, async () => {
      const removed = await book.removeKeys([parameter])
      return removed > 0
        ? OK
        : rejection(
            `${DELETE}: Failed to remove record from ${databaseName} database, error-code: 0`,
          )
    })
  }

const removeMany: WithBook = async (book, { request }) => {
  const body = await readJsonBytes(request)
  if ('fault' in body) return body.fault
  const texts = readTexts(body.bytes, 'keys')
  if ('fault' in texts) return texts.fault
  const keys = readEach('keys', texts.value, (value) =>
    keyMistake(value) === undefined ? { value } : { mistake: badKeyId(value) },
  )
  if ('fault' in keys) return keys.fault
  return await attempt(DELETE, async () =>
    okCount(keys.value.length === 0 ? 0 : await book.removeKeys(keys.value)),
  )
}

const list: WithBook = async (book, { query, schema }) => {
  const asked = readPage(query, schema)
  if ('fault' in asked) return asked.fault
  return await attempt(LIST, async () => {
    const items = lots(asked, async (offset, limit) =>
      (await book.listKeys(offset, limit)).map(printKey),
    )
    return json(jsonArray(await begun(items)), KEY_TYPE)
  })
}

const reload: WithBook = (book) =>
  attempt(RELOAD, async () => {
    await book.reloadKeys()
    return OK
  })

export function keyOperations(parts: ApiParts, clock: Clock): readonly Operation[] {
  const on = (answer: WithBook) => withBook(parts, 'auth keys', answer)
  const tag = 'keys'
  return [
    {
      method: 'POST',
      path: '/api/v1/keys',
      answer: on(addOne(clock)),
      detail: describe({
        tag,
        summary: 'Add a key',
        description: 'Both fields must be there: a `key` of null is made up here.',
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
        summary: 'Take over what stands in the database',
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
        description: 'All or none. They are answered in the order in which they were named.',
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
        description: 'All or none. `count` is how many there were; absent ones are no mistake.',
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
        summary: 'Make up a key that expires (deprecated: POST /api/v1/keys)',
        parameter: [SEGMENT, integer(), 'Seconds for which it is good.'],
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
        summary: 'Delete a key; one that is not there is a failure',
        parameter: [SEGMENT, KEY, 'The key.'],
        answers: done,
        also: [400, 404, 409],
      }),
    },
  ]
}
