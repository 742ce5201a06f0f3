/**
 * Access to the management API (docs/behaviours.md A2, A3, A31): a request needs one of the tokens, in
 * `Authorization: Bearer` or as `?token=`, and the token's scope must include what the request is for. The time of
 * the check reveals nothing about the tokens.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { AccessToken, Scope } from '../config/model.ts'
import { badQuery, forbidden, unauthorized } from './failures.ts'
import type { Sessions } from './sessions.ts'

/** Who asks, for lines of the log: the token itself is never in it. */
export interface Asker {
  /** The name of the token in the configuration. */
  readonly name: string
  readonly scope: Scope
}

/** By name. */
export type AccessTokens = Readonly<Record<string, AccessToken>>

/** Each scope includes those before it. */
export const SCOPES: readonly Scope[] = ['metrics', 'read', 'all']
const includes = (scope: Scope, needed: Scope): boolean =>
  SCOPES.indexOf(scope) >= SCOPES.indexOf(needed)

export class Tokens {
  readonly #secret = randomBytes(32)
  #sessions: Sessions | undefined
  #tokens: AccessTokens = {}
  /** Called when other tokens than before are valid. */
  onChange: (() => void) | undefined
  #known: readonly { readonly digest: Buffer; readonly asker: Asker }[] = []

  constructor(tokens: AccessTokens) {
    this.replace(tokens)
  }

  /** From the next request on, these tokens are valid and no others. */
  replace(tokens: AccessTokens): void {
    if (Bun.deepEquals(tokens, this.#tokens)) return
    this.#tokens = tokens
    this.#known = Object.entries(tokens)
      // An empty token would let in every request with `?token=`.
      .filter(([, { token }]) => token !== '')
      .map(([name, { token, scope }]) => ({ digest: this.#digest(token), asker: { name, scope } }))
    this.onChange?.()
  }

  /** A session of a browser stands for a token as well. */
  alsoOf(sessions: Sessions): void {
    this.#sessions = sessions
  }

  /** Whose token the request has. Throws unless it has one whose scope includes `needed`. */
  check(request: Request, needed: Scope): Asker {
    const { url, headers } = request
    const named = searchOf(url).getAll('token')
    if (named.length > 1) throw badQuery('duplicate field `token`')
    const authorization = headers.get('authorization')
    const token =
      afterScheme(authorization, 'Bearer') ??
      named[0] ??
      // Browsers send such credentials by themselves, on behalf of any page: they must open nothing but figures.
      (needed === 'metrics' ? basicPassword(authorization) : undefined) ??
      this.#sessions?.tokenOf(request, needed === 'all')
    if (token === undefined)
      throw unauthorized(authorization === null ? 'unauthorized' : 'unknown token provided')
    const asker = this.find(token)
    if (asker === undefined) throw unauthorized('token not valid')
    if (includes(asker.scope, needed)) return asker
    throw forbidden(`token ${asker.name} may not do this: its scope is ${asker.scope}`)
  }

  /** undefined: there is no such token. */
  find(token: string): Asker | undefined {
    const digest = this.#digest(token)
    let found: Asker | undefined
    for (const { digest: own, asker } of this.#known)
      if (timingSafeEqual(digest, own)) found ??= asker
    return found
  }

  /** Digests have one length and are unpredictable, so the time of a comparison reveals nothing. */
  #digest(token: string): Buffer {
    return createHmac('sha256', this.#secret).update(token).digest()
  }
}

/** The parameters behind the `?`, repeated ones included. */
export function searchOf(url: string): URLSearchParams {
  const [target = ''] = url.split('#', 1)
  const start = target.indexOf('?')
  // URLSearchParams drops a leading question mark, even if it belongs to a name.
  return new URLSearchParams(start < 0 ? '' : `&${target.slice(start + 1)}`)
}

/**
 * The credentials in the header; undefined: there are none of this scheme. Another scheme belongs to a proxy in front,
 * and the query is asked instead.
 */
function afterScheme(authorization: string | null, scheme: string): string | undefined {
  if (authorization === scheme) return ''
  return authorization?.startsWith(`${scheme} `)
    ? authorization.slice(scheme.length + 1)
    : undefined
}

/** The password of HTTP basic authentication, with any user name. */
function basicPassword(authorization: string | null): string | undefined {
  const credentials = afterScheme(authorization, 'Basic')
  if (credentials === undefined) return undefined
  const pair = Buffer.from(credentials, 'base64').toString()
  return pair.slice(pair.indexOf(':') + 1)
}
