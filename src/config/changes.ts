/**
 * What is different in a configuration that was read again, and which of it a running tracker can follow: the
 * settings table says so. Secrets are masked.
 */
import { printAddress, type SocketAddress } from '../wire/address.ts'
import type { Config } from './model.ts'
import { printValue } from './print.ts'
import type { AnyValue, Entry, Table } from './setting-kinds.ts'
import { SETTINGS } from './settings.ts'
import { type Path, printPath } from './tree.ts'

export interface Changes {
  /** What was wanted, with the options that need a restart as they are now. */
  readonly config: Config
  /** One line each: an option that changes, its value before and after. */
  readonly live: readonly string[]
  readonly restart: readonly string[]
}

/** `isFixed`: which other options need a restart, by path. */
export function changesOf(
  now: Config,
  wanted: Config,
  isFixed: (path: string) => boolean = () => false,
): Changes {
  const config = follow(SETTINGS, now, wanted, [], isFixed) as Config
  return { config, live: linesOf(now, config), restart: linesOf(config, wanted) }
}

type Values = Readonly<Record<string, unknown>>

/** `wanted` as far as a running tracker can follow. */
function follow(
  entry: Entry,
  now: unknown,
  wanted: unknown,
  path: Path,
  isFixed: (path: string) => boolean,
): unknown {
  if ((entry.kind !== 'list' && entry.restart) || isFixed(printPath(path))) return now
  if (entry.kind !== 'table' || entry.others) return wanted
  if (now === null || wanted === null) return isLive(entry) ? wanted : now
  const rows = Object.entries(entry.rows).map(([key, row]) => {
    const followed = follow(
      row,
      (now as Values)[key],
      (wanted as Values)[key],
      [...path, key],
      isFixed,
    )
    return [key, followed] as const
  })
  return Object.fromEntries(rows)
}

/** Whether a running tracker follows when the table comes or goes: not if an option of it needs a restart. */
const isLive = ({ rows }: Table): boolean =>
  Object.values(rows).every((row) => row.kind === 'list' || !row.restart)

function linesOf(before: Config, after: Config): readonly string[] {
  const lines: string[] = []
  compare(SETTINGS, before, after, [], (path, text) => lines.push(`${printPath(path)}: ${text}`))
  return lines
}

type Say = (path: Path, text: string) => void

/** Says each difference; absent values are null or undefined. */
function compare(entry: Entry, before: unknown, after: unknown, path: Path, say: Say): void {
  const [old, fresh] = [before ?? null, after ?? null]
  if (entry.kind === 'list') {
    compareLists(entry.each, (old ?? []) as Listeners, (fresh ?? []) as Listeners, path, say)
  } else if (entry.kind === 'value') {
    if (!Bun.deepEquals(old, fresh)) say(path, `${shown(entry, old)} → ${shown(entry, fresh)}`)
  } else if (old === null || fresh === null) {
    if (old !== fresh) say(path, old === null ? 'added' : 'removed')
  } else {
    const [olds, freshs] = [old as Values, fresh as Values]
    for (const key of new Set([...Object.keys(olds), ...Object.keys(freshs)])) {
      const row = entry.others ?? entry.rows[key]
      if (row !== undefined) compare(row, olds[key], freshs[key], [...path, key], say)
    }
  }
}

const shown = (row: AnyValue, value: unknown): string =>
  value === null ? 'not set' : printValue(row, value)

type Listeners = readonly { readonly bind_address: SocketAddress }[]

/** Listeners are known by their address: their place in the list may change without any effect. */
function compareLists(each: Entry, old: Listeners, fresh: Listeners, path: Path, say: Say): void {
  const left = [...old]
  for (const [i, one] of fresh.entries()) {
    const address = printAddress(one.bind_address)
    const at = left.findIndex(({ bind_address }) => printAddress(bind_address) === address)
    if (at < 0) say(path, `added ${address}`)
    else compare(each, left.splice(at, 1)[0], one, [...path, i], say)
  }
  for (const { bind_address } of left) say(path, `removed ${printAddress(bind_address)}`)
}
