/**
 * Override variables of the environment (spec/torrust-config §3): names become paths, values are
 * read by their own grammar, and the tree they make is laid over the file's.
 */
import type { Report } from './mistake.ts'
import {
  type ListNode,
  list,
  type Node,
  type Place,
  printPath,
  type TableNode,
  table,
} from './tree.ts'
import { parseOverride } from './value-grammar.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export const PREFIX = 'TORRUST_TRACKER_CONFIG_OVERRIDE_'

/** Paths that are lists of tables, in either schema: only these have elements with a number. */
const LISTS: ReadonlySet<string> = new Set(['udp_trackers', 'http_trackers'])
const INDEX = /^(0|[1-9]\d{0,3})$/

/** The path a variable overrides, or undefined: a segment is empty. `name` is without the prefix. */
export function overridePath(name: string): string[] | undefined {
  const segments = name.replaceAll('__', '.').trim().toLowerCase().split('.')
  return segments.includes('') ? undefined : segments
}

/** Lays every override variable of the environment over `base`. */
export function applyOverrides(base: TableNode, env: Environment, report: Report): TableNode {
  // An element of a list goes over the whole list, in whatever order the environment has them.
  let whole = EMPTY
  let elements = EMPTY
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.toUpperCase().startsWith(PREFIX)) continue
    const path = overridePath(name.slice(PREFIX.length))
    if (path === undefined) {
      report.warn({ source: name, path: '' }, 'ignored, a part of the name is empty')
      continue
    }
    const tree = treeOf(path, parseOverride(value, { source: name, path: printPath(path) }))
    if (path.length > 1 && LISTS.has(path[0]!)) elements = mergeTables(elements, tree)
    else whole = mergeTables(whole, tree)
  }
  const merged = mergeTables(base, whole)
  const entries = new Map(merged.entries)
  for (const [name, numbered] of elements.entries) {
    const before = entries.get(name)
    // Something else than a list there is a mistake of its own, told when the value is read.
    if (numbered.kind === 'table' && (before === undefined || before.kind === 'list'))
      entries.set(name, mergeElements(before, numbered, report))
  }
  return table(entries, merged.at)
}

const EMPTY: TableNode = table(new Map(), { source: 'environment', path: '' })

/** The tables above `leaf`, each with that one key. */
function treeOf(path: readonly string[], leaf: Node): TableNode {
  let node = leaf
  for (let depth = path.length - 1; depth >= 0; depth--) {
    const at: Place = { source: leaf.at.source, path: printPath(path.slice(0, depth)) }
    node = table(new Map([[path[depth]!, node]]), at)
  }
  return node as TableNode
}

/** Tables are merged key by key; of anything else `over` replaces `base`. */
function merge(base: Node | undefined, over: Node): Node {
  return base?.kind === 'table' && over.kind === 'table' ? mergeTables(base, over) : over
}

function mergeTables(base: TableNode, over: TableNode): TableNode {
  const entries = new Map(base.entries)
  for (const [key, node] of over.entries) entries.set(key, merge(entries.get(key), node))
  return table(entries, base.at)
}

/** Lays elements addressed by number over a list, the lowest number first: the next one appends. */
function mergeElements(base: ListNode | undefined, numbered: TableNode, report: Report): ListNode {
  const items = [...(base?.items ?? [])]
  const elements = [...numbered.entries].sort(([a], [b]) => Number(a) - Number(b))
  for (const [key, node] of elements) {
    const index = Number(key)
    if (!INDEX.test(key))
      report.mistake(node.at, 'expected the number of an element of the list, from 0')
    else if (index > items.length)
      report.mistake(
        node.at,
        `there is no such element, the list has ${items.length}: the next one is ${items.length}`,
      )
    else items[index] = merge(items[index], node)
  }
  return list(items, base?.at ?? numbered.at)
}
