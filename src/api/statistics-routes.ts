/** `GET /api/v1/stats` (docs/behaviours.md M1, M6): the figures as JSON, or as lines for Prometheus. */
import { t } from 'elysia'
import { FIGURES, type Stats } from '../view/statistics.ts'
import { type Answer, badQuery, echo, json } from './answers.ts'
import { describe, integer } from './openapi.ts'
import type { ApiParts, Operation } from './operation.ts'

const PROMETHEUS_TYPE = 'text/plain; version=0.0.4'

const printJson = (stats: Stats): string =>
  `{${FIGURES.map((name) => `"${name}":${stats[name]}`).join(',')}}`

/** Booleans become 1 and 0: Prometheus reads numbers only. */
const printLines = (stats: Stats): string =>
  FIGURES.map((name) => `${name} ${Number(stats[name])}`).join('\n')

/** The value of `?format=`, or the answer to an unknown one. */
function readFormat(
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
      summary: 'What the tracker holds, and what it has done since it started',
      query: {
        format: [t.Union([t.Literal('json'), t.Literal('prometheus')]), 'Default json.'],
      },
      answers: {
        'application/json': t.Object(
          Object.fromEntries(FIGURES.map((name) => [name, figure(name)])),
        ),
        [PROMETHEUS_TYPE]: t.String(),
      },
      also: [400],
    }),
  },
]
