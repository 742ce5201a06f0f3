/**
 * Prints a configuration as TOML of schema 3.0.0 and as the JSON of the start-up log (docs/behaviours.md C10,
 * C11), both by walking the settings table. Secrets are masked unless the text is for a file.
 */
import { loadBuiltIn } from './load.ts'
import type { Config } from './model.ts'
import type { AnyValue, Entry, List, Table, TextMap } from './setting-kinds.ts'
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

/** The pretty JSON of the start-up log: documented key order, absent options null, secrets masked. */
export const dump = (config: Config): string => JSON.stringify(plain(SETTINGS, config), null, 2)

function plain(entry: Entry, written: unknown): unknown {
  if (written === null || written === undefined) return null
  if (entry.kind === 'value') return entry.secret ? MASK : plainValue(entry, written)
  if (entry.kind === 'list') return (written as readonly unknown[]).map((e) => plain(entry.each, e))
  const values = Object.entries(written)
  return Object.fromEntries(
    values.map(([key, value]) => [
      key,
      plain(entry.kind === 'map' ? entry.each : entry.rows[key]!, value),
    ]),
  )
}

export function toToml(config: Config, style: TomlStyle = {}): string {
  // The names printed are those of 3.0.0, whatever schema was read.
  const metadata = { ...config.metadata, schema_version: '3.0.0' }
  return new Writer(style).document({ ...config, metadata })
}

/** The annotated file of `tracker init`: the built-in default with a token. */
export function exampleToml(token: string, hasIpv6: boolean): string {
  const { config } = loadBuiltIn(hasIpv6)
  const http_api = config.http_api && { ...config.http_api, access_tokens: { admin: token } }
  return (
    '# Configuration of the tracker. Every option is here; those that begin with `#` are not set.\n' +
    '# `tracker config check` and `tracker config print` show the effect of a change.\n\n' +
    toToml({ ...config, http_api }, { secrets: true, annotated: true })
  )
}

const WIDTH = 98

class Writer {
  readonly #style: TomlStyle
  readonly #lines: string[] = []

  constructor(style: TomlStyle) {
    this.#style = style
  }

  document(config: Values): string {
    // An empty list has no section of its own, so it must stand before the first section.
    for (const [key, entry] of Object.entries(SETTINGS.rows))
      if (entry.kind === 'list' && (config[key] as readonly unknown[] | null)?.length === 0)
        this.#lines.push(`${key} = []${this.#note([key])}`)
    this.#body(SETTINGS, config, [], '')
    const text = this.#lines
      .join('\n')
      .replace(/\n{3,}/g, '\n\n')
      .trim()
    return `${text}\n`
  }

  /** Options come before sections: in TOML everything after a section's header belongs to that section. */
  #body(table: Table, values: Values, path: Path, comment: string): void {
    const rows = Object.entries(table.rows)
    for (const [key, row] of rows)
      if (row.kind === 'value') this.#option(row, key, values[key], path, comment)
    for (const [key, row] of rows) {
      if ('rows' in row) this.#section(row, values[key], [...path, key], comment)
      else if (row.kind === 'list') this.#list(row, values[key], [...path, key], comment)
      else if (row.kind === 'map') this.#map(row, values[key], [...path, key], comment)
    }
  }

  #option(row: AnyValue, key: string, written: unknown, path: Path, comment: string): void {
    const isAbsent = written === null || written === undefined
    if (comment || isAbsent) {
      const shown = isAbsent || row.example ? row.example : tomlValue(plainValue(row, written))
      if (!this.#style.annotated || shown === undefined) return
      this.#doc(row.doc, comment)
      this.#lines.push(`# ${tomlKey(key)} = ${shown}`)
      return
    }
    if (this.#style.annotated) this.#doc(row.doc, comment)
    const shown =
      row.secret && !this.#style.secrets ? tomlString(MASK) : tomlValue(plainValue(row, written))
    this.#lines.push(`${tomlKey(key)} = ${shown}${this.#note([...path, key])}`)
  }

  #section(table: Table, written: unknown, path: Path, comment: string): void {
    const isAbsent = written === null || written === undefined
    if (isAbsent && !this.#style.annotated) return
    const mark = comment || (isAbsent ? '# ' : '')
    this.#header(`[${header(path)}]`, table.doc, mark)
    this.#body(table, isAbsent ? initial(table) : (written as Values), path, mark)
  }

  #list(list: List, written: unknown, path: Path, comment: string): void {
    const elements = (written ?? []) as readonly Values[]
    elements.forEach((element, i) => {
      this.#header(`[[${header(path)}]]`, i === 0 ? list.each.doc : '', comment)
      this.#body(list.each, element, [...path, i], comment)
    })
  }

  #map(map: TextMap, written: unknown, path: Path, comment: string): void {
    const values = Object.entries((written ?? {}) as Values)
    if (values.length === 0 && !this.#style.annotated) return
    this.#header(`[${header(path)}]`, map.doc, comment)
    for (const [key, value] of values) this.#option(map.each, key, value, path, comment)
    if (values.length === 0) this.#lines.push(`# ${map.each.example}`)
  }

  #header(header: string, doc: string, comment: string): void {
    this.#lines.push('')
    if (this.#style.annotated) this.#doc(doc, '')
    this.#lines.push(comment + header)
  }

  #doc(doc: string, comment: string): void {
    if (doc === '') return
    // In a section that is commented out as a whole, documentation is indented.
    const start = comment ? '#   ' : '# '
    let line = ''
    for (const word of doc.split(' ')) {
      if (line && start.length + line.length + word.length >= WIDTH) {
        this.#lines.push(start + line)
        line = ''
      }
      line += line ? ` ${word}` : word
    }
    this.#lines.push(start + line)
  }

  #note(path: Path): string {
    const note = this.#style.note?.(printPath(path))
    return note === undefined ? '' : `  # ${note}`
  }
}

const header = (path: Path): string =>
  path
    .filter((segment) => typeof segment === 'string')
    .map(tomlKey)
    .join('.')

/** The defaults of an optional table, for its example. */
const initial = (table: Table): Values =>
  Object.fromEntries(
    Object.entries(table.rows).map(([key, row]) => [
      key,
      row.kind === 'value' ? row.initial : null,
    ]),
  )

const plainValue = (row: AnyValue, written: unknown): unknown =>
  row.plain ? row.plain(written) : written

/** A plain value as TOML: a string, number, boolean or a table of these. */
const tomlValue = (value: unknown): string => {
  if (typeof value === 'string') return tomlString(value)
  if (typeof value !== 'object' || value === null) return String(value)
  const pairs = Object.entries(value).map(([key, part]) => `${key} = ${tomlValue(part)}`)
  return `{ ${pairs.join(', ')} }`
}
