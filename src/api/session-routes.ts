/** Login and logout of browsers (docs/behaviours.md A32): a token for a cookie. */
import { Elysia, t } from 'elysia'
import type { Clock } from '../time/clock.ts'
import { Answer, json, OK } from './answers.ts'
import type { Tokens } from './authentication.ts'
import { echo, Failure, forbidden, unauthorized } from './failures.ts'
import { LoginLimit } from './login-limit.ts'
import { asJson, DONE, describe } from './openapi.ts'
import type { ReadBody } from './parts.ts'
import { LOGIN } from './schemas.ts'
import { isOwn, type Sessions } from './sessions.ts'

const ASKER = t.Object(
  {
    name: t.String({ description: 'Of the token.' }),
    scope: t.Union([t.Literal('all'), t.Literal('read'), t.Literal('metrics')]),
  },
  { $id: 'Session' },
)
const NOT_KEPT = { 'cache-control': 'no-store' }
/** A token has at most 4,096 characters, each of which may be written as an escape of six. */
const MOST_LOGIN_BYTES = 32 * 1024

type Parts = {
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly clock: Clock
  /** Reads a body without asking for a token. */
  readonly parse: ReadBody
  /** Address of the client; undefined: it is gone. */
  addressOf(request: Request): string | undefined
  /** Whether browsers reach the API over TLS. */
  readonly isSecure: boolean
  /** Whether the API may be reached by that name. */
  isOwnHost(host: string): boolean
  /** A session was ended. */
  ended(): void
}

export function sessionRoutes(parts: Parts) {
  const { tokens, sessions, clock, parse, addressOf, isSecure, isOwnHost, ended } = parts
  const limit = new LoginLimit(clock)
  // Strangers may send this body, and no other: it must not cost memory or time.
  const parseShort: ReadBody = async (context) => {
    const { headers } = context.request
    const length = headers.get('content-length')
    if (length === null || headers.has('transfer-encoding'))
      throw new Failure(411, 'the request must say how long its body is')
    if (Number(length) > MOST_LOGIN_BYTES)
      throw new Failure(413, `the body is longer than ${MOST_LOGIN_BYTES} bytes`)
    return await parse(context)
  }
  return new Elysia({ prefix: '/session', tags: ['session'] })
    .get('', ({ request }) => json(JSON.stringify(tokens.check(request, 'metrics'))), {
      detail: describe('getSession', 'Whose token the session or the request has', asJson(ASKER), {
        scope: 'metrics',
      }),
    })
    .post(
      '',
      ({ request, body }) => {
        if (!isOwn(request)) throw forbidden('the request comes from another site')
        const host = URL.parse(request.url)?.hostname ?? ''
        if (!isOwnHost(host))
          throw forbidden(
            `this API is not called ${echo(host)}: set http_api.public_url if it is reached by that name`,
          )
        const client = addressOf(request) ?? ''
        const wait = limit.wait(client)
        if (wait > 0)
          throw new Failure(429, `too many wrong tokens: try again in ${wait} s`, {
            'retry-after': String(wait),
          })
        const asker = tokens.find(body.token)
        if (asker === undefined) {
          limit.failed(client)
          throw unauthorized('token not valid')
        }
        const cookie = sessions.open(body.token, isSecure)
        return new Answer(200, 'application/json', JSON.stringify(asker), {
          ...NOT_KEPT,
          'set-cookie': cookie,
        })
      },
      {
        parse: parseShort,
        body: LOGIN,
        detail: describe('login', 'Begin a session: a cookie stands for the token', asJson(ASKER)),
      },
    )
    .delete(
      '',
      ({ request }) => {
        const isOpen = sessions.tokenOf(request) !== undefined
        const cookie = sessions.close(request)
        if (isOpen) ended()
        return new Answer(200, OK.type, OK.body, { ...NOT_KEPT, 'set-cookie': cookie })
      },
      { detail: describe('logout', 'End the session', DONE) },
    )
}
