/** The paths of the management API: which methods each has, and what a request is called in the log. */
import { rawPath } from '../servers/listen.ts'

type Route = { readonly method: string; readonly path: string }

/** At most the last segment of a path is a parameter (`:name`). */
export class Paths {
  /** By path; a parameter is a blank, which no path has. */
  readonly #routes = new Map<string, Route[]>()

  add(routes: readonly Route[]): void {
    for (const route of routes) {
      const key = route.path.replace(/:[^/]*$/, ' ')
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
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = this.#find(rawPath(request))?.find((one) => one.method === method)
    return route === undefined ? request.method : `${method} ${route.path}`
  }

  /** A fixed last segment goes before a parameter. */
  #find(path: string): readonly Route[] | undefined {
    const end = path.lastIndexOf('/') + 1
    return (
      this.#routes.get(path) ??
      (end < path.length ? this.#routes.get(`${path.slice(0, end)} `) : undefined)
    )
  }
}
