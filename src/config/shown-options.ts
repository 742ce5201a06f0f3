/** Every option of a configuration as people look it up: its value, where that comes from, and what a change needs. */
import type { Loaded } from './load.ts'
import { printValue } from './print.ts'
import { type Entry, rowsOf } from './setting-kinds.ts'
import { SETTINGS } from './settings.ts'
import { type Path, printPath } from './tree.ts'

export type ShownOption = {
  /** `http_trackers.0.bind_address` */
  readonly path: string
  /** As it would stand in a file; secrets are masked. null: it is not set. */
  readonly value: string | null
  /** As `Loaded.origin` says. */
  readonly origin: string
  /** Whether a running tracker follows a change, after a reload. */
  readonly live: boolean
}

export const shownOptions = ({
  config,
  origin,
}: Pick<Loaded, 'config' | 'origin'>): readonly ShownOption[] =>
  Array.from(walk(SETTINGS, config, [], true), (option) => ({
    ...option,
    origin: origin(option.path),
  }))

function* walk(
  entry: Entry,
  written: unknown,
  path: Path,
  live: boolean,
): Generator<Omit<ShownOption, 'origin'>> {
  if (entry.kind === 'list') {
    for (const [i, each] of ((written ?? []) as readonly unknown[]).entries())
      yield* walk(entry.each, each, [...path, i], live)
    return
  }
  const follows = live && !entry.restart
  if (entry.kind === 'value') {
    const value = written === null || written === undefined ? null : printValue(entry, written)
    yield { path: printPath(path), value, live: follows }
    return
  }
  if (written === null || written === undefined) return
  const values = written as Readonly<Record<string, unknown>>
  for (const [key, row] of Object.entries(rowsOf(entry, Object.keys(values))))
    if (row.kind !== 'value' || key in values)
      yield* walk(row, values[key], [...path, key], follows)
}
