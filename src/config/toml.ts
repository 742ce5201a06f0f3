/**
 * Parses TOML text into a tree that knows where everything was written. The only file that uses the parser. A
 * syntax error becomes a mistake that shows its line, unless the line may contain a secret.
 */
import { type AST, ParseError, parseTOML } from 'toml-eslint-parser'
import type { Mistake } from './mistake.ts'
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

export function parseToml(source: TomlSource): TableNode | Mistake {
  try {
    // Some editors write a byte order mark, which TOML does not allow.
    const text = source.text.replace(/^\uFEFF/, '')
    return new TreeBuilder(source.name).document(parseTOML(text))
  } catch (error) {
    if (error instanceof ParseError) return syntaxMistake(error, source)
    throw error
  }
}

/** A table may be written in several places, so tables and lists are filled while the text is read. */
class TreeBuilder {
  readonly #source: string
  /** Both by path. The parser refuses a text in which a path is a table here and something else there. */
  readonly #tables = new Map<string, Map<string, Node>>([['', new Map()]])
  readonly #lists = new Map<string, Node[]>()

  constructor(source: string) {
    this.#source = source
  }

  document({ body: [root] }: AST.TOMLProgram): TableNode {
    for (const part of root.body)
      if (part.type === 'TOMLKeyValue') this.#pair(part, [])
      else {
        for (let length = 1; length <= part.resolvedKey.length; length++)
          this.#enter(part.resolvedKey, length, part)
        for (const pair of part.body) this.#pair(pair, part.resolvedKey)
      }
    return table(this.#tables.get('')!, { source: this.#source, path: '' })
  }

  #pair({ key, value }: AST.TOMLKeyValue, within: Path): void {
    const path = [...within, ...key.keys.map((k) => (k.type === 'TOMLBare' ? k.name : k.value))]
    key.keys.slice(0, -1).forEach((k, i) => {
      this.#enter(path, within.length + i + 1, k)
    })
    this.#put(path, this.#node(value, path, key.keys.at(-1)!))
  }

  /** Makes the table or list at the beginning of `path` unless it is there. */
  #enter(path: Path, length: number, written: AST.HasLocs): void {
    const before = path.slice(0, length)
    const name = printPath(before)
    if (this.#tables.has(name) || this.#lists.has(name)) return
    const at = this.#place(before, written)
    if (typeof path[length] === 'number') {
      const items: Node[] = []
      this.#lists.set(name, items)
      this.#put(before, list(items, at))
    } else this.#put(before, this.#table(name, at))
  }

  #table(name: string, at: Place): TableNode {
    const entries = new Map<string, Node>()
    this.#tables.set(name, entries)
    return table(entries, at)
  }

  #put(path: Path, node: Node): void {
    const parent = printPath(path.slice(0, -1))
    this.#tables.get(parent)?.set(String(path.at(-1)), node)
    this.#lists.get(parent)?.push(node)
  }

  #node(value: AST.TOMLContentNode, path: Path, written: AST.HasLocs): Node {
    const at = this.#place(path, written)
    switch (value.type) {
      case 'TOMLArray':
        return list(
          value.elements.map((element, i) => this.#node(element, [...path, i], element)),
          at,
        )
      case 'TOMLInlineTable': {
        const node = this.#table(at.path, at)
        for (const pair of value.body) this.#pair(pair, path)
        return node
      }
      case 'TOMLValue':
        // TOML's `1` and `1.0` must stay different types.
        return scalar(value.kind === 'integer' ? value.bigint : value.value, at)
    }
  }

  #place(path: Path, { loc }: AST.HasLocs): Place {
    const { line, column } = loc.start
    return { source: this.#source, path: printPath(path), line, column: column + 1 }
  }
}

function syntaxMistake(error: ParseError, source: TomlSource): Mistake {
  const format = otherFormat(source)
  if (format !== undefined) {
    const message =
      `this is ${format}; the configuration is TOML: sections like \`[core]\`, options like ` +
      '`private = false`. `tracker init` writes an example'
    return { path: '', source: source.name, message }
  }
  const lines = source.text.split(/\r?\n/)
  let line = error.lineNumber
  let column = error.column + 1
  let words = `${error.message[0]!.toLowerCase()}${error.message.slice(1)}`
  // What a line lacks is noticed on the next.
  const before = lines[line - 2] ?? ''
  if (column === 1 && /^\s*([\w."'-]+\s*=\s*|\[[^\]]*)$/.test(before)) {
    line--
    column = before.length + 1
    words = before.includes('=') ? 'a value is missing' : 'a bracket is missing'
  }
  const text = lines[line - 1]
  const mistake = { path: '', source: source.name, line, column, message: `TOML: ${words}` }
  if (!source.quotable || text === undefined || mayBeSecret(lines, line - 1)) return mistake
  const margin = ' '.repeat(String(line).length)
  // Control characters would move the caret, or the terminal.
  const shown = text.replace(/[^\P{C}]/gu, ' ')
  return {
    ...mistake,
    excerpt: `  ${line} | ${shown}\n  ${margin} | ${' '.repeat(Math.max(0, column - 1))}^`,
  }
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
