/**
 * Prints a configuration as TOML of schema 3.0.0 and as the JSON of the start-up log (docs/behaviours.md C10,
 * C11), both by walking the settings table. Secrets are masked unless the text is for a file.
 */
import { loadBuiltIn } from './load.ts'
import type { Config } from './model.ts'
import { type AnyValue, type Entry, rowsOf, type Table } from './setting-kinds.ts'
import { SETTINGS } from './settings.ts'
import { type Path, printPath, tomlKey, tomlString } from './tree.ts'

const MASK = '***'

interface TomlStyle {
  /** Do not mask secrets: only for a file that is to be loaded again. */
  readonly secrets?: boolean
  /** Write documentation above every option and section, and absent options as comments. */
  readonly annotated?: boolean
  /** The comment after an option, by its path. */
  readonly note?: (path: string) => string
}

type Values = Readonly<Record<string, unknown>>

/** Whether an option is a secret that was read from a file: the file is named instead. */
const isInFile = (key: string, values: object): boolean => `${key}_file` in values

/** The pretty JSON of the start-up log: documented key order, absent options null, secrets masked. */
export const dump = (config: Config): string =>
  JSON.stringify(plain(SETTINGS, config, MASKED), null, 2)

/** How the value of an option is shown: as a string, number, boolean or table of these. */
type Show = (row: AnyValue, value: unknown) => unknown
const OPEN: Show = (row, value) => (row.plain ? row.plain(value) : value)
const MASKED: Show = (row, value) => (row.secret ? MASK : OPEN(row, value))

function plain(entry: Entry, written: unknown, show: Show): unknown {
  if (written === null || written === undefined) return null
  if (entry.kind === 'value') return show(entry, written)
  if (entry.kind === 'list')
    return (written as readonly unknown[]).map((each) => plain(entry.each, each, show))
  const rows = rowsOf(entry, Object.keys(written))
  const members = Object.entries(written)
    .filter(([key]) => !isInFile(key, written))
    .map(([key, value]) => [key, plain(rows[key]!, value, show)] as const)
  if (entry.short === undefined) return Object.fromEntries(members)
  const said = members.filter(([key, value]) => value !== initial(entry)[key])
  return said.length === 1 && said[0]![0] === entry.short ? said[0]![1] : Object.fromEntries(said)
}

export function toToml(config: Config, style: TomlStyle = {}): string {
  // The names printed are those of 3.0.0, whatever schema was read.
  const metadata = { ...config.metadata, schema_version: '3.0.0' }
  const writer = new Writer(style)
  writer.rows(SETTINGS, { ...config, metadata }, [], '')
  return `${writer.lines.join('\n').trim()}\n`
}

/** The annotated file of `tracker init`: the built-in default with a token. */
export function exampleToml(token: string, hasIpv6: boolean): string {
  const { config } = loadBuiltIn(hasIpv6)
  const http_api = config.http_api && {
    ...config.http_api,
    access_tokens: { admin: { token, scope: 'all' as const } },
  }
  return (
    '# Configuration of the tracker. Every option is here; those that begin with `#` are not set.\n' +
    '# `tracker config check` and `tracker config print` show the effect of a change.\n\n' +
    toToml({ ...config, http_api }, { secrets: true, annotated: true })
  )
}

const WIDTH = 98

class Writer {
  readonly #style: TomlStyle
  readonly #show: Show
  readonly lines: string[] = []

  constructor(style: TomlStyle) {
    this.#style = style
    this.#show = style.secrets ? OPEN : MASKED
  }

  /** `mark` begins the lines of a section that is commented out as a whole. */
  rows(table: Table, values: Values, path: Path, mark: string): void {
    // Options come before sections: in TOML everything after a section's header belongs to that section.
    const rows = Object.entries(rowsOf(table, Object.keys(values)))
    for (const [key, row] of rows)
      if (row.kind === 'value') {
        const written = isInFile(key, values) ? null : (values[key] ?? null)
        this.#option(row, written, [...path, key], mark)
      }
    for (const [key, row] of rows) {
      const [written, at] = [values[key] ?? null, [...path, key]]
      if (row.kind === 'table' && row.short !== undefined)
        this.#line(at, tomlValue(plain(row, written, this.#show)), [...at, row.short])
      else if (row.kind === 'table') this.#section(row, written as Values | null, at, mark)
      if (row.kind !== 'list') continue
      const elements = (written ?? []) as readonly Values[]
      for (const [i, element] of elements.entries()) {
        this.#header(`[[${headerOf(at)}]]`, i === 0 ? row.each.doc : '', mark)
        this.rows(row.each, element, [...at, i], mark)
      }
      if (elements.length > 0 || !this.#style.annotated) continue
      this.#header(`[[${headerOf(at)}]]`, row.each.doc, '# ')
      this.rows(row.each, initial(row.each), [...at, 0], '# ')
    }
  }

  #option(row: AnyValue, written: unknown, path: Path, mark: string): void {
    const isComment = mark !== '' || written === null
    const shown =
      written === null || (isComment && row.example)
        ? row.example
        : tomlValue(this.#show(row, written))
    if (shown === undefined || (isComment && !this.#style.annotated)) return
    this.#doc(row.doc, mark)
    if (isComment) this.lines.push(`# ${lineOf(path, shown)}`)
    else this.#line(path, shown)
  }

  /** `noted`: the option whose note it has. */
  #line(path: Path, shown: string, noted = path): void {
    const note = this.#style.note?.(printPath(noted))
    this.lines.push(lineOf(path, shown) + (note === undefined ? '' : `  # ${note}`))
  }

  #section(table: Table, written: Values | null, path: Path, mark: string): void {
    const isEmpty = written === null || Object.keys(written).length === 0
    if (isEmpty && !this.#style.annotated) return
    const ownMark = written === null ? '# ' : mark
    this.#header(`[${headerOf(path)}]`, table.doc, ownMark)
    this.rows(table, written ?? initial(table), path, ownMark)
    if (isEmpty && table.example) this.lines.push(`# ${table.example}`)
  }

  #header(header: string, doc: string, mark: string): void {
    this.lines.push('')
    this.#doc(doc, '')
    this.lines.push(mark + header)
  }

  #doc(doc: string, mark: string): void {
    if (doc === '' || !this.#style.annotated) return
    // In a section that is commented out as a whole, documentation is indented.
    const start = mark ? '#   ' : '# '
    const width = WIDTH - start.length
    const lines = doc.match(new RegExp(`.{1,${width}}(?= |$)`, 'g')) ?? []
    this.lines.push(...lines.map((line) => start + line.trim()))
  }
}

const lineOf = (path: Path, shown: string): string => `${tomlKey(String(path.at(-1)))} = ${shown}`

/** The value of an option in one line, as in a file, masked if it is a secret. */
export const printValue = (row: AnyValue, written: unknown): string =>
  tomlValue(MASKED(row, written))

const headerOf = (path: Path): string =>
  path
    .filter((segment) => typeof segment === 'string')
    .map(tomlKey)
    .join('.')

/** The defaults of the options of a table. */
const initial = (table: Table): Values =>
  Object.fromEntries(
    Object.entries(table.rows).map(([key, row]) => [
      key,
      row.kind === 'value' ? row.initial : null,
    ]),
  )

/** A plain value as TOML: a string, number, boolean, or a list or table of these. */
const tomlValue = (value: unknown): string => {
  if (typeof value === 'string') return tomlString(value)
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`
  const pairs = Object.entries(value).map(([key, part]) => `${key} = ${tomlValue(part)}`)
  return `{ ${pairs.join(', ')} }`
}
