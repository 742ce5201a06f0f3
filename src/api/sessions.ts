/**
 * Sessions of browsers (docs/behaviours.md A32): who shows a token once gets a cookie that stands for it, so that the
 * token is in no page, no address and no storage of the browser. A session ends with its token.
 *
 * A browser sends the cookie by itself. SameSite keeps other sites from making it do so; other ports of the same host
 * are the same site, so a request must also come from a page of ours (`isOwn`).
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../time/clock.ts'
import { parseIp } from '../wire/address.ts'

/** Without a request for so long, and however much it is used. */
const IDLE_MILLISECONDS = 12 * 3_600_000
const LONGEST_MILLISECONDS = 7 * 86_400_000
/** Those that were not used for longest give way. */
const MOST_SESSIONS = 1_000
const ID_BYTES = 32

type Session = { readonly token: string; readonly began: number; used: number }

export class Sessions {
  readonly #clock: Clock
  readonly #cookie: string
  /** By id, the one that was used last at the end. */
  readonly #sessions = new Map<string, Session>()

  /** `port`: where the API listens. Browsers share cookies among the ports of a host. */
  constructor(clock: Clock, port: number) {
    this.#clock = clock
    this.#cookie = `tracker_session_${port}`
  }

  /** The `Set-Cookie` of a new session. `isSecure`: the browser must never send it without TLS. */
  open(token: string, isSecure: boolean): string {
    const now = this.#clock.milliseconds()
    const id = randomBytes(ID_BYTES).toString('base64url')
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size < MOST_SESSIONS) break
      this.#sessions.delete(oldest)
    }
    this.#sessions.set(id, { token, began: now, used: now })
    return this.#print(id, LONGEST_MILLISECONDS / 1_000, isSecure)
  }

  /**
   * The token that the session of the request stands for; undefined: it has none, or a page of another site made it.
   * `changes`: the request may change something, whatever its method.
   */
  tokenOf(request: Request, changes = false): string | undefined {
    const id = this.#idOf(request)
    const session = id === undefined ? undefined : this.#sessions.get(id)
    if (id === undefined || session === undefined || !isOwn(request, changes)) return undefined
    const now = this.#clock.milliseconds()
    this.#sessions.delete(id)
    // A clock that was set back ends nothing, and keeps nothing for ever.
    const isOver =
      Math.abs(now - session.used) > IDLE_MILLISECONDS ||
      Math.abs(now - session.began) > LONGEST_MILLISECONDS
    if (isOver) return undefined
    session.used = now
    this.#sessions.set(id, session)
    return session.token
  }

  /** Ends the session of the request, if it has one. The `Set-Cookie` that makes the browser forget it. */
  close(request: Request): string {
    const id = this.#idOf(request)
    if (id !== undefined && isOwn(request)) this.#sessions.delete(id)
    return this.#print('', 0, false)
  }

  #print(value: string, seconds: number, isSecure: boolean): string {
    const secure = isSecure ? '; Secure' : ''
    return `${this.#cookie}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`
  }

  #idOf({ headers }: Request): string | undefined {
    const start = `${this.#cookie}=`
    const pair = headers
      .get('cookie')
      ?.split(';')
      .map((one) => one.trim())
      .find((one) => one.startsWith(start))
    return pair?.slice(start.length)
  }
}

/** Whether a page of ours made the request, as the browser says. `changes`: a GET may change something as well. */
export function isOwn({ method, headers }: Request, changes = false): boolean {
  const site = headers.get('sec-fetch-site')
  // `none`: the address was typed.
  if (site !== null && site !== 'same-origin' && site !== 'none') return false
  const origin = headers.get('origin')
  // Browsers name the origin of whatever may change something, except of a GET, which any page can have made by an
  // image. Without TLS they do not name the site either.
  if (origin === null)
    return (method === 'GET' || method === 'HEAD') && (!changes || site === 'same-origin')
  return URL.parse(origin)?.host === headers.get('host')
}

/**
 * Whether an API that only this machine reaches may be called `host`. A page of any site may have its name lead to
 * this machine, and its requests then look like those of a page of ours (DNS rebinding); an address cannot be led
 * anywhere.
 */
export const mayBeOwn = (host: string, publicUrl: string | null): boolean =>
  parseIp(host.replace(/^\[|\]$/g, '')) !== undefined ||
  /(^|\.)localhost$/i.test(host) ||
  (publicUrl !== null && host === URL.parse(publicUrl)?.hostname)
