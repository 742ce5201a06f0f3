/**
 * The metrics (docs/behaviours.md M8–M10): for clients of the reference under its path, and for scrapers at the path that
 * they ask by default.
 */
import { Elysia, t } from 'elysia'
import { printJson, printText, TEXT_FORMATS } from '../view/exposition.ts'
import { json } from './answers.ts'
import { describe } from './openapi.ts'
import type { ApiParts } from './parts.ts'
import { FORMAT, queryOf } from './schemas.ts'

const SAMPLE = t.Object({
  value: t.Number(),
  recorded_at: t.String({ format: 'date-time' }),
  labels: t.Array(t.Object({ name: t.String(), value: t.String() })),
})
const METRICS = t.Object(
  {
    metrics: t.Array(
      t.Object({
        type: t.Union([t.Literal('counter'), t.Literal('gauge')]),
        name: t.String(),
        unit: t.Union([t.String(), t.Null()]),
        description: t.String(),
        samples: t.Array(SAMPLE),
      }),
    ),
  },
  { $id: 'Metrics' },
)
const TEXTS = { [TEXT_FORMATS.prometheus]: t.String() }

type Parts = Pick<ApiParts, 'metrics'>

export const metricsRoutes = ({ metrics }: Parts) =>
  new Elysia({ tags: ['statistics'] }).get(
    '/metrics',
    ({ query }) =>
      query.format === 'prometheus'
        ? json(printText(metrics(), 'prometheus'), TEXT_FORMATS.prometheus)
        : json(printJson(metrics())),
    {
      query: queryOf({ format: t.Optional(FORMAT) }),
      detail: describe(
        'getMetrics',
        'All metrics',
        { 'application/json': METRICS, ...TEXTS },
        { scope: 'metrics' },
      ),
    },
  )

/** `Accept` of a scraper that prefers OpenMetrics, as Prometheus does. */
const OPENMETRICS = /application\/openmetrics-text/i

export const scrapeRoutes = ({ metrics }: Parts) =>
  new Elysia({ tags: ['statistics'] }).get(
    '/metrics',
    ({ request }) => {
      const wantsOpen = OPENMETRICS.test(request.headers.get('accept') ?? '')
      const format = wantsOpen ? 'openmetrics' : 'prometheus'
      return json(printText(metrics(), format, { strict: true }), TEXT_FORMATS[format])
    },
    {
      detail: describe(
        'scrapeMetrics',
        'All metrics, for scrapers',
        {
          ...TEXTS,
          [TEXT_FORMATS.openmetrics]: t.String(),
        },
        { scope: 'metrics' },
      ),
    },
  )
