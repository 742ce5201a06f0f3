/**
 * `bun bench/swarm.ts`: the swarm alone, without sockets: memory and nanoseconds per announce as it
 * grows, and how long a sweep holds a lock while a million peers expire. Every size has a process
 * of its own, so that one does not measure the memory of another.
 */
import { readFileSync } from 'node:fs'
import { Announce, Answer, EVENT, PeerList } from '../src/bittorrent.ts'
import { LIMITS } from '../src/limits.ts'
import { createSwarmMemory, Swarm } from '../src/swarm/swarm.ts'
import { type ListenerRules, Tracker } from '../src/tracker.ts'

const CORE = '1'
const SIZES = [100_000, 1_000_000, 10_000_000]
const SWEPT_PEERS = 1_000_000
const PEERS_PER_TORRENT = 2
const MAX_BYTES = 4 * 1024 ** 3
const SEED = 1
const WANT = 30
const TIMEOUT_SECONDS = 900
/** Announces that are prepared together, then timed together. */
const BATCH = 10_000
const TIMED_BATCHES = 100
/** Announces that a UDP server reads together. */
const AHEAD = LIMITS.udpBatch
const RULES: ListenerRules = { externalIp: undefined }

/** A number from 0 to 2³²−1 that belongs to `value`. */
function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x21f0aaad)
  value = Math.imul(value ^ (value >>> 15), 0x735a2d97)
  return (value ^ (value >>> 15)) >>> 0
}

/** Who announces: every torrent has one peer, the rest gather in the popular ones (Zipf). */
class Population {
  readonly peers: number
  readonly #torrents: number
  /** Nine words for each announce of a batch: info hash, address, port, seeding, peer id. */
  readonly #prepared = new Int32Array(BATCH * 9)

  constructor(peers: number, torrents: number) {
    this.peers = peers
    this.#torrents = torrents
  }

  /** Prepares announces number `from` and on; each peer has its turn once in `peers` announces. */
  prepare(from: number, count: number): void {
    for (let i = 0; i < count; i++) {
      // A stride that shares no factor with the sizes, so the order is scattered and complete.
      const peer = ((from + i) * 7_368_787) % this.peers
      const torrent = this.#torrentOf(peer)
      const at = i * 9
      for (let word = 0; word < 5; word++)
        this.#prepared[at + word] = mix(torrent * 5 + word + SEED * 0x9e3779b1)
      this.#prepared[at + 5] = mix(peer)
      this.#prepared[at + 6] = 1024 + (peer % 64_000)
      this.#prepared[at + 7] = mix(peer + 1) % 4 === 0 ? 1 << 20 : 0
      this.#prepared[at + 8] = peer
    }
  }

  read(i: number, announce: Announce): void {
    const { words, endpointHalves } = announce
    const prepared = this.#prepared
    const at = i * 9
    for (let word = 0; word < 5; word++) words[word] = prepared[at + word]!
    words[5] = prepared[at + 8]!
    words[10] = prepared[at + 5]!
    endpointHalves[2] = prepared[at + 6]!
    announce.counts[5] = prepared[at + 7]!
  }

  readHash(i: number, words: Int32Array, at: number): void {
    for (let word = 0; word < 5; word++) words[at + word] = this.#prepared[i * 9 + word]!
  }

  #torrentOf(peer: number): number {
    if (peer < this.#torrents) return peer
    return Math.floor(this.#torrents ** (mix(peer + 2) / 2 ** 32))
  }
}

/** A tracker with an empty swarm and a clock that the benchmark sets. */
class Bench {
  seconds = 1_000_000_000
  readonly #announce = new Announce()
  readonly #expected = new Int32Array(AHEAD * 5)
  readonly #answer = new Answer(list(3), list(9), false)
  readonly swarm: Swarm
  readonly tracker: Tracker
  told = 0

  constructor() {
    this.swarm = new Swarm(createSwarmMemory(MAX_BYTES, SEED), 1, SEED)
    const policy = {
      interval: 120,
      intervalMin: 120,
      maxPeers: 74,
      peerTimeoutSeconds: TIMEOUT_SECONDS,
      retention: { removePeerless: true, keepCompleted: false },
    }
    const clock = { seconds: () => this.seconds, milliseconds: () => this.seconds * 1000 }
    this.tracker = new Tracker(this.swarm, policy, clock)
    this.#announce.want = WANT
  }

