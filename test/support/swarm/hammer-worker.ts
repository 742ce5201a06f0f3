/**
 * A serving thread that only announces, scrapes and sweeps, as fast as it can. Its peers are its own, so the
 * expected result does not depend on how the threads interleave.
 */
import { type AnnounceEvent, EVENT } from '../../../src/bittorrent.ts'
import type { SwarmMemory } from '../../../src/swarm/swarm.ts'
import { SweepCursor } from '../../../src/swarm/sweep.ts'
import { NaiveSwarm } from '../naive/swarm.ts'
import { dice } from '../random.ts'
import { hashHex, World, write } from './harness.ts'

export type HammerTask = {
  readonly memory: SwarmMemory
  readonly thread: number
  readonly seed: number
  readonly hashes: readonly Int32Array[]
  /** 0 = until it is killed. */
  readonly steps: number
  /** Word `thread` counts the steps. */
  readonly progress: SharedArrayBuffer
}

/** What the thread left in each torrent: its completions and the endpoints of its peers. */
export type HammerResult = Map<
  string,
  { downloaded: number; seeders: string[]; leechers: string[] }
>

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<HammerTask>) => {
  const { memory, thread, seed, hashes, steps, progress } = data
  const world = new World({ memory, thread, seed })
  const { families } = world
  const twin = new NaiveSwarm()
  const roll = dice(seed | 1)
  const done = new Int32Array(progress)
  const cursors = world.swarm.shards.map(() => new SweepCursor())
  const retention = { removePeerless: false }
  for (let step = 0; steps === 0 || step < steps; step++) {
    const hash = hashes[roll(hashes.length)]!
    const wish = {
      family: families[roll(families.length)]!,
      peer: thread * 1000 + roll(70),
      event: roll(5) < 2 ? EVENT.stopped : (roll(3) as AnnounceEvent),
      left: BigInt(roll(2)),
      want: 20,
    }
    // Seldom, so that a thread that is killed dies in an announce more often than here.
    if (roll(30) === 0) {
      const known = [wish.family, wish.peer] as const
      world.expect(hashes.map((of) => [of, ...known] as const))
    }
    world.tell(hash, wish, roll(2) === 0)
    if (steps > 0) {
      const asker = write(world.announce, hash, wish)
      twin.announce(hashHex(hash), asker, world.now, world.cutoffs)
    }
    if (roll(20) === 0) world.scrape(hash)
    if (roll(50) === 0) {
      const shard = roll(cursors.length)
      const at = world.swarm.shards[shard]!
      if (at.sweep(cursors[shard]!, world.cutoffs, retention, 1 + roll(50)) === true)
        cursors[shard] = new SweepCursor()
    }
    Atomics.add(done, thread, 1)
  }
  const result: HammerResult = new Map()
  for (const [name, torrent] of twin.torrents) {
    const peers = [...torrent.peers.values()]
    const side = (seeding: boolean) =>
      peers.filter((peer) => (peer.left === 0n) === seeding).map((peer) => peer.endpoint)
    result.set(name, {
      downloaded: torrent.downloaded,
      seeders: side(true),
      leechers: side(false),
    })
  }
  self.postMessage(result)
}
