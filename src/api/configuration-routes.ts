/** The configuration: what it is, and how the tracker follows it again (docs/behaviours.md A42, A43). Ours. */
import { Elysia, t } from 'elysia'
import { Answer, JSON_TYPE, json } from './answers.ts'
import { asJson, describe, nullable } from './openapi.ts'
import type { ApiParts } from './parts.ts'

const lines = (description: string) => t.Array(t.String(), { description })

const RELOADED = t.Object(
  {
    applied: lines('What has changed: an option, its value before and after; secrets are masked.'),
    restart: lines('Options that were changed, too, and that are followed only after a restart.'),
    mistakes: lines('Why nothing was changed.'),
  },
  { $id: 'Reload' },
)

/** Nothing was changed because of mistakes in the configuration. */
const UNPROCESSABLE = 422

const OPTION = t.Object(
  {
    path: t.String({ examples: ['http_trackers.0.bind_address'] }),
    value: nullable(t.String({ description: 'As in a file; secrets are masked.' })),
    origin: t.String({ description: '`default`, a file with its line, or a variable.' }),
    live: t.Boolean({ description: 'Whether a reload is enough for a change.' }),
  },
  { $id: 'Option' },
)

export const configurationRoutes = ({ reload, options }: Pick<ApiParts, 'reload' | 'options'>) =>
  new Elysia({ tags: ['configuration'] })
    .get('/config', () => json(JSON.stringify(options())), {
      detail: describe(
        'getConfiguration',
        'Every option as the tracker follows it, and where it comes from',
        asJson(t.Array(OPTION)),
      ),
    })
    .post(
      '/reload',
      async () => {
        const result = await reload()
        const status = result.mistakes.length === 0 ? 200 : UNPROCESSABLE
        return new Answer(status, JSON_TYPE, JSON.stringify(result))
      },
      {
        detail: describe(
          'reload',
          'Reads the configuration again and follows it; 422 when it has mistakes, and then nothing changes',
          { 'application/json': RELOADED },
        ),
      },
    )