  /** Makes `count` prepared announces; `ahead`: a few at once are told of first, as over UDP. */
  run(population: Population, count: number, ahead = false): void {
    for (let i = 0; i < count; i++) {
      if (ahead && i % AHEAD === 0 && this.tracker.wantsNotice) {
        const few = Math.min(AHEAD, count - i)
        for (let n = 0; n < few; n++) population.readHash(i + n, this.#expected, n * 5)
        this.tracker.expect(this.#expected, few)
      }
      population.read(i, this.#announce)
      if (this.tracker.announce(this.#announce, RULES, this.#answer)) throw new Error('refused')
      this.told += this.#answer.peers4.count
    }
  }

  fill(population: Population): void {
    this.#announce.event = EVENT.started
    for (let from = 0; from < population.peers; from += BATCH) {
      const count = Math.min(BATCH, population.peers - from)
      population.prepare(from, count)
      this.run(population, count)
    }
    this.#announce.event = EVENT.none
    this.told = 0
  }
}

const list = (halves: number) => new PeerList(new Uint16Array(74 * halves))
const residentBytes = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096
const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b)

/** Milliseconds since its making: by the clock, and without the time other programs had the core. */
class Stopwatch {
  readonly #began = performance.now()
  readonly #usage = process.cpuUsage()
  read(): { wall: number; own: number } {
    const { user, system } = process.cpuUsage(this.#usage)
    const wall = performance.now() - this.#began
    return { wall, own: Math.min(wall, (user + system) / 1000) }
  }
}

type Line = Readonly<Record<string, number>>

/** Child process: one line of the table of announces. */
function announces(size: number): Line {
  const population = new Population(size, size / PEERS_PER_TORRENT)
  population.prepare(0, BATCH)
  Bun.gc(true)
  const before = residentBytes()
  const bench = new Bench()
  bench.fill(population)
  Bun.gc(true)
  const bytes = residentBytes() - before
  const median = (ahead: boolean) => {
    const times: number[] = []
    for (let batch = 0; batch < TIMED_BATCHES; batch++) {
      population.prepare(batch * BATCH, BATCH)
      const watch = new Stopwatch()
      bench.run(population, BATCH, ahead)
      times.push((watch.read().own * 1e6) / BATCH)
    }
    return sorted(times)[TIMED_BATCHES >> 1]!
  }
  const batched = median(true)
  bench.told = 0
  const single = median(false)
  const { torrents, seeders, leechers } = bench.swarm.totals()
  const peers = seeders + leechers
  return {
    peers,
    torrents,
    'ns/announce': single,
    'read ahead': batched,
    'bytes/peer': bytes / peers,
    'MB resident': bytes / 2 ** 20,
    'peers/answer': bench.told / (TIMED_BATCHES * BATCH),
  }
}

/** Child process: one line of the table of sweeps. */
function sweep(torrents: number): Line {
  const bench = new Bench()
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

function child(kind: string, size: number): Line {
  // On one core the engine's compiler threads would take turns with the sweep, and their turns would be
  // counted as lock holds.
  const pin = kind === 'sweep' ? [] : ['taskset', '-c', CORE]
  const command = [...pin, process.execPath, import.meta.path, kind, `${size}`]
  const { stdout, stderr, success } = Bun.spawnSync(command)
  if (!success) throw new Error(stderr.toString())
  return JSON.parse(stdout.toString())
}

function print(lines: readonly Line[]): void {
  const row = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`)
  const names = Object.keys(lines[0]!)
  row(names)
  row(names.map(() => '---:'))
  for (const line of lines) {
    row(names.map((name) => line[name]!.toFixed(/\bms\b/.test(name) ? 2 : 0)))
  }
}

function main(): void {
  const growth = SIZES.map((size) => child('announces', size))
  const share = (line: Line, column: string) => (line[column]! / growth[0]![column]!) * 100
  print(
    growth.map((line) => ({
      ...line,
      '% of smallest': share(line, 'ns/announce'),
      '% of smallest, read ahead': share(line, 'read ahead'),
    })),
  )
  console.log()
  print([SWEPT_PEERS / PEERS_PER_TORRENT, 1].map((torrents) => child('sweep', torrents)))
}

const [kind, size] = process.argv.slice(2)
if (kind === 'announces') console.log(JSON.stringify(announces(Number(size))))
else if (kind === 'sweep') console.log(JSON.stringify(sweep(Number(size))))
else main()
