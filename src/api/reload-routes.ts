/** `POST /api/v1/reload`, an addition of ours: the tracker follows its configuration (docs/behaviours.md A42). */
import { Elysia, t } from 'elysia'
import { Answer, JSON_TYPE } from './answers.ts'
import { describe } from './openapi.ts'
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

export const reloadRoutes = ({ reload }: Pick<ApiParts, 'reload'>) =>
  new Elysia({ tags: ['configuration'] }).post(
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
