/**
 * The dashboard's page and files (docs/behaviours.md A34). They hold nothing secret and need no token; what the page shows it
 * asks the API for.
 */
import { Elysia, NotFoundError, t } from 'elysia'
import { Answer, json } from './answers.ts'
import { asJson, describe } from './openapi.ts'
import type { ApiParts } from './parts.ts'

/** Nothing from elsewhere, nothing inline, in no frame of others. */
const GUARDED = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}
/** Names of files contain a hash of what is in them. */
const FOR_EVER = { ...GUARDED, 'cache-control': 'public, max-age=31536000, immutable' }
const PAGE = { ...GUARDED, 'cache-control': 'no-cache', vary: 'accept' }

const LINKS = { api: '/api/v1', openapi: '/api/openapi.json' } as const
const ABOUT = t.Object(
  { name: t.String(), version: t.String(), api: t.String(), openapi: t.String() },
  { $id: 'About' },
)
/** What browsers send for a page, and programs do not. */
const WANTS_PAGE = /\btext\/html\b/i

export const pageRoutes = ({ pages }: Pick<ApiParts, 'pages'>, version: string) =>
  new Elysia()
    .get(
      '/',
      async ({ request }) => {
        const wantsPage = WANTS_PAGE.test(request.headers.get('accept') ?? '')
        const page = wantsPage ? await pages.find('') : undefined
        return page === undefined
          ? json(JSON.stringify({ name: 'tracker', version, ...LINKS }))
          : new Answer(200, page.type, page.bytes, PAGE)
      },
      {
        detail: describe(
          'getAbout',
          'What this is, and where the rest is; to browsers, the dashboard',
          {
            ...asJson(ABOUT),
            'text/html': t.String(),
          },
        ),
      },
    )
    .get(
      '/assets/:name',
      async ({ params: { name } }) => {
        const asset = await pages.find(name)
        if (asset === undefined) throw new NotFoundError()
        return new Answer(200, asset.type, asset.bytes, FOR_EVER)
      },
      { params: t.Object({ name: t.String() }), detail: { hide: true } },
    )
