/** What the dashboard and `tracker status` show: the tracker at a glance, live, and over time. Ours. */
import { Elysia, t } from 'elysia'
import { RANGES } from '../view/history.ts'
import { EVENTS_TYPE, json } from './answers.ts'
import type { Exchange } from './exchange.ts'
import { badQuery, echo } from './failures.ts'
import { asJson, describe } from './openapi.ts'
import type { ApiParts } from './parts.ts'
import { judgeText, queryOf } from './schemas.ts'

const RANGE = t.Union([t.Literal('hour'), t.Literal('day')], {
  description: `Default hour: a moment for each ${RANGES.hour.stepSeconds} s; day: for each ${RANGES.day.stepSeconds} s.`,
  error: judgeText((text) =>
    badQuery(`unknown variant \`${echo(text)}\`, expected \`hour\` or \`day\``),
  ),
})
const OVERVIEW = t.Object({}, { $id: 'Overview', additionalProperties: true })
const HISTORY = t.Object(
  {
    stepSeconds: t.Number(),
    times: t.Array(t.Number(), { description: 'Seconds since 1970, ascending.' }),
    series: t.Object({}, { additionalProperties: true }),
  },
  { $id: 'History' },
)

export const liveRoutes = ({ live }: Pick<ApiParts, 'live'>, exchange: Exchange) =>
  new Elysia({ tags: ['statistics'] })
    .get('/overview', () => json(JSON.stringify(live.overview())), {
      detail: describe(
        'getOverview',
        'The tracker at a glance, with alerts in words',
        asJson(OVERVIEW),
      ),
    })
    .get(
      '/live',
      ({ request }) =>
        exchange.stream(request, (send) => live.watch((overview) => send({ data: overview }))),
      {
        detail: describe('watchOverview', 'The overview, now and once a second', {
          [EVENTS_TYPE]: t.String(),
        }),
      },
    )
    .get('/history', ({ query }) => json(JSON.stringify(live.history(query.range ?? 'hour'))), {
      query: queryOf({ range: t.Optional(RANGE) }),
      detail: describe('getHistory', 'Figures over the last hour or day', asJson(HISTORY)),
    })
