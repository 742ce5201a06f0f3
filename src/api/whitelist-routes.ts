/**
 * The whitelist in the management API (docs/behaviours.md A23, A24), and two additions of ours: its list
 * (A27) and the bulk forms (A28). Works in every mode of the tracker, as long as there is a database.
 */
import { Elysia, t } from 'elysia'
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import { json, OK, okCount } from './answers.ts'
import { disabled, tryDatabase } from './failures.ts'
import { asJson, COUNTED, DONE, describe } from './openapi.ts'
import { batches, jsonArray } from './paging.ts'
import type { ApiParts, ReadBody } from './parts.ts'
import {
  INFO_HASH,
  INFO_HASH_SEGMENT,
  INFO_HASHES,
  pageQuery,
  queryOf,
  readPage,
} from './schemas.ts'

const ADD = 'failed to whitelist torrent'
const REMOVE = 'failed to remove torrent from whitelist'

const params = t.Object({ info_hash: INFO_HASH_SEGMENT })

/** Info hashes as bytes, one behind the other. In memory of their own: they are sent to the thread of the database. */
const packed = (hashes: readonly string[]): Uint8Array => Uint8Array.fromHex(hashes.join(''))

function* hexOf(packed: Uint8Array): Generator<string> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  for (let at = 0; at < bytes.length; at += INFO_HASH_BYTES)
    yield bytes.toString('hex', at, at + INFO_HASH_BYTES)
}

export function whitelistRoutes({ permissions, schema }: ApiParts, parse: ReadBody) {
  return new Elysia({ prefix: '/whitelist', tags: ['whitelist'] })
    .derive(() => {
      if (permissions === undefined) throw disabled('whitelist')
      return {
        async add(hashes: readonly string[]): Promise<void> {
          if (hashes.length > 0)
            await tryDatabase(ADD, () => permissions.addToWhitelist(packed(hashes)))
        },
        async remove(hashes: readonly string[]): Promise<void> {
          if (hashes.length > 0)
            await tryDatabase(REMOVE, () => permissions.removeFromWhitelist(packed(hashes)))
        },
        permissions,
      }
    })
    .get(
      '',
      ({ permissions, query }) => {
        const items = batches(
          'failed to list whitelist',
          readPage(query, schema),
          async (offset, limit) => {
            const hashes = await permissions.listWhitelist(offset, limit)
            return Array.from(hexOf(hashes), (hex) => `"${hex}"`)
          },
        )
        return json(jsonArray(items))
      },
      {
        query: queryOf(pageQuery(schema)),
        detail: describe(
          'listWhitelist',
          'The whitelisted torrents, ascending',
          asJson(t.Array(INFO_HASH)),
        ),
      },
    )
    .get(
      '/reload',
      async ({ permissions }) => {
        await tryDatabase('failed to reload whitelist', () => permissions.reloadWhitelist())
        return OK
      },
      {
        detail: describe('reloadWhitelist', 'Reload the whitelist from the database', DONE),
      },
    )
    .post(
      '/bulk',
      async ({ add, body: { info_hashes } }) => {
        await add(info_hashes)
        return okCount(info_hashes.length)
      },
      {
        parse,
        body: INFO_HASHES,
        detail: describe('addManyToWhitelist', 'Add many torrents', COUNTED, {
          description: 'All or none; `count` is the number in the request.',
        }),
      },
    )
    .delete(
      '/bulk',
      async ({ remove, body: { info_hashes } }) => {
        await remove(info_hashes)
        return okCount(info_hashes.length)
      },
      {
        parse,
        body: INFO_HASHES,
        detail: describe('removeManyFromWhitelist', 'Remove many torrents', COUNTED, {
          description:
            'All or none; `count` is the number in the request. Unknown torrents are no mistake.',
        }),
      },
    )
    .post(
      '/:info_hash',
      async ({ add, params: { info_hash } }) => {
        await add([info_hash])
        return OK
      },
      {
        params,
        detail: describe('addToWhitelist', 'Add a torrent; adding it twice is no mistake', DONE),
      },
    )
    .delete(
      '/:info_hash',
      async ({ remove, params: { info_hash } }) => {
        await remove([info_hash])
        return OK
      },
      {
        params,
        detail: describe(
          'removeFromWhitelist',
          'Remove a torrent; removing an unknown one is no mistake',
          DONE,
        ),
      },
    )
}
