/** A tracker with an empty swarm, no sockets, and a clock that the benchmark sets. */
import { Access, type AccessMemory } from '../src/access/access.ts'
import { Bans } from '../src/access/bans.ts'
import { Visitor } from '../src/access/gate.ts'
import { Announce, Answer, EVENT, Expected, PeerList } from '../src/bittorrent.ts'
import { LIMITS } from '../src/limits.ts'
import { Rules } from '../src/rules.ts'
import { pageRelease, pageSettle } from '../src/servers/pages.ts'
import { createSwarmMemory, Swarm } from '../src/swarm/swarm.ts'
import { type ListenerRules, Tracker } from '../src/tracker.ts'
import { BATCH, type Population, SEED } from './prepared-announces.ts'
import { Stopwatch, sorted } from './stopwatch.ts'

export const TIMEOUT_SECONDS = 900
const MAX_BYTES = 12 * 1024 ** 3
const WANT = 30
const TIMED_BATCHES = 100
/** Announces that a UDP server reads in one batch. */
const AHEAD = LIMITS.udpBatch
const RULES: ListenerRules = { externalIp: undefined }

export class TrackerAlone {
  seconds = 1_000_000_000
  readonly #announce = new Announce()
  readonly #visitor = new Visitor('valid')
  readonly #expected = new Expected(AHEAD)
  readonly #peers = new PeerList(4, new Uint16Array(74 * 3))
  readonly #answer = new Answer([this.#peers])
  readonly swarm: Swarm
  readonly tracker: Tracker
  /** undefined: a public tracker without a whitelist. */
  readonly access: Access | undefined
  /** Peers in all answers. */
  returned = 0

  constructor(access?: AccessMemory) {
    const memory = createSwarmMemory(MAX_BYTES, Int32Array.of(SEED))
    // A tracker leaves huge pages to the system, which takes minutes.
    this.swarm = new Swarm(memory, 1, SEED, {
      release: pageRelease(),
      settle: pageSettle(true),
    })
    this.access = access && new Access(access, false)
    const rules = Rules.of({
      interval: 120,
      intervalMin: 120,
      maxPeers: 74,
      peerTimeoutSeconds: TIMEOUT_SECONDS,
      webPeerTimeoutSeconds: TIMEOUT_SECONDS,
      removePeerless: true,
      schema: '3.0.0',
      idErrors: 'suppress',
      banLimit: 10,
    })
    const clock = { seconds: () => this.seconds, milliseconds: () => this.seconds * 1000 }
    const bans = new Bans(rules, Int32Array.of(SEED))
    this.tracker = new Tracker({ swarm: this.swarm, rules, clock, bans, access: this.access })
    if (this.tracker.isPrivate) this.#visitor.shows = 'key'
    this.#announce.want = WANT
  }

  fill(population: Population): void {
    this.#announce.event = EVENT.started
    for (let from = 0; from < population.peers; from += BATCH) {
      const count = Math.min(BATCH, population.peers - from)
      population.prepare(from, count)
      this.#run(population, count, false)
    }
    this.#announce.event = EVENT.none
    this.returned = 0
  }

  /** Median nanoseconds per announce. `ahead`: the tracker reads ahead for a batch of them, as over UDP. */
  time(population: Population, ahead: boolean): number {
    const times: number[] = []
    this.returned = 0
    for (let batch = 0; batch < TIMED_BATCHES; batch++) {
      population.prepare(batch * BATCH, BATCH)
      const watch = new Stopwatch()
      this.#run(population, BATCH, ahead)
      times.push((watch.read().own * 1e6) / BATCH)
    }
    return sorted(times)[TIMED_BATCHES >> 1]!
  }

  /** Peers in an answer since the last call of `time`. */
  get peersPerAnswer(): number {
    return this.returned / (TIMED_BATCHES * BATCH)
  }

  /** Announces `count` prepared peers. */
  #run(population: Population, count: number, ahead: boolean): void {
    const visitor = this.#visitor
    for (let i = 0; i < count; i++) {
      if (ahead && i % AHEAD === 0 && this.tracker.wantsNotice) {
        const few = Math.min(AHEAD, count - i)
        this.#expected.count = 0
        for (let n = 0; n < few; n++) population.expect(i + n, this.#expected)
        this.tracker.expect(this.#expected)
      }
      population.read(i, this.#announce)
      if (this.tracker.isPrivate) population.readKey(i, visitor.key)
      const outcome = this.tracker.announce(visitor, this.#announce, RULES, this.#answer)
      if (outcome !== 'served') throw new Error(`refused: ${outcome}`)
      this.returned += this.#peers.count
    }
  }
}
