/** What clients send and get in the routes of accounting: see `schemas.ts`. */
import { t } from 'elysia'
import { FLAG_KINDS } from '../accounting/batch.ts'
import type { AccountSort } from '../database/accounting-contract.ts'
import { badQuery, badUrl, echo } from './failures.ts'
import { nullable } from './openapi.ts'
import {
  AN_OBJECT,
  expecting,
  INFO_HASH,
  INFO_HASHES_LIST,
  integer,
  integer64,
  type Judge,
  judgeText,
  KEY,
  MOST_I64,
  segment,
} from './schemas.ts'

const MOST_PERCENT = 1_000
/** Limits of an account are 32-bit numbers. */
const MOST_LIMIT = 2 ** 31 - 1
/** The last second of the runtime's calendar. */
const MOST_MOMENT = 8_640_000_000_000
/** Characters of the reason of an adjustment: it stands in one line of the log. */
const MOST_REASON = 200
/** Users of one list. */
const MOST_USER_IDS = 200
/** Rows of one page of changes. */
const MOST_CHANGES = 10_000

/** From 0 to `maximum`. */
const whole = (maximum: number, description: string) =>
  integer({ minimum: 0, maximum, description, error: expecting(`an integer from 0 to ${maximum}`) })
const wholeOrNull = (maximum: number, description: string) =>
  t.Union([integer({ minimum: 0, maximum }), t.Null()], {
    description,
    error: expecting(`an integer from 0 to ${maximum}, or null`),
  })
const flag = (description: string) => t.Boolean({ description, error: expecting('a boolean') })

/** A body changes what it names and nothing else: one thing at least, which the route checks. */
const anyOf = (members: object) => ({
  anyOf: Object.keys(members).map((name) => ({ required: [name] })),
})

const TORRENT_SETTINGS = {
  up_percent: t.Optional(whole(MOST_PERCENT, 'So much of an upload is credited.')),
  down_percent: t.Optional(whole(MOST_PERCENT, 'So much of a download is credited.')),
  free_until: t.Optional(
    wholeOrNull(MOST_MOMENT, 'Until this second no download is credited; null: it is.'),
  ),
}
export const TORRENT_CHANGES = t.Object(TORRENT_SETTINGS, {
  $id: 'TorrentChanges',
  ...AN_OBJECT,
  ...anyOf(TORRENT_SETTINGS),
})
export const TORRENTS_CHANGES = t.Object(
  { info_hashes: INFO_HASHES_LIST, ...TORRENT_SETTINGS },
  { $id: 'TorrentsChanges', ...AN_OBJECT, ...anyOf(TORRENT_SETTINGS) },
)
const ACCOUNT_SETTINGS = {
  enabled: t.Optional(flag('false: its keys are refused as if they did not exist.')),
  can_download: t.Optional(flag('false: it gets no peers where it has bytes left.')),
  max_downloads: t.Optional(
    wholeOrNull(
      MOST_LIMIT,
      'Torrents that it may leech at once; 0: no limit; null: as configured.',
    ),
  ),
  max_peers: t.Optional(
    wholeOrNull(MOST_LIMIT, 'Its clients on one torrent; 0: no limit; null: as configured.'),
  ),
  ...TORRENT_SETTINGS,
  hidden: t.Optional(flag('true: its records are not listed with those of a torrent.')),
}
export const ACCOUNT_CHANGES = t.Object(ACCOUNT_SETTINGS, {
  $id: 'AccountChanges',
  ...AN_OBJECT,
  ...anyOf(ACCOUNT_SETTINGS),
})

const LEAST_I64 = -MOST_I64 - 1n
const amount = t.Optional(
  integer64(LEAST_I64, expecting(`an integer from ${LEAST_I64} to ${MOST_I64}`)),
)
const AMOUNTS = { credited_uploaded: amount, credited_downloaded: amount }
export const ADJUSTMENT = t.Object(
  {
    ...AMOUNTS,
    reason: t.String({
      minLength: 1,
      maxLength: MOST_REASON,
      description: 'For the log.',
      error: expecting(`a text of 1 to ${MOST_REASON} characters`),
    }),
  },
  {
    $id: 'Adjustment',
    ...AN_OBJECT,
    description: 'Bytes that are added to the credited sums, which stop at 0.',
    ...anyOf(AMOUNTS),
  },
)
export const TOKEN = t.Object(
  {
    until: t.Union([integer({ minimum: 0, maximum: MOST_MOMENT }), t.Null()], {
      description: 'The last second of it; null: for ever.',
      error: expecting(`an integer from 0 to ${MOST_MOMENT}, or null`),
    }),
  },
  { $id: 'Token', ...AN_OBJECT },
)
export const REVIEW = t.Object(
  { reviewed: flag('Whether it was looked at.') },
  { $id: 'Review', ...AN_OBJECT },
)
export const REPLACEMENT = t.Object(
  {
    new_key: t.Union([KEY, t.Null()], {
      description: 'null: generated.',
      error: KEY.error as Judge,
    }),
  },
  { $id: 'Replacement', ...AN_OBJECT },
)

