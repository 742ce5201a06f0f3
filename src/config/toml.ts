/**
 * Parses TOML text into a tree that knows where everything was written. The only file that uses the parser. A
 * syntax error becomes a mistake that shows its line, unless the line may contain a secret.
 */
import { parse, TomlError, type TomlTable, type TomlValue } from 'smol-toml'
import type { Mistake } from './mistake.ts'
import { findPositions, positionKey } from './positions.ts'
import {
  list,
  type Node,
  type Path,
  type Place,
  printPath,
  scalar,
  type TableNode,
  table,
} from './tree.ts'

export interface TomlSource {
  /** Its name in messages. */
  readonly name: string
  readonly text: string
  /** Whether a message may show a line of it. */
  readonly quotable: boolean
}

/** More levels than any option has. */
const DEEPEST = 64
/** Characters of the line that a message shows. */
const LONGEST_EXCERPT = 160

export function parseToml({ name, text, quotable }: TomlSource): TableNode | Mistake {
  // Some editors write a byte order mark.
  const toml = text.replace(/^\uFEFF/, '')
  let values: TomlTable
  try {
    // Integers as bigint: TOML's `1` and `1.0` must stay different types.
    values = parse(toml, { integersAsBigInt: true, maxDepth: DEEPEST })
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    return syntaxMistake(error, { name, text: toml, quotable })
  }
  const positions = findPositions(toml)

  const nodeOf = (value: TomlValue, path: Path): Node => {
    const at: Place = { source: name, path: printPath(path), ...positions.get(positionKey(path)) }
    if (Array.isArray(value)) {
      const items = value.map((item, i) => nodeOf(item, [...path, i]))
      return list(items, at)
    }
    if (typeof value !== 'object' || value instanceof Date) return scalar(value, at)
    const entries = Object.entries(value).map(
      ([key, inner]) => [key, nodeOf(inner, [...path, key])] as const,
    )
    return table(new Map(entries), at)
  }
  // A document is a table.
  return nodeOf(values, []) as TableNode
}

/** An option whose value is a bare word or address: `info`, `0.0.0.0:6969`. */
const UNQUOTED = /=\s*[\w.:/[\]-]+\s*(#.*)?$/

function syntaxMistake(error: TomlError, source: TomlSource): Mistake {
  const format = otherFormat(source)
  if (format !== undefined) {
    const message =
      `this is ${format}; the configuration is TOML: sections like \`[core]\`, options like ` +
      '`private = false`. `tracker init` writes an example'
    return { path: '', source: source.name, message }
  }
  const { line, column } = error
  const reason = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')
  const lines = source.text.split(/\r?\n/)
  const text = lines[line - 1]
  const remedy = UNQUOTED.test(text ?? '') ? ': text needs quotes, as in `"info"`' : ''
  const message = `TOML: ${reason}${remedy}`
  const mistake = { path: '', source: source.name, line, column, message }
  if (!source.quotable || text === undefined || mayBeSecret(lines, line - 1)) return mistake
  const margin = ' '.repeat(String(line).length)
  // Control characters would move the caret, or the terminal.
  const from = Math.max(0, column - LONGEST_EXCERPT / 2)
  const shown = text.slice(from, from + LONGEST_EXCERPT).replace(/[^\P{C}]/gu, ' ')
  const caret = ' '.repeat(Math.max(0, column - 1 - from))
  return { ...mistake, excerpt: `  ${line} | ${shown}\n  ${margin} | ${caret}^` }
}

/** Which format a text that is not TOML has. undefined: it is TOML with a mistake. */
function otherFormat({ name, text }: TomlSource): 'JSON' | 'YAML' | undefined {
  if (text.trimStart().startsWith('{') || name.endsWith('.json')) return 'JSON'
  if (/\.ya?ml$/.test(name)) return 'YAML'
  try {
    // Almost any text is YAML: only a mapping can be meant as a configuration.
    const keys = Object.keys(Bun.YAML.parse(text) as object)
    return keys.length > 0 && keys.every((key) => /^[a-z][\w-]*$/i.test(key)) ? 'YAML' : undefined
  } catch {
    return undefined
  }
}

/** Whether a line may contain an access token or a database password. */
function mayBeSecret(lines: readonly string[], at: number): boolean {
  if (/token|password|secret|:\/\//i.test(lines[at]!)) return true
  // Below the header of the tokens' table, or inside an inline table of tokens that begins above.
  const header = lines.slice(0, at + 1).findLast((line) => /^\s*\[/.test(line))
  return /token/i.test(header ?? '') || /token[^\n]*[{[]\s*$/i.test(lines.slice(0, at).join('\n'))
}
