/**
 * Override variables of the environment (docs/behaviours.md C5): names become paths, values are read by a
 * grammar of their own (value-grammar.ts), and the resulting tree is merged over that of the file.
 */
import type { Report } from './mistake.ts'
import { list, merge, type Node, type Place, printPath, type TableNode, table } from './tree.ts'
import { parseOverride } from './value-grammar.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export const PREFIX = 'TORRUST_TRACKER_CONFIG_OVERRIDE_'

/** Whether a value was written in such a variable. */
export const isOverride = ({ source }: Place): boolean => source.toUpperCase().startsWith(PREFIX)

/** Lists of tables, in either schema: only these have elements that a number addresses. */
const LISTS: ReadonlySet<string> = new Set(['udp_trackers', 'http_trackers', 'websocket_trackers'])
const INDEX = /^(0|[1-9]\d{0,3})$/
/** The table of tokens, in either schema: `name = "secret"` is short for `name = { token = "secret" }`. */
const TOKENS: readonly string[] = ['http_api', 'access_tokens']

/** Merges every override variable of the environment over `base`. */
export function applyOverrides(base: TableNode, env: Environment, report: Report): TableNode {
  const overrides: { path: string[]; leaf: Node }[] = []
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.toUpperCase().startsWith(PREFIX)) continue
    const path = name.slice(PREFIX.length).replaceAll('__', '.').toLowerCase().split('.')
    if (path.includes(''))
      report.warn({ source: name, path: '' }, 'ignored: a part of the name is empty')
    else {
      const leaf = parseOverride(value, { source: name, path: printPath(path) })
      overrides.push({ path, leaf: writtenOut(leaf, path) })
    }
  }
  // Whatever their order in the environment, a list comes before its elements, and these in ascending order.
  overrides.sort((a, b) => a.leaf.at.path.localeCompare(b.leaf.at.path, 'en', { numeric: true }))
  return overrides.reduce(
    (tree, { path, leaf }) => put(tree, path, 0, leaf, report) as TableNode,
    writtenOut(base, []) as TableNode,
  )
}

/**
 * `node`, which is at `path`, with every token as a table: so a variable that holds another secret keeps the scope of
 * the token, and one that holds a scope keeps the secret.
 */
function writtenOut(node: Node, path: readonly string[]): Node {
  if (path.some((key, i) => i < TOKENS.length && key !== TOKENS[i])) return node
  if (path.length > TOKENS.length)
    return node.kind === 'scalar' && path.length === TOKENS.length + 1
      ? table(new Map([['token', node]]), node.at)
      : node
  if (node.kind !== 'table') return node
  const entries = Array.from(
    node.entries,
    ([key, value]) => [key, writtenOut(value, [...path, key])] as const,
  )
  return table(new Map(entries), node.at)
}

/** `base` with `leaf` merged over what is at `path`, of which `depth` segments lead to `base`. */
function put(
  base: Node | undefined,
  path: readonly string[],
  depth: number,
  leaf: Node,
  report: Report,
): Node {
  const key = path[depth]
  if (key === undefined) return merge(base, leaf)
  // A value that becomes a table is a mistake of the variable.
  const at =
    base === undefined || base.kind === 'scalar'
      ? { source: leaf.at.source, path: printPath(path.slice(0, depth)) }
      : base.at
  if (base?.kind === 'list' || (base === undefined && depth === 1 && LISTS.has(path[0]!))) {
    const items = [...(base?.items ?? [])]
    const index = Number(key)
    if (!INDEX.test(key))
      report.mistake(leaf.at, 'expected the number of a list element, counted from 0')
    else if (index > items.length)
      report.mistake(
        leaf.at,
        `no such element: the list has ${items.length}, so the next number is ${items.length}`,
      )
    else items[index] = put(items[index], path, depth + 1, leaf, report)
    return list(items, at)
  }
  const entries = new Map(base?.kind === 'table' ? base.entries : [])
  entries.set(key, put(entries.get(key), path, depth + 1, leaf, report))
  return table(entries, at)
}
