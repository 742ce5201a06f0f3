/** What it costs to ask whitelist and keys before each announce, and what their entries take. */
import { createAccessMemory } from '../src/access/access.ts'
import type { Entries, Table } from '../src/memory/table.ts'
import { Population, SEED, writeHash, writeKey } from './prepared-announces.ts'
import type { Line } from './results.ts'
import { residentBytes } from './stopwatch.ts'
import { TrackerAlone } from './tracker-alone.ts'

export const ACCESS_KINDS = ['public', 'listed', 'private', 'both'] as const

/** As many as there are torrents: each announce asks for one of a million. */
const WHITELIST = 1_000_000
const KEYS = 100_000
const PEERS = 2_000_000

/** Child process: one line of the table. */
export function access(kind: string): Line {
  const listed = kind === 'listed' || kind === 'both'
  const isPrivate = kind === 'private' || kind === 'both'
  const rules = { listed, private: isPrivate, checksExpiration: true, seed: Int32Array.of(SEED) }
  const bench = new TrackerAlone(createAccessMemory(rules))
  const tables = bench.access
  const perHash = tables?.whitelist ? fill(tables.whitelist, hashes(), WHITELIST) : 0
  const perKey = tables?.keys ? fill(tables.keys, keys(bench.seconds), KEYS) : 0
  const population = new Population(PEERS, WHITELIST, isPrivate ? KEYS : 0)
  bench.fill(population)
  return {
    access: kind,
    'ns/announce': bench.time(population, false),
    'read ahead': bench.time(population, true),
    'bytes/whitelist entry': perHash,
    'bytes/key': perKey,
  }
}

/** Bytes that an entry makes resident. */
function fill(table: Table, entries: Entries, count: number): number {
  Bun.gc(true)
  const before = residentBytes()
  for (const _ of table.putAll(entries));
  Bun.gc(true)
  if (table.size !== count) throw new Error(`${table.size} of ${count} entries are there`)
  return (residentBytes() - before) / count
}

function hashes(): Entries {
  const words = new Int32Array(WHITELIST * 5)
  for (let torrent = 0; torrent < WHITELIST; torrent++) writeHash(torrent, words, torrent * 5)
  return { words, values: new Int32Array() }
}

/** Half of them good for ever, half of them for longer than this takes. */
function keys(seconds: number): Entries {
  const words = new Int32Array(KEYS * 8)
  const milliseconds = new Float64Array(KEYS)
  for (let number = 0; number < KEYS; number++) {
    writeKey(number, words, number * 8)
    milliseconds[number] = number % 2 === 0 ? Infinity : (seconds + 3600) * 1000
  }
  return { words, values: new Int32Array(milliseconds.buffer) }
}
