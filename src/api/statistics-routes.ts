/** `GET /api/v1/stats` (spec/torrust-rest-api §4, spec/torrust-newest §2.2): as JSON, and bare for Prometheus. */
import { t } from 'elysia'
import { type Answer, badQuery, echo, json } from './answers.ts'
import { describe, integer } from './documentation.ts'
import type { Operation } from './operation.ts'
import type { ApiParts, Stats } from './parts.ts'

/** In the order of the answer. */
const FIELDS = [
  'torrents',
  'seeders',
  'completed',
  'completed_in_session',
  'completed_persisted',
  'completed_persisted_enabled',
  'leechers',
  'tcp4_connections_handled',
  'tcp4_announces_handled',
  'tcp4_scrapes_handled',
  'tcp6_connections_handled',
  'tcp6_announces_handled',
  'tcp6_scrapes_handled',
  'udp_requests_discarded',
  'udp_requests_aborted',
  'udp_requests_banned',
  'udp_banned_ips_total',
  'udp_avg_connect_processing_time_ns',
  'udp_avg_announce_processing_time_ns',
  'udp_avg_scrape_processing_time_ns',
  'udp4_requests',
  'udp4_connections_handled',
  'udp4_announces_handled',
  'udp4_scrapes_handled',
  'udp4_responses',
  'udp4_errors_handled',
  'udp6_requests',
  'udp6_connections_handled',
  'udp6_announces_handled',
  'udp6_scrapes_handled',
  'udp6_responses',
  'udp6_errors_handled',
] as const satisfies readonly (keyof Stats)[]

/** Does not compile when a figure is missing above. */
type Shown = Record<(typeof FIELDS)[number], unknown>
const shown = (stats: Stats): Shown & Stats => stats

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4'

const printJson = (stats: Stats): string =>
  `{${FIELDS.map((name) => `"${name}":${shown(stats)[name]}`).join(',')}}`

/** Booleans as 1 and 0: what Prometheus reads are numbers. */
const printLines = (stats: Stats): string =>
  FIELDS.map((name) => `${name} ${Number(stats[name])}`).join('\n')

/** `?format=`, or the answer to one that is none. */
export function readFormat(
  query: URLSearchParams,
): { readonly format: 'json' | 'prometheus' } | { readonly fault: Answer } {
  const [value, ...more] = query.getAll('format')
  if (more.length > 0) return { fault: badQuery('duplicate field `format`') }
  if (value === undefined || value === '' || value === 'json') return { format: 'json' }
  if (value === 'prometheus') return { format: value }
  return {
    fault: badQuery(`unknown variant \`${echo(value)}\`, expected \`json\` or \`prometheus\``),
  }
}

const figure = (name: string) => (name === 'completed_persisted_enabled' ? t.Boolean() : integer())

export const statsOperations = (parts: ApiParts): readonly Operation[] => [
  {
    method: 'GET',
    path: '/api/v1/stats',
    answer({ query }) {
      const read = readFormat(query)
      if ('fault' in read) return read.fault
      const stats = parts.stats()
      return read.format === 'json'
        ? json(printJson(stats))
        : json(printLines(stats), PROMETHEUS_TYPE)
    },
    detail: describe({
      tag: 'statistics',
      summary: 'What the tracker holds and has done since it started',
      query: {
        format: [t.Union([t.Literal('json'), t.Literal('prometheus')]), 'json unless told.'],
      },
      answers: {
        'application/json': t.Object(
          Object.fromEntries(FIELDS.map((name) => [name, figure(name)])),
        ),
        [PROMETHEUS_TYPE]: t.String(),
      },
      also: [400],
    }),
  },
]
