/**
 * Reads a tree with the names of schema 3.0.0 into the model. The settings table checks every option; a key
 * without a row is reported. Values are never repaired.
 */
import { didYouMean } from '../text/nearest.ts'
import { foundKind } from './mistake.ts'
import type { Config } from './model.ts'
import { isOverride } from './overrides.ts'
import {
  type AnyValue,
  type Context,
  type Entry,
  type List,
  rowsOf,
  type Table,
} from './setting-kinds.ts'
import { SETTINGS } from './settings.ts'
import { DEFAULT, type Node, type Path, printPath, type TableNode } from './tree.ts'

/** The configuration that `tree` describes. It has placeholders where the report has mistakes. */
export function readConfig(tree: TableNode, context: Context): Config {
  // What the rows of SETTINGS read is a Config by definition.
  return readTable(SETTINGS, tree, [], context) as Config
}

function readEntry(entry: Entry, node: Node | undefined, path: Path, context: Context): unknown {
  if (entry.kind === 'value') return readValue(entry, node, path, context)
  if (entry.kind === 'list') return readList(entry, node, path, context)
  return readTable(entry, node, path, context)
}

function readValue(row: AnyValue, node: Node | undefined, path: Path, context: Context): unknown {
  const { report } = context
  const name = printPath(path)
  report.origins.set(name, node?.at ?? { source: DEFAULT, path: name })
  if (node === undefined) return row.initial
  const checked = row.check(node)
  if ('value' in checked) return checked.value
  report.mistake(node.at, checked.wrong)
  return row.initial
}

function readTable(table: Table, node: Node | undefined, path: Path, context: Context): unknown {
  const { report } = context
  // The value may be a secret of the table that it stands for.
  if (node && node.kind !== 'table') {
    const expected = table.short === undefined ? 'a table' : 'a string or a table'
    report.mistake(node.at, `expected ${expected}, ${foundKind(node)}`)
  }
  const entries = node?.kind === 'table' ? node.entries : undefined
  if (entries === undefined && table.optional) return null
  if (node) report.origins.set(printPath(path), node.at)

  const rows = rowsOf(table, entries?.keys() ?? [])
  for (const [key, stray] of entries ?? [])
    if (!Object.hasOwn(rows, key)) unknownKey(key, stray, table, context)
  const values = Object.fromEntries(
    Object.entries(rows).map(([key, entry]) => {
      const written = entries?.get(key)
      if (node && !written && entry.kind === 'value' && entry.needed)
        report.mistake({ ...node.at, path: `${node.at.path}.${key}` }, entry.needed)
      const value = readEntry(entry, written, [...path, key], context)
      const file = entries?.get(`${key}_file`)
      if (file && entry.kind === 'value' && entry.secret && !(written && isOverride(written.at)))
        report.origins.set(printPath([...path, key]), file.at)
      return [key, value]
    }),
  )
  return table.finish && node?.kind === 'table' ? table.finish(values, node, context) : values
}

function readList(list: List, node: Node | undefined, path: Path, context: Context): unknown {
  if (node === undefined || (node.kind === 'list' && node.items.length === 0)) return null
  if (node.kind === 'list')
    return node.items.map((item, i) => readTable(list.each, item, [...path, i], context))
  context.report.mistake(
    node.at,
    `expected a list of tables, in double brackets, ${foundKind(node)}`,
  )
  return null
}

/** Options that schema 2.0.0 has under other names or in other places, and what replaces them in 3.0.0. */
const REPLACED: Readonly<Record<string, string>> = {
  'logging.threshold': '`logging.trace_filter`',
  'core.net': '`network` of each listener',
  tsl_config: '`tls_config`',
  ipv6_v6only: '`network.ipv6_v6only`',
  max_connection_id_errors_per_ip: '`udp_tracker_server.max_connection_id_errors_per_ip`',
}

const OLD_NAMES = Object.keys(REPLACED).map((path) => path.split('.').at(-1)!)

function unknownKey(key: string, node: Node, { rows, short }: Table, context: Context): void {
  const { schema, report } = context
  const known = Object.keys(rows)
  // A misspelt scope must not be ignored: the token could do more than was meant.
  if (schema === '2.0.0' && short === undefined) {
    // Files of that schema contain stale keys, which the reference ignores.
    const names = [...known, ...OLD_NAMES.filter((name) => name !== key)]
    report.warn(node.at, `unknown option, ignored${didYouMean(key, names)}`)
    return
  }
  const replaced = [node.at.path, key].find((name) => Object.hasOwn(REPLACED, name))
  report.mistake(
    node.at,
    replaced === undefined
      ? `unknown option${didYouMean(key, known) || `, known options: ${known.join(', ')}`}`
      : `schema 3.0.0 has no such option, it has ${REPLACED[replaced]} instead`,
  )
}
