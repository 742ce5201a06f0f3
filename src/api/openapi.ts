/** The OpenAPI 3.1 document of the management API, made from the routes that Elysia has: none is left out. */
import type { AnyElysia } from 'elysia'
import { type Documentation, refusals } from './documentation.ts'

const ABOUT = `Manages the tracker and tells what it does. Every path but /api/health_check wants one of the tokens of
\`http_api.access_tokens\`. Failures of authentication have status 500, as clients of this API expect.`

export function openApi(routes: AnyElysia['routes'], version: string): string {
  const paths: Record<string, Record<string, Documentation>> = {}
  for (const { method, path, hooks } of routes) {
    const template = path.replaceAll(/:([^/]+)/g, '{$1}')
    paths[template] = { ...paths[template], [method.toLowerCase()]: hooks.detail }
  }
  return JSON.stringify({
    openapi: '3.1.0',
    info: {
      title: 'Tracker management API',
      version,
      description: ABOUT.replaceAll('\n', ' '),
      license: { name: 'AGPL-3.0-only', identifier: 'AGPL-3.0-only' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { token: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        token: { type: 'apiKey', in: 'query', name: 'token' },
      },
      responses: refusals(),
    },
  })
}
