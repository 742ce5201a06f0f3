/**
 * `bun bench/swarm.ts [announces] [sweeps] [access] [pages]`: the swarm alone, without sockets: memory and
 * nanoseconds per announce as it grows, how long a sweep holds a lock while a million peers expire, what
 * whitelist and keys cost, and what a page of the management API does. Each line has a process of its
 * own, so that one does not measure the memory of another.
 */

import { BATCH, Population } from './prepared-announces.ts'
import { type Line, printLines } from './results.ts'
import { hugeBytes, residentBytes, Stopwatch, sorted } from './stopwatch.ts'
import { ACCESS_KINDS, access } from './swarm-access.ts'
import { PAGES, pages } from './swarm-pages.ts'
import { TIMEOUT_SECONDS, TrackerAlone } from './tracker-alone.ts'

const CORE = '1'
const SIZES = [100_000, 1_000_000, 10_000_000, 30_000_000]
const SWEPT_PEERS = 1_000_000
const PEERS_PER_TORRENT = 2

/** Child process: one line of the table of announces. */
function announces(size: number): Line {
  const population = new Population(size, size / PEERS_PER_TORRENT)
  population.prepare(0, BATCH)
  Bun.gc(true)
  const before = residentBytes()
  const bench = new TrackerAlone()
  bench.fill(population)
  // Nothing expires, but where memory is full it becomes huge pages.
  for (const _ of bench.tracker.sweep());
  Bun.gc(true)
  const bytes = residentBytes() - before
  const huge = hugeBytes()
  const batched = bench.time(population, true)
  const single = bench.time(population, false)
  const { torrents, seeders, leechers } = bench.swarm.totals()
  const peers = seeders + leechers
  return {
    peers,
    torrents,
    'ns/announce': single,
    'read ahead': batched,
    'bytes/peer': bytes / peers,
    'MB resident': bytes / 2 ** 20,
    'in huge pages': huge / 2 ** 20,
    'peers/answer': bench.peersPerAnswer,
  }
}

/** Child process: one line of the table of sweeps. */
function sweep(torrents: number): Line {
  const bench = new TrackerAlone()
  bench.fill(new Population(SWEPT_PEERS, torrents))
  const { seeders, leechers } = bench.swarm.totals()
  bench.seconds += TIMEOUT_SECONDS + 1
  const wall: number[] = []
  const own: number[] = []
  let watch = new Stopwatch()
  for (const _ of bench.tracker.sweep()) {
    const held = watch.read()
    wall.push(held.wall)
    own.push(held.own)
    watch = new Stopwatch()
  }
  const left = bench.swarm.totals()
  if (left.seeders + left.leechers + left.torrents > 0) throw new Error('the sweep left something')
  return {
    'peers expired': seeders + leechers,
    torrents,
    'lock holds': own.length,
    'all ms': own.reduce((sum, hold) => sum + hold, 0),
    'median ms': sorted(own)[own.length >> 1]!,
    'longest ms': Math.max(...own),
    'longest ms by the clock': Math.max(...wall),
  }
}

const CHILDREN: Readonly<Record<string, (argument: string) => Line | Promise<Line>>> = {
  announces: (size) => announces(Number(size)),
  sweeps: (torrents) => sweep(Number(torrents)),
  access,
  pages,
}

function child(kind: string, argument: number | string): Line {
  // On one core the engine's compiler threads would take turns with the holder of a lock, and their turns
  // would be counted as lock holds.
  const pin = kind === 'sweeps' || kind === 'pages' ? [] : ['taskset', '-c', CORE]
  const command = [...pin, process.execPath, import.meta.path, 'child', kind, `${argument}`]
  const { stdout, stderr, success } = Bun.spawnSync(command)
  if (!success) throw new Error(stderr.toString())
  return JSON.parse(stdout.toString())
}

const TABLES: Readonly<Record<string, () => readonly Line[]>> = {
  announces() {
    const growth = SIZES.map((size) => child('announces', size))
    const share = (line: Line, column: string) =>
      (Number(line[column]) / Number(growth[0]![column])) * 100
    return growth.map((line) => ({
      ...line,
      '% of smallest': share(line, 'ns/announce'),
      '% of smallest, read ahead': share(line, 'read ahead'),
    }))
  },
  sweeps: () => [SWEPT_PEERS / PEERS_PER_TORRENT, 1].map((torrents) => child('sweeps', torrents)),
  access: () => ACCESS_KINDS.map((kind) => child('access', kind)),
  pages: () => PAGES.map((page) => child('pages', page)),
}

const words = process.argv.slice(2)
if (words[0] === 'child') console.log(JSON.stringify(await CHILDREN[words[1]!]!(words[2]!)))
else
  for (const name of words.length > 0 ? words : Object.keys(TABLES)) {
    const table = TABLES[name]
    if (!table)
      throw new Error(`no such table: ${name}; there are ${Object.keys(TABLES).join(', ')}`)
    printLines(table())
    console.log()
  }
