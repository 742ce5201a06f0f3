/** A child process whose swarm has a peak and then a sweep; prints the resident memory in KiB. */
import { readFileSync } from 'node:fs'
import { Announce, Answer, PeerList } from '../../../src/bittorrent.ts'
import { pageRelease } from '../../../src/servers/pages.ts'
import { createSwarmMemory, Swarm } from '../../../src/swarm/swarm.ts'
import { anyone, policy, trackerOver } from '../servers/served-http.ts'
import { faults } from './whole.ts'

export type Residents = {
  readonly before: number
  readonly peak: number
  readonly after: number
  readonly used: number
  readonly faults: readonly string[]
  readonly seeders: readonly number[]
}

const PEERS = 300_000
/** Torrents with a few peers each; half of all peers are in one. */
const TORRENTS = 50_000

function resident(): number {
  Bun.gc(true)
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1])
}

const memory = createSwarmMemory(Number(process.argv[2]), Int32Array.of(1))
const swarm = new Swarm(memory, 1, 1, { alone: true, release: pageRelease() })
let now = 1_700_000_000
const clock = { seconds: () => now, milliseconds: () => now * 1000 }
const tracker = trackerOver(swarm, clock)
const announce = new Announce()
const answer = new Answer([new PeerList(4, new Uint16Array(3 * 74))])

function tell(peer: number): number {
  const torrent = peer % 2 === 0 ? 0 : peer % TORRENTS
  announce.words.fill(torrent, 0, 5)
  announce.words[0] = Math.imul(torrent, 0x9e37_79b1)
  announce.family = torrent % 3 === 1 ? 6 : 4
  announce.endpoint.fill(0)
  new DataView(announce.endpoint.buffer, announce.endpoint.byteOffset).setUint32(0, peer)
  announce.port = 6881
  announce.want = 0
  const outcome = tracker.announce(anyone, announce, { externalIp: undefined }, answer)
  if (outcome !== 'served') throw new Error(outcome)
  return answer.seeders
}
const sweep = () => {
  for (const _ of tracker.sweep());
}

tell(1)
sweep()
const before = resident()
for (let peer = 0; peer < PEERS; peer++) tell(peer)
const peak = resident()
// A few peers stay in some torrents.
now += policy.peerTimeoutSeconds - 1
for (let peer = 0; peer < PEERS; peer += 997) tell(peer)
now++
for (let round = 0; round < 3; round++) sweep()
const after = resident()
const { used } = swarm.memory()
const found = faults(memory)
// Memory that was given back can be used again.
const seeders = [0, 1, 3].map(tell)
for (let peer = 0; peer < PEERS; peer++) tell(peer)
const result: Residents = {
  before,
  peak,
  after,
  used: used / 1024,
  faults: [...found, ...faults(memory)],
  seeders: [...seeders, ...[0, 1, 3].map(tell)],
}
console.log(JSON.stringify(result))