/** Of a path. */
const number = (what: string, digits: number) =>
  segment(
    t.String({
      pattern: `^[0-9]{1,${digits}}$`,
      error: judgeText((text) => badNumber(what, text)),
      shownAs: { type: 'integer', minimum: 0, maximum: 10 ** digits - 1 },
    }),
  )
const badNumber = (what: string, text: string) =>
  badUrl(`invalid ${what}: string "${echo(text)}", expected a number`)
export const ACCOUNT_SEGMENT = number('account', 15)
export const FLAG_SEGMENT = number('flag', 15)
export const USER_SEGMENT = {
  ...number('user id', 19),
  shownAs: { type: 'integer', format: 'int64', minimum: 0, maximum: MOST_I64 },
}
/** Of text that fits `USER_SEGMENT`. */
export function readUserId(text: string): bigint {
  const id = BigInt(text)
  if (id > MOST_I64) throw badNumber('user id', text)
  return id
}

/** Several, separated by commas; in the document a list. */
export const USER_ID_LIST = t.String({
  pattern: '^[0-9]{1,19}(,[0-9]{1,19})*$',
  description: `Only the accounts of these users, ${MOST_USER_IDS} at most; unknown ones are left out.`,
  error: judgeText(() => badQuery('user_id: invalid digit found in string')),
  shownAs: t.Array(USER_SEGMENT, { maxItems: MOST_USER_IDS }),
})
/** Each once. */
export function readUserIds(text: string): readonly bigint[] {
  const ids = new Set(text.split(',').map(readUserId))
  if (ids.size > MOST_USER_IDS) throw badQuery(`user_id: more than ${MOST_USER_IDS}`)
  return [...ids]
}

const SORTS = [
  'id',
  'uploaded',
  'downloaded',
  'ratio',
  'last_seen',
] as const satisfies readonly AccountSort[]
export const ACCOUNT_SORT = t.Union(
  SORTS.map((name) => t.Literal(name)),
  {
    description: 'Default id, ascending; the others by credited figures, the largest first.',
    error: judgeText((text) =>
      badQuery(
        `unknown variant \`${echo(text)}\`, expected one of ${SORTS.map((name) => `\`${name}\``).join(', ')}`,
      ),
    ),
  },
)
const digits = (name: string, most: number, description: string) =>
  t.Optional(
    t.String({
      pattern: `^[0-9]{1,${most}}$`,
      description,
      error: judgeText(() => badQuery(`${name}: invalid digit found in string`)),
      shownAs: { type: 'integer', minimum: 0, maximum: 10 ** most - 1 },
    }),
  )

/** Of records that look like hit and run. */
export const HIT_AND_RUN = {
  hit_and_run: t.Optional(
    t.Union(
      ['0', '1', 'false', 'true'].map((name) => t.Literal(name)),
      {
        description:
          'Whether only records with a download are wanted that are not active, seeded too short, and were seen last some time ago.',
        error: judgeText((text) =>
          badQuery(`unknown variant \`${echo(text)}\`, expected \`1\` or \`0\``),
        ),
      },
    ),
  ),
  min_seed_seconds: digits('min_seed_seconds', 12, 'Of hit_and_run: default 604800, 7 days.'),
  grace_seconds: digits('grace_seconds', 12, 'Of hit_and_run: default 259200, 3 days.'),
}
export const AFTER = digits('after', 15, 'Number of the last write that is known; default 0.')
export const LIMIT = t.Optional(
  t.String({
    pattern: '^[0-9]{1,9}$',
    description: `Rows in the answer, about: writes are not divided. Default 1000, ${MOST_CHANGES} at most.`,
    error: judgeText(() => badQuery('limit: invalid digit found in string')),
    shownAs: { type: 'integer', minimum: 0, maximum: 999_999_999 },
  }),
)
/** Rows of a page of changes. */
export const readLimit = (text = '1000'): number =>
  Math.min(Math.max(Number(text), 1), MOST_CHANGES)

