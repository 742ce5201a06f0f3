/** The table of `[core.accounting]`: what is kept of who moved how much. */
import { eitherForm, secretOf } from './secret-files.ts'
import {
  type Context,
  optional,
  optionalSection,
  type Table,
  type ValueOf,
  value,
} from './setting-kinds.ts'
import type { TableNode } from './tree.ts'
import { flag, oneOf, secret, text, url, wholeNumber } from './value-checks.ts'

/** Above it whatever an operator means, it is no limit. */
const MOST_LIMIT = 1_000_000
const MOST_PERCENT = 1_000
const MOST_SECONDS = 2 ** 32 - 1
/** Half of the longest `max_peer_timeout`. */
const MOST_IDLE = 2 ** 31 - 1
const SHORTEST_RETENTION = 3_600

const percent = (doc: string) => value(100, wholeNumber(0, MOST_PERCENT), doc)
const limit = (doc: string) => value(0, wholeNumber(0, MOST_LIMIT), doc)
const retention = (seconds: number, doc: string) =>
  value(seconds, wholeNumber(SHORTEST_RETENTION, MOST_SECONDS), doc, { restart: true })

export interface WebhookConfig {
  readonly url: string
  readonly secret: string
  /** The file that it was read from, as it is written. */
  readonly secret_file?: string
}

const WEBHOOK_ROWS = {
  url: value('', url('http', 'https'), 'Where changes are posted, as JSON.', {
    needed: 'a webhook needs a `url`; this one has none',
    example: '"https://example.com/tracker-changes"',
  }),
  secret: optional(secret, 'Signs what is posted: the receiver checks the signature with it.', {
    secret: true,
    example: '"a long random text"',
  }),
  secret_file: optional(text, 'A file that holds the secret, in place of `secret`.', {
    example: '"/etc/tracker/webhook-secret"',
  }),
}

const WEBHOOK = {
  ...optionalSection('Posts changes of accounts and torrents to a web site.', WEBHOOK_ROWS),
  schema: eitherForm('secret'),

  finish(
    rows: ValueOf<{ rows: typeof WEBHOOK_ROWS }>,
    node: TableNode,
    context: Context,
  ): WebhookConfig {
    const secret = secretOf('secret', rows, node, context)
    if (!secret) context.report.mistake(node.at, 'needs a `secret` or a `secret_file`')
    const { value = '', file } = secret ?? {}
    return { url: rows.url, secret: value, ...(file !== undefined && { secret_file: file }) }
  },
} satisfies Table

export const ACCOUNTING = optionalSection(
  'Who moved how much of what, kept in the database. Without this section, nothing is.',
  {
    level: value<'off' | 'torrents' | 'users'>(
      'off',
      oneOf('off', 'torrents', 'users'),
      '`torrents` keeps totals of torrents, `users` of the holders of keys as well, which needs `private = true`.',
      {
        needed: 'accounting needs a `level`: "torrents", "users" or "off"',
        example: '"users"',
        restart: true,
      },
    ),
    write_interval: value(
      1,
      wholeNumber(1, 3_600),
      'Seconds between two writes of what was moved.',
      { restart: true },
    ),
    idle_write_interval: value(
      450,
      wholeNumber(1, MOST_IDLE),
      'Seconds between two writes of seed time where nothing was moved; at most half of `max_peer_timeout`.',
      { restart: true },
    ),
    session_retention: retention(
      1_814_400,
      'Seconds for which the counters of a silent client are kept: what it moved meanwhile is counted when it is back.',
    ),
    max_downloads: limit(
      'Torrents that an account may leech at once, unless it has a limit of its own; 0 = no limit.',
    ),
    max_peers_per_torrent: limit('Clients that an account may have on one torrent; 0 = no limit.'),
    up_percent: percent('Percentage of all uploads that is credited, from 0 to 1000.'),
    down_percent: percent('Percentage of all downloads that is credited, from 0 to 1000.'),
    max_bytes_per_second: value(
      1_250_000_000,
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
      'What one client can upload or download at most; more is flagged.',
    ),
    over_speed: value(
      'flag',
      oneOf('flag', 'clamp', 'drop'),
      'Of more than that, `flag` credits all, `clamp` the maximum, `drop` nothing.',
    ),
    store_clients: value(
      true,
      flag,
      'Keep which program a client is: the first 8 bytes of its peer id.',
    ),
    flags_retention: retention(7_776_000, 'Seconds for which flags are kept.'),
    webhook: WEBHOOK,
  },
)
