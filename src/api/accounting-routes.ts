/**
 * Accounting in the management API besides its accounts (`account-routes.ts`): torrents, what changed, flags, and how it
 * fares. Ours.
 */
import { Elysia, t } from 'elysia'
import { Feed } from './accounting-feed.ts'
import { printChanges, printFlag, printRecord, printTorrent } from './accounting-json.ts'
import {
  ACCOUNTED_TORRENT,
  AFTER,
  CHANGES,
  FLAG,
  FLAG_SEGMENT,
  HIT_AND_RUN,
  LIMIT,
  RECORD,
  REVIEW,
  readLimit,
  STATUS,
  TORRENT_CHANGES,
  TORRENTS_CHANGES,
} from './accounting-schemas.ts'
import { hitAndRunIn, torrentSettingsIn } from './accounting-settings.ts'
import { changed, EVENTS_TYPE, json, okCount } from './answers.ts'
import type { Exchange } from './exchange.ts'
import { disabled, Missing, tryDatabase } from './failures.ts'
import { asJson, COUNTED, describe } from './openapi.ts'
import { batches, jsonArray } from './paging.ts'
import type { ApiParts, ReadBody } from './parts.ts'
import { INFO_HASH_SEGMENT, pageQuery, queryOf, readPage } from './schemas.ts'

type Parts = Pick<ApiParts, 'accounting' | 'schema' | 'report'> & {
  readonly seconds: () => number
  readonly exchange: Exchange
}

const CHANGE = 'failed to change torrents'
const WRITE_NUMBER = /^\d{1,15}$/

export function accountingRoutes(parts: Parts, parse: ReadBody) {
  const { accounting, schema, seconds, exchange } = parts
  const feed = accounting && new Feed(accounting, parts.report)
  const hash = t.Object({ info_hash: INFO_HASH_SEGMENT })
  return new Elysia({ tags: ['accounting'] })
    .derive(() => {
      if (accounting === undefined || feed === undefined) throw disabled('accounting')
      return { accounting, feed }
    })
    .get(
      '/accounting',
      ({ accounting }) => {
        const status = accounting.status()
        return json(
          JSON.stringify({
            level: status.level,
            batch: status.batch,
            owed_records: status.owedRecords,
            owed_bytes: status.owedBytes,
            lag_seconds: status.lagSeconds,
            events_lost: status.eventsLost,
            sessions: status.sessions,
            trouble: status.trouble ?? null,
          }),
        )
      },
      { detail: describe('getAccounting', 'How accounting fares', asJson(STATUS)) },
    )
    .get(
      '/accounting/changes',
      async ({ accounting, query }) => {
        const changes = await tryDatabase('failed to read changes', async () => {
          await accounting.settled()
          return await accounting.changes(Number(query.after ?? 0), readLimit(query.limit))
        })
        return json(printChanges(changes))
      },
      {
        query: queryOf({ after: AFTER, limit: LIMIT }),
        detail: describe('getChanges', 'What was written after a number', asJson(CHANGES), {
          description:
            'Figures are absolute: a page may be read again. Ask for what comes after `next` next.',
        }),
      },
    )
    .get(
      '/accounting/events',
      ({ feed, request, query }) => {
        const last = request.headers.get('last-event-id') ?? ''
        const after = WRITE_NUMBER.test(last) ? last : query.after
        return exchange.stream(
          request,
          feed.stream(after === undefined ? undefined : Number(after)),
        )
      },
      {
        query: queryOf({ after: AFTER }),
        detail: describe(
          'watchChanges',
          'The same as server-sent events, and completions and flags as they come',
          { [EVENTS_TYPE]: t.String() },
          { description: '`Last-Event-ID` or `after`: the last write that is known; default now.' },
        ),
      },
    )
    .get(
      '/accounting/flags',
      ({ accounting, query }) => {
        const items = batches(
          'failed to list flags',
          readPage(query, schema),
          async (offset, limit) => (await accounting.listFlags(offset, limit)).map(printFlag),
        )
        return json(jsonArray(items))
      },
      {
        query: queryOf(pageQuery(schema)),
        detail: describe(
          'listFlags',
          'What looks like cheating, newest first',
          asJson(t.Array(FLAG)),
        ),
      },
    )
    .patch(
      '/accounting/flag/:id',
      async ({ accounting, params, body: { reviewed } }) => {
        const id = Number(params.id)
        const flag = await tryDatabase('failed to change flag', () =>
          accounting.reviewFlag(id, reviewed ? seconds() : null),
        )
        if (flag === null) throw new Missing(`flag ${id}`)
        return changed(`${id}: reviewed=${reviewed}`, json(printFlag(flag)))
      },
      {
        parse,
        params: t.Object({ id: FLAG_SEGMENT }),
        body: REVIEW,
        detail: describe('reviewFlag', 'Mark a flag as looked at, or not', asJson(FLAG)),
      },
    )
    .get(
      '/torrent/:info_hash/records',
      ({ accounting, params, query }) => {
        const of = { infoHash: Uint8Array.fromHex(params.info_hash) }
        const hitAndRun = hitAndRunIn(query, seconds())
        const items = batches(
          'failed to list records',
          readPage(query, schema),
          async (offset, limit) =>
            (await accounting.listRecords({ of, hitAndRun, offset, limit })).map(printRecord),
        )
        return json(jsonArray(items))
      },
      {
        params: hash,
        query: queryOf({ ...pageQuery(schema), ...HIT_AND_RUN }),
        detail: describe(
          'listTorrentRecords',
          'What each account moved of a torrent, ascending by account; none of hidden ones',
          asJson(t.Array(RECORD)),
        ),
      },
    )
    .patch(
      '/torrent/:info_hash/accounting',
      async ({ accounting, params, body }) => {
        const { wanted, text } = torrentSettingsIn(body)
        const [row] = await tryDatabase(CHANGE, () =>
          accounting.changeTorrents(Uint8Array.fromHex(params.info_hash), wanted),
        )
        return changed(`${row!.infoHash.toHex()}: ${text}`, json(printTorrent(row!)))
      },
      {
        parse,
        params: hash,
        body: TORRENT_CHANGES,
        detail: describe(
          'changeTorrent',
          'Change how a torrent is credited, known or not',
          asJson(ACCOUNTED_TORRENT),
        ),
      },
    )
    .patch(
      '/torrents/accounting/bulk',
      async ({ accounting, body }) => {
        const { wanted, text } = torrentSettingsIn(body)
        const hashes = [...new Set(body.info_hashes.map((one) => one.toLowerCase()))]
        if (hashes.length > 0)
          await tryDatabase(CHANGE, () =>
            accounting.changeTorrents(Uint8Array.fromHex(hashes.join('')), wanted),
          )
        const what = hashes.length === 1 ? hashes[0] : `${hashes.length} info_hashes`
        return changed(`${what}: ${text}`, okCount(hashes.length))
      },
      {
        parse,
        body: TORRENTS_CHANGES,
        detail: describe('changeTorrents', 'Change how many torrents are credited', COUNTED, {
          description: 'All or none.',
        }),
      },
    )
}
