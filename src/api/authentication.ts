/**
 * Access to the management API (docs/behaviours.md A2, A3): a request needs one of the tokens, in
 * `Authorization: Bearer` or as `?token=`. The time of the check reveals nothing about them.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Answer, badQuery, rejection } from './answers.ts'

const SCHEME = 'Bearer'

export class Tokens {
  readonly #secret = randomBytes(32)
  readonly #digests: readonly Buffer[]

  constructor(tokens: readonly string[]) {
    // An empty token would let in every request with `?token=`.
    this.#digests = tokens.filter((token) => token !== '').map((token) => this.#digest(token))
  }

  /** Why the request is refused; undefined: it is not. */
  refuse(query: URLSearchParams, authorization: string | null): Answer | undefined {
    const named = query.getAll('token')
    if (named.length > 1) return badQuery('duplicate field `token`')
    const token = bearer(authorization) ?? named[0]
    if (token === undefined)
      return rejection(authorization === null ? 'unauthorized' : 'unknown token provided')
    return this.#knows(token) ? undefined : rejection('token not valid')
  }

  #knows(token: string): boolean {
    const digest = this.#digest(token)
    let known = 0
    for (const one of this.#digests) known |= Number(timingSafeEqual(digest, one))
    return known !== 0
  }

  /** Digests have one length and are unpredictable, so the time of a comparison reveals nothing. */
  #digest(token: string): Buffer {
    return createHmac('sha256', this.#secret).update(token).digest()
  }
}

/**
 * The token in the header; undefined: there is none. Another scheme belongs to a proxy in front, and the
 * query is asked instead.
 */
function bearer(authorization: string | null): string | undefined {
  if (authorization === SCHEME) return ''
  return authorization?.startsWith(`${SCHEME} `)
    ? authorization.slice(SCHEME.length + 1)
    : undefined
}
