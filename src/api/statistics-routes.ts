/** `GET /api/v1/stats` (docs/behaviours.md M1, M6): the figures as JSON, or as lines for Prometheus. */
import { Elysia, t } from 'elysia'
import { FIGURES, type Stats, WEB_FIGURES } from '../view/statistics.ts'
import { json } from './answers.ts'
import { describe } from './openapi.ts'
import type { ApiParts } from './parts.ts'
import { FORMAT, integer, queryOf } from './schemas.ts'

const PROMETHEUS_TYPE = 'text/plain; version=0.0.4'

/** Booleans become 1 and 0: Prometheus reads numbers only. */
const printLines = (stats: Stats): string =>
  Object.entries(stats)
    .map(([name, figure]) => `${name} ${Number(figure)}`)
    .join('\n')

const COUNT = integer({ minimum: 0 })
const STATS = t.Object(
  {
    ...Object.fromEntries(
      FIGURES.map((name) => [name, name === 'completed_persisted_enabled' ? t.Boolean() : COUNT]),
    ),
    ...Object.fromEntries(WEB_FIGURES.map((name) => [name, t.Optional(COUNT)])),
  },
  { $id: 'Statistics' },
)

export const statisticsRoutes = ({ stats }: Pick<ApiParts, 'stats'>) =>
  new Elysia({ tags: ['statistics'] }).get(
    '/stats',
    ({ query }) =>
      query.format === 'prometheus'
        ? json(printLines(stats()), PROMETHEUS_TYPE)
        : json(JSON.stringify(stats())),
    {
      query: queryOf({ format: t.Optional(FORMAT) }),
      detail: describe(
        'getStatistics',
        'What the tracker holds, and what it has done since it started',
        { 'application/json': STATS, [PROMETHEUS_TYPE]: t.String() },
      ),
    },
  )
