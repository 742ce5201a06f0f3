/**
 * Paths of the management API as they stood on the wire: which methods they have, what their last
 * segment says. The URL a request shows has `..` resolved and is not asked what it leads to.
 */
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Percent-decodes a segment; `+` and broken escapes are themselves. undefined: it is no UTF-8. */
export function decodeSegment(segment: string): string | undefined {
  const bytes = segment.replaceAll(/%([0-9a-f]{2})/gi, (_escape, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  try {
    return DECODER.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return undefined
  }
}

export const lastSegment = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

type Place = { readonly method: string; readonly path: string }

/** Every path with its methods. At most the last segment of a path is a parameter (`:name`). */
export class Paths {
  /** By path; where the parameter is, nothing stands. */
  readonly #methods = new Map<string, string[]>()

  constructor(places: readonly Place[]) {
    for (const { method, path } of places) {
      const key = path.replace(/:[^/]*$/, '')
      const methods = this.#methods.get(key) ?? []
      methods.push(...(method === 'GET' ? ['GET', 'HEAD'] : [method]))
      this.#methods.set(key, methods)
    }
  }

  /** Methods of what stands at `path`, a fixed segment before a parameter; undefined: nothing does. */
  methods(path: string): readonly string[] | undefined {
    const fixed = path.endsWith('/') ? undefined : this.#methods.get(path)
    return fixed ?? (lastSegment(path) === '' ? undefined : this.#methods.get(parent(path)))
  }
}

const parent = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)
