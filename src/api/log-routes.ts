/** `GET /api/v1/log` (docs/behaviours.md A36): the last lines of the log, and new ones as they come. */
import { Elysia, t } from 'elysia'
import type { KeptEvent } from '../log/history.ts'
import { LEVELS, RANKS } from '../log/level.ts'
import { EVENTS_TYPE, json } from './answers.ts'
import type { Exchange } from './exchange.ts'
import { badQuery, echo } from './failures.ts'
import { asJson, describe } from './openapi.ts'
import type { ApiParts } from './parts.ts'
import { judgeText, queryOf } from './schemas.ts'

const LINES = 100

const [ERROR, WARN, INFO, DEBUG, TRACE] = LEVELS
const LEVEL = t.Union(
  [t.Literal(ERROR), t.Literal(WARN), t.Literal(INFO), t.Literal(DEBUG), t.Literal(TRACE)],
  {
    description: 'The least important level that is shown; default trace.',
    error: judgeText((text) =>
      badQuery(`level: unknown variant \`${echo(text)}\`, expected one of ${LEVELS.join(', ')}`),
    ),
  },
)
const COUNT = t.String({
  pattern: '^[0-9]{1,9}$',
  description: `Lines that are there already; default ${LINES}. Some thousand are kept.`,
  error: judgeText(() => badQuery('lines: invalid digit found in string')),
  shownAs: { type: 'integer', minimum: 0, maximum: 999_999_999 },
})
const FOLLOW = t.Union([t.Literal('true'), t.Literal('false')], {
  description:
    'Whether new lines follow, as server-sent events; so does `Accept: text/event-stream`.',
  error: judgeText((text) =>
    badQuery(`follow: unknown variant \`${echo(text)}\`, expected \`true\` or \`false\``),
  ),
})
const LINE = t.Object(
  {
    timestamp: t.String({ examples: ['2026-11-28T03:00:00.123000Z'] }),
    level: t.Union(LEVELS.map((level) => t.Literal(level.toUpperCase()))),
    fields: t.Object({ message: t.String() }, { additionalProperties: true }),
    target: t.String(),
  },
  { $id: 'LogLine' },
)

export const logRoutes = ({ lines: history }: Pick<ApiParts, 'lines'>, exchange: Exchange) =>
  new Elysia({ tags: ['log'] }).get(
    '/log',
    ({ request, query: { lines = `${LINES}`, level = 'trace', follow } }) => {
      const { headers } = request
      const wantsEvents = headers.get('accept')?.includes(EVENTS_TYPE) ?? false
      if (follow === 'false' || (follow === undefined && !wantsEvents)) {
        const events = history.last(Number(lines), level)
        return json(`[${events.map((event) => event.json).join(',')}]`)
      }
      const seen = Number(headers.get('last-event-id') ?? Number.NaN)
      // A client that was here before has not seen what came in the meantime, however much it was.
      const before = Number.isNaN(seen)
        ? history.last(Number(lines), level)
        : history.last(Infinity, level).filter(({ number }) => number > seen)
      return exchange.stream(request, (send) => {
        const sent = ({ number: id, json: data }: KeptEvent) => send({ id, data })
        before.forEach(sent)
        return history.follow((event) => {
          if (RANKS[event.level] <= RANKS[level]) sent(event)
        })
      })
    },
    {
      query: queryOf({
        lines: t.Optional(COUNT),
        level: t.Optional(LEVEL),
        follow: t.Optional(FOLLOW),
      }),
      detail: describe('getLog', 'The last lines of the log, oldest first', {
        ...asJson(t.Array(LINE)),
        [EVENTS_TYPE]: t.String(),
      }),
    },
  )
