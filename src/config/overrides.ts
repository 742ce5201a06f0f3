/**
 * Override variables of the environment (docs/behaviours.md C5): names become paths, values are read by a
 * grammar of their own (value-grammar.ts), and the resulting tree is merged over that of the file.
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

/** Lists of tables, in either schema: only these have elements that a number addresses. */
const LISTS: ReadonlySet<string> = new Set(['udp_trackers', 'http_trackers'])
const INDEX = /^(0|[1-9]\d{0,3})$/

/** The path that a variable overrides; undefined: a segment is empty. `name` comes without the prefix. */
export function overridePath(name: string): string[] | undefined {
  const segments = name.replaceAll('__', '.').trim().toLowerCase().split('.')
  return segments.includes('') ? undefined : segments
}

/** Merges every override variable of the environment over `base`. */
export function applyOverrides(base: TableNode, env: Environment, report: Report): TableNode {
  // Elements of a list apply after variables for the whole list, whatever their order in the environment.
  let whole = EMPTY
  let elements = EMPTY
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.toUpperCase().startsWith(PREFIX)) continue
    const path = overridePath(name.slice(PREFIX.length))
    if (path === undefined) {
      report.warn({ source: name, path: '' }, 'ignored: a part of the name is empty')
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
    // Anything but a list there becomes a mistake when the value is read.
    if (numbered.kind === 'table' && (before === undefined || before.kind === 'list'))
      entries.set(name, mergeElements(before, numbered, report))
  }
  return table(entries, merged.at)
}

const EMPTY: TableNode = table(new Map(), { source: 'environment', path: '' })

/** A chain of tables with one key each, with `leaf` at its end. */
function treeOf(path: readonly string[], leaf: Node): TableNode {
  let node = leaf
  for (let depth = path.length - 1; depth >= 0; depth--) {
    const at: Place = { source: leaf.at.source, path: printPath(path.slice(0, depth)) }
    node = table(new Map([[path[depth]!, node]]), at)
  }
  return node as TableNode
}

/** Tables are merged key by key; anything else is replaced by `over`. */
function merge(base: Node | undefined, over: Node): Node {
  return base?.kind === 'table' && over.kind === 'table' ? mergeTables(base, over) : over
}

function mergeTables(base: TableNode, over: TableNode): TableNode {
  const entries = new Map(base.entries)
  for (const [key, node] of over.entries) entries.set(key, merge(entries.get(key), node))
  return table(entries, base.at)
}

/** Merges elements addressed by number over a list, in ascending order: the number after the last appends. */
function mergeElements(base: ListNode | undefined, numbered: TableNode, report: Report): ListNode {
  const items = [...(base?.items ?? [])]
  const elements = [...numbered.entries].sort(([a], [b]) => Number(a) - Number(b))
  for (const [key, node] of elements) {
    const index = Number(key)
    if (!INDEX.test(key))
      report.mistake(node.at, 'expected the number of a list element, counted from 0')
    else if (index > items.length)
      report.mistake(
        node.at,
        `no such element: the list has ${items.length}, so the next number is ${items.length}`,
      )
    else items[index] = merge(items[index], node)
  }
  return list(items, base?.at ?? numbered.at)
}
