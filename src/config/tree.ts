/**
 * A configuration as it was written, unchecked: scalars, lists and tables, each with the place it came from;
 * and how TOML spells keys and strings. Tables are `Map`s, so `__proto__` is a key like any other.
 */

/** Where a value was written. */
export interface Place {
  /** A file, an environment variable, or `DEFAULT`. */
  readonly source: string
  /** The option's path as it was written, which in schema 2.0.0 may differ from the model's; empty: the whole source. */
  readonly path: string
  readonly line?: number
  readonly column?: number
}

/** `Place.source` of a default value. */
export const DEFAULT = 'default'

/** TOML integers are `bigint`, TOML floats are `number`; no option takes a date. */
export type Scalar = string | boolean | bigint | number | Date

interface ScalarNode {
  readonly kind: 'scalar'
  readonly at: Place
  readonly value: Scalar
}
interface ListNode {
  readonly kind: 'list'
  readonly at: Place
  readonly items: readonly Node[]
}
export interface TableNode {
  readonly kind: 'table'
  readonly at: Place
  readonly entries: ReadonlyMap<string, Node>
}
export type Node = ScalarNode | ListNode | TableNode

export const scalar = (value: Scalar, at: Place): ScalarNode => ({ kind: 'scalar', at, value })
export const list = (items: readonly Node[], at: Place): ListNode => ({ kind: 'list', at, items })
export const table = (entries: ReadonlyMap<string, Node>, at: Place): TableNode => ({
  kind: 'table',
  at,
  entries,
})

/** Tables are merged key by key; anything else is replaced by `over`. */
export function merge(base: Node | undefined, over: Node): Node {
  if (base?.kind !== 'table' || over.kind !== 'table') return over
  const entries = new Map(base.entries)
  for (const [key, node] of over.entries) entries.set(key, merge(entries.get(key), node))
  return table(entries, base.at)
}

export type Path = readonly (string | number)[]

const isBareKey = (key: string): boolean => /^[A-Za-z0-9_-]+$/.test(key)

/** A basic string. JSON's escapes are valid in TOML, which wants DEL escaped as well. */
export const tomlString = (text: string): string =>
  JSON.stringify(text.toWellFormed()).replaceAll('\x7f', '\\u007f')

export const tomlKey = (key: string): string => (isBareKey(key) ? key : tomlString(key))

/** `core.private`, `udp_trackers.0.bind_address`; segments that are not bare keys are quoted. */
export const printPath = (segments: Path): string =>
  segments.map((s) => (isBareKey(String(s)) ? s : JSON.stringify(String(s)))).join('.')

/** The node at a path of table keys. */
export function nodeAt(node: Node | undefined, ...keys: readonly string[]): Node | undefined {
  for (const key of keys) {
    if (node?.kind !== 'table') return undefined
    node = node.entries.get(key)
  }
  return node
}
