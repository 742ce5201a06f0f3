/**
 * The whitelist in the management API (spec/torrust-rest-api §7), its list and its bulk forms, which are
 * ours. Works whether the tracker is listed or not, as long as there is a database.
 */
import { t } from 'elysia'
import { LIMITS } from '../limits.ts'
import type { PermissionStore } from '../storage/permissions.ts'
import { type Answer, badInfoHash, echo, json, OK, okCount } from './answers.ts'
import { describe, infoHash, page, status, statusCount } from './documentation.ts'
import { hexOf, pack, readInfoHash } from './info-hash.ts'
import { readEach, readTexts } from './key-forms.ts'
import { type Ask, attempt, type Operation, withBook } from './operation.ts'
import { begun, jsonArray, lots } from './paging.ts'
import { readPage } from './parameters.ts'
import type { ApiParts } from './parts.ts'
import { readJsonBytes } from './request-body.ts'

const ADD = 'failed to whitelist torrent'
const REMOVE = 'failed to remove torrent from whitelist'
const RELOAD = 'failed to reload whitelist'
const LIST = 'failed to list whitelist'

const PARAMETER = ['info_hash', infoHash, '40 hex digits.'] as const
const BULK = t.Object({
  info_hashes: t.Array(infoHash, { maxItems: LIMITS.bulkInfoHashes }),
})
const bulkStatuses = [400, 409, 413, 415, 422] as const
const answers = { 'application/json': status }
const counted = { 'application/json': statusCount }

type Change = (book: PermissionStore, hashes: Uint8Array) => Promise<void>
const add: Change = (book, hashes) => book.addToWhitelist(hashes)
const remove: Change = (book, hashes) => book.removeFromWhitelist(hashes)

const one =
  (what: string, change: Change) =>
  async (book: PermissionStore, { parameter }: Ask) => {
    const hash = readInfoHash(parameter)
    if (hash === undefined) return badInfoHash(parameter)
    return await attempt(what, async () => {
      await change(book, hash)
      return OK
    })
  }

const many =
  (what: string, change: Change) =>
  async (book: PermissionStore, { request }: Ask) => {
    const body = await readJsonBytes(request)
    if ('fault' in body) return body.fault
    const texts = readTexts(body.bytes, 'info_hashes')
    if ('fault' in texts) return texts.fault
    const hashes = readEach('info_hashes', texts.value, (text) => {
      const value = readInfoHash(text)
      const mistake = `string "${echo(text)}", expected a 40 character long string`
      return value === undefined ? { mistake } : { value }
    })
    if ('fault' in hashes) return hashes.fault
    return await attempt(what, async () => {
      if (hashes.value.length > 0) await change(book, pack(hashes.value))
      return okCount(hashes.value.length)
    })
  }

async function list(book: PermissionStore, { query, schema }: Ask): Promise<Answer> {
  const asked = readPage(query, schema)
  if ('fault' in asked) return asked.fault
  return await attempt(LIST, async () => {
    const items = lots(asked, async (offset, limit) => {
      const packed = await book.listWhitelist(offset, limit)
      return Array.from(hexOf(packed), (hex) => `"${hex}"`)
    })
    return json(jsonArray(await begun(items)))
  })
}

const reload = (book: PermissionStore): Promise<Answer> =>
  attempt(RELOAD, async () => {
    await book.reloadWhitelist()
    return OK
  })

export function whitelistOperations(parts: ApiParts): readonly Operation[] {
  const on = (answer: (book: PermissionStore, ask: Ask) => Promise<Answer>) =>
    withBook(parts, 'whitelist', answer)
  return [
    {
      method: 'GET',
      path: '/api/v1/whitelist',
      answer: on(list),
      detail: describe({
        tag: 'whitelist',
        summary: 'The whitelisted torrents, ascending',
        query: page,
        answers: { 'application/json': t.Array(infoHash) },
        also: [400, 409],
      }),
    },
    {
      method: 'GET',
      path: '/api/v1/whitelist/reload',
      answer: on(reload),
      detail: describe({
        tag: 'whitelist',
        summary: 'Take over what stands in the database',
        answers,
        also: [409],
      }),
    },
    {
      method: 'POST',
      path: '/api/v1/whitelist/bulk',
      answer: on(many(ADD, add)),
      detail: describe({
        tag: 'whitelist',
        summary: 'Add many torrents',
        description: 'All or none; `count` is how many were named.',
        body: BULK,
        answers: counted,
        also: bulkStatuses,
      }),
    },
    {
      method: 'DELETE',
      path: '/api/v1/whitelist/bulk',
      answer: on(many(REMOVE, remove)),
      detail: describe({
        tag: 'whitelist',
        summary: 'Remove many torrents',
        description:
          'All or none; `count` is how many were named. Those that are not there are no mistake.',
        body: BULK,
        answers: counted,
        also: bulkStatuses,
      }),
    },
    {
      method: 'POST',
      path: '/api/v1/whitelist/:info_hash',
      answer: on(one(ADD, add)),
      detail: describe({
        tag: 'whitelist',
        summary: 'Add a torrent; adding it twice is no mistake',
        parameter: PARAMETER,
        answers,
        also: [400, 404, 409],
      }),
    },
    {
      method: 'DELETE',
      path: '/api/v1/whitelist/:info_hash',
      answer: on(one(REMOVE, remove)),
      detail: describe({
        tag: 'whitelist',
        summary: 'Remove a torrent; removing what is not there is no mistake',
        parameter: PARAMETER,
        answers,
        also: [400, 404, 409],
      }),
    },
  ]
}
