/**
 * Line and column of every key of a TOML text, for messages: the parser does not tell them. The text has been parsed
 * successfully, so its statements can be parsed one by one, and each says which keys it wrote.
 */
import { parse } from 'smol-toml'
import type { Path } from './tree.ts'

interface Position {
  /** Both count from 1; a column counts UTF-16 units. */
  readonly line: number
  readonly column: number
}

/** How the last line of a statement over several lines ends. */
const MAY_END = /["'\]}][ \t]*(#.*)?\r?$/
/** Each attempt parses all lines so far; after so many, no further position is looked for. */
const MOST_ATTEMPTS = 200

/** The key of a path in the result of `findPositions`. */
export const positionKey = (path: Path): string => JSON.stringify(path.map(String))

/** A header stands for its table, a key for its value and the elements of that. */
export function findPositions(toml: string): ReadonlyMap<string, Position> {
  const positions = new Map<string, Position>()
  const lines = toml.split('\n')
  /** Elements so far of each array of tables. */
  const lengths = new Map<string, number>()
  let within: Path = []

  for (let first = 0, end = 0; first < lines.length; first = end) {
    let values: object | undefined
    let text = ''
    for (let attempts = 0; values === undefined; ) {
      if (end === lines.length || attempts === MOST_ATTEMPTS) return positions
      const line = lines[end++]!
      text += `${line}\n`
      if (end - first > 1 && !MAY_END.test(line)) continue
      values = parsed(text)
      attempts++
    }
    // Where the latest place is, and where its line starts: most places follow it closely.
    let [line, lineStart] = [first, 0]
    const mark = (path: Path, at: number) => {
      const key = positionKey(path)
      if (positions.has(key)) return
      if (at < lineStart) [line, lineStart] = [first, 0]
      while (lineStart + lines[line]!.length < at) lineStart += lines[line++]!.length + 1
      positions.set(key, { line: line + 1, column: at - lineStart + 1 })
    }
    const start = text.search(/\S/)
    if (text[start] === '[') {
      within = []
      for (let value: unknown = values; ; ) {
        const [entry] = Object.entries(value as object)
        if (entry === undefined) break
        within = [...within, entry[0]]
        mark(within, start)
        const name = positionKey(within)
        const isElement = Array.isArray(entry[1])
        if (isElement) lengths.set(name, (lengths.get(name) ?? 0) + 1)
        const length = lengths.get(name)
        if (length !== undefined) {
          within = [...within, length - 1]
          mark(within, start)
        }
        value = isElement ? (entry[1] as unknown[])[0] : entry[1]
      }
    } else {
      let next = 0
      /** `home`: where the key of the value is. */
      const walk = (value: unknown, path: Path, home: number) => {
        if (typeof value !== 'object' || value === null || value instanceof Date) return
        for (const [name, inner] of Object.entries(value)) {
          const isKey = !Array.isArray(value)
          const key = isKey ? placeOf(name, text, next) : undefined
          const at = key ?? home
          if (key !== undefined) next = key + name.length
          const below = [...path, isKey ? name : Number(name)]
          mark(below, at)
          walk(inner, below, at)
        }
      }
      walk(values, within, start)
    }
  }
  return positions
}

function parsed(text: string): object | undefined {
  try {
    return parse(text, { integersAsBigInt: true })
  } catch {
    return undefined
  }
}

/** Where the key is written before its value or the next key, at `from` or later. */
function placeOf(name: string, text: string, from: number): number | undefined {
  const pattern = new RegExp(`(?<![\\w-])["']?${RegExp.escape(name)}["']?\\s*[.=]`, 'g')
  pattern.lastIndex = from
  return pattern.exec(text)?.index
}
