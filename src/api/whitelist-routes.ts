/**
 * The whitelist in the management API (docs/behaviours.md A23, A24), and two additions of ours: its list
 * (A27) and the bulk forms (A28). Works in every mode of the tracker, as long as there is a database.
 */
import { Elysia, t } from 'elysia'
import { type Answer, json, OK, okCount } from './answers.ts'
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

const params = t.Object({ info_hash: INFO_HASH_SEGMENT })

/** Info hashes as bytes, one behind the other. In memory of their own: they are sent to the thread of the database. */
const packed = (hashes: readonly string[]): Uint8Array => Uint8Array.fromHex(hashes.join(''))

type Change = (hashes: readonly string[]) => Promise<void>

async function changeOne(change: Change, hash: string): Promise<Answer> {
  await change([hash])
  return OK
}

async function changeMany(change: Change, hashes: readonly string[]): Promise<Answer> {
  if (hashes.length > 0) await change(hashes)
  return okCount(hashes.length)
}

export function whitelistRoutes({ permissions, schema }: ApiParts, parse: ReadBody) {
  return new Elysia({ prefix: '/whitelist', tags: ['whitelist'] })
    .derive(() => {
      if (permissions === undefined) throw disabled('whitelist')
      const add: Change = (hashes) =>
        tryDatabase('failed to whitelist torrent', () => permissions.addToWhitelist(packed(hashes)))
      const remove: Change = (hashes) =>
        tryDatabase('failed to remove torrent from whitelist', () =>
          permissions.removeFromWhitelist(packed(hashes)),
        )
      return { permissions, add, remove }
    })
    .get(
      '',
      ({ permissions, query }) => {
        const items = batches(
          'failed to list whitelist',
          readPage(query, schema),
          async (offset, limit) => {
            const hex = (await permissions.listWhitelist(offset, limit)).toHex()
            return Array.from(hex.matchAll(/.{40}/g), ([hash]) => `"${hash}"`)
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
        detail: describe('reloadWhitelist', 'Reload the whitelist from the database', DONE, {
          scope: 'all',
        }),
      },
    )
    .post('/bulk', ({ add, body }) => changeMany(add, body.info_hashes), {
      parse,
      body: INFO_HASHES,
      detail: describe('addManyToWhitelist', 'Add many torrents', COUNTED, {
        description: 'All or none; `count` is the number in the request.',
      }),
    })
    .delete('/bulk', ({ remove, body }) => changeMany(remove, body.info_hashes), {
      parse,
      body: INFO_HASHES,
      detail: describe('removeManyFromWhitelist', 'Remove many torrents', COUNTED, {
        description:
          'All or none; `count` is the number in the request. Unknown torrents are no mistake.',
      }),
    })
    .post('/:info_hash', ({ add, params }) => changeOne(add, params.info_hash), {
      params,
      detail: describe('addToWhitelist', 'Add a torrent; adding it twice is no mistake', DONE),
    })
    .delete('/:info_hash', ({ remove, params }) => changeOne(remove, params.info_hash), {
      params,
      detail: describe(
        'removeFromWhitelist',
        'Remove a torrent; removing an unknown one is no mistake',
        DONE,
      ),
    })
}