const NUMBER = integer({ minimum: 0 })
const MOMENT = nullable(NUMBER)
const MOVED = {
  uploaded: NUMBER,
  downloaded: NUMBER,
  credited_uploaded: NUMBER,
  credited_downloaded: NUMBER,
  seed_seconds: NUMBER,
  leech_seconds: NUMBER,
}
const FIGURES = {
  id: NUMBER,
  user_id: nullable(NUMBER),
  ...MOVED,
  snatches: NUMBER,
  ratio: nullable(
    t.Number({ description: 'Credited upload ÷ credited download; null: nothing was downloaded.' }),
  ),
  enabled: t.Boolean(),
  can_download: t.Boolean(),
  max_downloads: nullable(NUMBER),
  max_peers: nullable(NUMBER),
  up_percent: NUMBER,
  down_percent: NUMBER,
  free_until: MOMENT,
  hidden: t.Boolean(),
  created: NUMBER,
  last_seen: MOMENT,
  batch: NUMBER,
}
export const ACCOUNT = t.Object(
  { ...FIGURES, leeching: NUMBER, seeding: NUMBER },
  { $id: 'Account' },
)
export const TORRENT_MEMBERS = {
  uploaded: NUMBER,
  downloaded: NUMBER,
  balance: integer({ description: 'uploaded − downloaded' }),
  snatches: NUMBER,
  seed_seconds: NUMBER,
  up_percent: NUMBER,
  down_percent: NUMBER,
  free_until: MOMENT,
  last_seen: MOMENT,
  batch: NUMBER,
}
export const ACCOUNTED_TORRENT = t.Object(
  { info_hash: INFO_HASH, ...TORRENT_MEMBERS },
  { $id: 'AccountedTorrent' },
)
export const RECORD = t.Object(
  {
    account: NUMBER,
    user_id: nullable(NUMBER),
    info_hash: INFO_HASH,
    ...MOVED,
    left: NUMBER,
    active: t.Boolean(),
    seeder: t.Boolean(),
    started: NUMBER,
    completed: MOMENT,
    last_seen: NUMBER,
    announces: NUMBER,
    client: nullable(t.String()),
    batch: NUMBER,
  },
  { $id: 'Record' },
)
export const FLAG = t.Object(
  {
    id: NUMBER,
    kind: t.Union(FLAG_KINDS.map((kind) => t.Literal(kind))),
    at: NUMBER,
    account: NUMBER,
    info_hash: INFO_HASH,
    bytes: NUMBER,
    seconds: NUMBER,
    times: NUMBER,
    reviewed: MOMENT,
  },
  { $id: 'Flag' },
)
export const CHANGES = t.Object(
  {
    accounts: t.Array(t.Object(FIGURES, { $id: 'AccountFigures' })),
    torrents: t.Array(ACCOUNTED_TORRENT),
    records: t.Array(RECORD),
    deleted: t.Array(NUMBER, { description: 'Accounts that were erased.' }),
    next: integer({ minimum: 0, description: '`after` of the next page.' }),
    is_last: t.Boolean({ description: 'Nothing comes after it yet.' }),
  },
  { $id: 'Changes' },
)
export const STATUS = t.Object(
  {
    level: t.Union([t.Literal('torrents'), t.Literal('users')]),
    batch: integer({ minimum: 0, description: 'Number of the last write.' }),
    owed_records: integer({
      minimum: 0,
      description: 'Sessions whose figures are not stored yet.',
    }),
    owed_bytes: NUMBER,
    lag_seconds: t.Number({ description: 'Since when the oldest of it waits.' }),
    events_lost: integer({ minimum: 0, description: 'Announces that were not counted.' }),
    sessions: NUMBER,
    trouble: nullable(t.String({ description: 'Why nothing is stored; null: it is.' })),
  },
  { $id: 'Accounting' },
)
export const ERASED = t.Object(
  {
    status: t.Literal('ok'),
    id: NUMBER,
    successor: nullable(NUMBER),
  },
  { $id: 'Erased' },
)
