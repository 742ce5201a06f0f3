/**
 * The whitelist in the management API (docs/behaviours.md A23, A24), and two additions of ours: its list
 * (A27) and the bulk forms (A28). Works in every mode of the tracker, as long as there is a database.
 */
import { t } from 'elysia'
import { INFO_HASH_BYTES, parseInfoHash } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import type { PermissionStore } from '../storage/permissions.ts'
import { type Answer, badInfoHash, echo, json, OK, okCount } from './answers.ts'
import { readEach, readTexts } from './key-forms.ts'
import { describe, infoHash, page, status, statusCount } from './openapi.ts'
import {
  type ApiParts,
  type Context,
  type Operation,
  tryDatabase,
  withPermissions,
} from './operation.ts'
import { batches, fetchFirst, jsonArray } from './paging.ts'
import { readPage } from './parameters.ts'
import { readJson } from './request-body.ts'

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

type Change = (permissions: PermissionStore, hashes: Uint8Array) => Promise<void>
const add: Change = (permissions, hashes) => permissions.addToWhitelist(hashes)
const remove: Change = (permissions, hashes) => permissions.removeFromWhitelist(hashes)

const one =
  (what: string, change: Change) =>
  async (permissions: PermissionStore, { parameter }: Context) => {
    const hash = parseInfoHash(parameter)
    if (hash === undefined) return badInfoHash(parameter)
    return await tryDatabase(what, async () => {
      await change(permissions, hash)
      return OK
    })
  }

const many =
  (what: string, change: Change) =>
  async (permissions: PermissionStore, { request }: Context) => {
    const texts = await readJson(request, (bytes) => readTexts(bytes, 'info_hashes'))
    if ('fault' in texts) return texts.fault
    const hashes = readEach('info_hashes', texts.value, (text) => {
      const value = parseInfoHash(text)
      const mistake = `string "${echo(text)}", expected a 40 character long string`
      return value === undefined ? { mistake } : { value }
    })
    if ('fault' in hashes) return hashes.fault
    return await tryDatabase(what, async () => {
      if (hashes.value.length > 0) await change(permissions, pack(hashes.value))
      return okCount(hashes.value.length)
    })
  }

async function list(permissions: PermissionStore, { query, schema }: Context): Promise<Answer> {
  const asked = readPage(query, schema)
  if ('fault' in asked) return asked.fault
  return await tryDatabase(LIST, async () => {
    const items = batches(asked, async (offset, limit) => {
      const packed = await permissions.listWhitelist(offset, limit)
      return Array.from(hexOf(packed), (hex) => `"${hex}"`)
    })
    return json(jsonArray(await fetchFirst(items)))
  })
}

function* hexOf(packed: Uint8Array): Generator<string> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  for (let at = 0; at < bytes.length; at += INFO_HASH_BYTES)
    yield bytes.toString('hex', at, at + INFO_HASH_BYTES)
}

/** In memory of its own: it is sent to the thread of the database. */
function pack(hashes: readonly Uint8Array[]): Uint8Array {
  const packed = new Uint8Array(hashes.length * INFO_HASH_BYTES)
  hashes.forEach((hash, i) => void packed.set(hash, i * INFO_HASH_BYTES))
  return packed
}

const reload = (permissions: PermissionStore): Promise<Answer> =>
  tryDatabase(RELOAD, async () => {
    await permissions.reloadWhitelist()
    return OK
  })

export function whitelistOperations(parts: ApiParts): readonly Operation[] {
  const on = (answer: (permissions: PermissionStore, ask: Context) => Promise<Answer>) =>
    withPermissions(parts, 'whitelist', answer)
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
        summary: 'Reload the whitelist from the database',
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
        description: 'All or none; `count` is the number in the request.',
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
          'All or none; `count` is the number in the request. Unknown torrents are no mistake.',
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
        summary: 'Remove a torrent; removing an unknown one is no mistake',
        parameter: PARAMETER,
        answers,
        also: [400, 404, 409],
      }),
    },
  ]
}
