/**
 * Access to the management API (docs/behaviours.md A2, A3): a request needs one of the tokens, in
 * `Authorization: Bearer` or as `?token=`. The time of the check reveals nothing about them.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { badQuery, unauthorized } from './failures.ts'

const SCHEME = 'Bearer'

export class Tokens {
  readonly #secret = randomBytes(32)
  readonly #digests: readonly Buffer[]

  constructor(tokens: readonly string[]) {
    // An empty token would let in every request with `?token=`.
    this.#digests = tokens.filter((token) => token !== '').map((token) => this.#digest(token))
  }

  /** Throws unless the request has a token. */
  check({ url, headers }: Request): void {
    const named = searchOf(url).getAll('token')
    if (named.length > 1) throw badQuery('duplicate field `token`')
    const authorization = headers.get('authorization')
    const token = bearer(authorization) ?? named[0]
    if (token === undefined)
      throw unauthorized(authorization === null ? 'unauthorized' : 'unknown token provided')
    if (!this.#knows(token)) throw unauthorized('token not valid')
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

/** The parameters behind the `?`, repeated ones included. */
export function searchOf(url: string): URLSearchParams {
  const [target = ''] = url.split('#', 1)
  const start = target.indexOf('?')
  // URLSearchParams drops a leading question mark, even if it belongs to a name.
  return new URLSearchParams(start < 0 ? '' : `&${target.slice(start + 1)}`)
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
