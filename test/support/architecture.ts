/**
 * The rules of the house as a function of the sources, so that a test can plant a violation. The rooms, their
 * order and their doors are read from the table in `docs/architecture.md`.
 */
import { dirname, join } from 'node:path'

/** A row of the table: a room may only import from rooms below it. */
export type Room = {
  readonly name: string
  /** Rooms it may import from, and those it may import only types from. */
  readonly opens: readonly string[]
  readonly types: readonly string[]
}

/** Packages and built-ins with exactly one owner (a room or a file). */
const OWNER: Record<string, string> = {
  'smol-toml': 'config/',
  'bun:sqlite': 'database/',
  'mysql2/promise': 'database/mysql.ts',
  'bun:ffi': 'servers/libc.ts',
}
const SHARED: Record<string, readonly string[]> = { elysia: ['servers/', 'api/'] }

/** Words with exactly one owner: using them elsewhere hides time, output or the end of the process. */
const WORDS: readonly [RegExp, readonly string[]][] = [
  [/\bDate\.now\b|\bnew Date\(\)/, ['time/clock.ts', 'dashboard/page/format.ts']],
  [/\bprocess\.exit\b/, ['main.ts']],
  [/\bprocess\.argv\b|\bBun\.argv\b/, ['main.ts']],
  [/\bconsole\.|\bprocess\.std(out|err)\b/, ['log/log.ts', 'main.ts', 'cli/', 'check/command.ts']],
]

/** The most that one room may hold of all lines. */
const LARGEST_SHARE = 0.15

const transpilers = {
  ts: new Bun.Transpiler({ loader: 'ts' }),
  tsx: new Bun.Transpiler({ loader: 'tsx' }),
}
const owns = (owner: string, file: string) =>
  owner.endsWith('/') ? file.startsWith(owner) : file === owner

/** The room of a path below `src/`: its folder, or its own name where it stands at the top. */
export const roomOf = (file: string): string => file.split('/')[0]!.replace(/\.ts$/, '')

/** Rows of the Markdown table whose first heading is `room`. */
export function readRooms(markdown: string): Room[] {
  const lines = markdown.split('\n')
  const from = lines.findIndex((line) => /^\|\s*room\s*\|/.test(line)) + 2
  const rows = lines.slice(from)
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map((line) => {
      const [name, , opens, types] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim())
      const names = (cell = '') => [...cell.matchAll(/`([a-z]+)`/g)].map(([, room]) => room!)
      return { name: names(name)[0]!, opens: names(opens), types: names(types) }
    })
}

type Import = { readonly path: string; readonly isType: boolean }

/** All that a source imports, types included; `path` is relative to `src/` or a package's name. */
function importsOf(file: string, text: string): Import[] {
  const transpiler = transpilers[file.endsWith('.tsx') ? 'tsx' : 'ts']
  const running = new Set(transpiler.scanImports(text).map(({ path }) => path))
  const code = text.replace(/^\s*(\/\/|\/?\*).*$/gm, '')
  const found = code.matchAll(/\bfrom\s+'([^']+)'|\bimport\(\s*'([^']+)'|^import\s+'([^']+)'/gm)
  return [...found].map(([, from, lazy, bare]) => {
    const written = (from ?? lazy ?? bare)!
    const path = written.startsWith('.') ? join(dirname(file), written) : written
    return { path, isType: !running.has(written) }
  })
}

/** Everything that breaks a rule, a line each. `sources`: text by path below `src/`. */
export function violations(
  sources: ReadonlyMap<string, string>,
  rooms: readonly Room[],
): readonly string[] {
  const wrong: string[] = []
  const place = new Map(rooms.map(({ name }, i) => [name, i]))
  const used = new Map<string, { run: Set<string>; types: Set<string> }>()
  const graph = new Map<string, string[]>()
  for (const [file, text] of sources) {
    const room = roomOf(file)
    if (!place.has(room)) wrong.push(`${file}: the table has no room ${room}`)
    const doors = used.get(room) ?? { run: new Set(), types: new Set() }
    used.set(room, doors)
    const imports = importsOf(file, text)
    graph.set(
      file,
      imports.flatMap(({ path }) => (sources.has(path) ? [path] : [])),
    )
    for (const { path, isType } of imports) {
      const isOurs = sources.has(path)
      if (!isOurs) {
        const owners = SHARED[path] ?? (OWNER[path] ? [OWNER[path]] : [file])
        if (!owners.some((owner) => owns(owner, file))) wrong.push(`${file}: imports ${path}`)
        continue
      }
      const other = roomOf(path)
      if (other === room) continue
      if (place.get(other)! <= place.get(room)!)
        wrong.push(`${file}: imports ${path}, which is above`)
      ;(isType ? doors.types : doors.run).add(other)
      const row = rooms[place.get(room)!]
      if (row === undefined) continue
      if (!row.opens.includes(other) && !(isType && row.types.includes(other)))
        wrong.push(`${file}: imports ${isType ? 'types of ' : ''}${path}; ${room} has no such door`)
    }
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    for (const [word, owners] of WORDS)
      if (!owners.some((owner) => owns(owner, file)) && word.test(code))
        wrong.push(`${file}: says ${code.match(word)![0]}`)
  }
  for (const { name, opens, types } of rooms) {
    const doors = used.get(name)
    if (doors === undefined) wrong.push(`${name}: there is no such room`)
    for (const other of opens)
      if (!doors?.run.has(other)) wrong.push(`${name}: never opens its door to ${other}`)
    for (const other of types)
      if (!doors?.types.has(other)) wrong.push(`${name}: uses no type of ${other}`)
  }
  wrong.push(...cyclesOf(graph), ...tooLarge(sources))
  return wrong
}

/** Files that import each other, in a ring of any length; each ring once. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const path: string[] = []
  const visit = (file: string): void => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      found.push(`cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`)
      return
    }
    state.set(file, 'open')
    path.push(file)
    for (const next of graph.get(file)!) visit(next)
    path.pop()
    state.set(file, 'done')
  }
  for (const file of graph.keys()) visit(file)
  return found
}

function tooLarge(sources: ReadonlyMap<string, string>): string[] {
  const lines = new Map<string, number>()
  let all = 0
  for (const [file, text] of sources) {
    const count = text.split('\n').length
    all += count
    lines.set(roomOf(file), (lines.get(roomOf(file)) ?? 0) + count)
  }
  return [...lines]
    .filter(([, count]) => count > all * LARGEST_SHARE)
    .map(([room, count]) => `${room}: holds ${Math.round((count / all) * 100)} % of all lines`)
}
