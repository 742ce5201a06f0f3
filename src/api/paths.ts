/**
 * The paths of the management API: which methods each has, which scope a token needs there, and what a request is
 * called in the log.
 */
import type { DocumentDecoration } from 'elysia'
import type { Scope } from '../config/model.ts'
import { rawPath } from '../servers/listen.ts'
import { SCOPES } from './authentication.ts'

type Route = {
  readonly method: string
  readonly path: string
  readonly hooks: { readonly detail?: DocumentDecoration }
}

/** What a token must be good for: what the route says of itself (`describe`), or what its method implies. */
export const scopeOf = ({ method, hooks }: Omit<Route, 'path'>): Scope =>
  SCOPES.find((scope) => scope === hooks.detail?.security?.[0]?.bearer?.[0]) ??
  (method === 'GET' || method === 'HEAD' ? 'read' : 'all')

/** In place of a parameter (`:name`): a blank, which no path has. */
const ANY = ' '
const keyOf = (path: string): string => path.replaceAll(/:[^/]*/g, ANY)

export class Paths {
  /** By path, with blanks for its parameters. */
  readonly #routes = new Map<string, Route[]>()

  add(routes: readonly Route[]): void {
    for (const route of routes) {
      const key = keyOf(route.path)
      this.#routes.set(key, [...(this.#routes.get(key) ?? []), route])
    }
  }

  isFixed(path: string): boolean {
    return this.#routes.has(path)
  }

  /** The methods of a path; undefined: it is unknown. */
  methods(path: string): readonly string[] | undefined {
    return this.#find(path)?.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : method))
  }

  /** `GET /api/v1/torrent/:info_hash`: method and route, never what stands for a parameter. Without a route the method alone. */
  nameOf(request: Request): string {
    const route = this.#routeOf(request.method, rawPath(request))
    return route === undefined ? request.method : `${route.method} ${route.path}`
  }

  /** What a token must be good for. `path`: that of the route that answers, where there is one. */
  scopeOf({ method }: Request, path = ''): Scope {
    return scopeOf(this.#routeOf(method, path) ?? { method, hooks: {} })
  }

  /** The operation id of a route that changes something: one that only tokens of the largest scope open. */
  changeOf(request: Request, path: string): string | undefined {
    if (this.scopeOf(request, path) !== 'all') return undefined
    return this.#routeOf(request.method, path)?.hooks.detail?.operationId
  }

  #routeOf(method: string, path: string): Route | undefined {
    const own = method === 'HEAD' ? 'GET' : method
    return this.#find(path)?.find((one) => one.method === own)
  }

  /** Of a request, or of a route. A fixed segment goes before a parameter. */
  #find(path: string): readonly Route[] | undefined {
    const known = this.#routes.get(path) ?? this.#routes.get(keyOf(path))
    if (known !== undefined) return known
    const segments = path.split('/')
    for (const [key, routes] of this.#routes) {
      const own = key.split('/')
      const fits = (segment: string, i: number) =>
        own[i] === ANY ? segment !== '' : own[i] === segment
      if (own.length === segments.length && segments.every(fits)) return routes
    }
    return undefined
  }
}
