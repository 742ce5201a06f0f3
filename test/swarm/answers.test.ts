/** Which peers an answer lists, and how many (docs/behaviours.md S6, S7, S9). */
import { describe, expect, test } from 'bun:test'
import type { PeerFamily } from '../../src/bittorrent.ts'
import { hashWords, listed, MAX, type Reply, type Wish, World } from '../support/swarm/harness.ts'

const hash = hashWords(1)

const counts = ({ seeders, leechers, downloaded }: Reply['answer']) => [
  seeders,
  leechers,
  downloaded,
]
const familiesOf = (reply: Reply): PeerFamily[] => reply.told().map((peer) => peer.family)

describe('S6: the size of an answer', () => {
  test.each([
    ['more than the maximum', 1000, MAX],
    ['the maximum', MAX, MAX],
    ['fewer', 30, 30],
    ['one', 1, 1],
    ['none', 0, 0],
    ['the default', -1, MAX],
  ])('when %s are wanted', (_what, want, told) => {
    const world = new World({})
    for (let peer = 0; peer < 100; peer++) world.tell(hash, { peer, left: BigInt(peer % 2) })
    for (const wish of [{ peer: 7 }, { peer: 7, left: 1n }, { peer: 200 }]) {
      world.tell(hash, { ...wish, want })
      expect(world.udp.told()).toHaveLength(told)
    }
  })

  test('is 74 in a swarm of 75, for one of its peers and for a new one', () => {
    const world = new World({})
    for (let peer = 0; peer < 75; peer++) world.tell(hash, { peer })
    expect(world.udp.told()).toHaveLength(74)
    world.tell(hash, { peer: 80 })
    expect(world.udp.told()).toHaveLength(74)
  })
})

describe('S7: which peers are listed', () => {
  test('never the announcer: the first has an empty list, the second gets the first', () => {
    const world = new World({})
    world.tell(hash, { peer: 1 })
    expect(world.udp.told()).toEqual([])
    world.tell(hash, { peer: 2 })
    expect(world.udp.told()).toMatchObject([{ endpoint: '0a0000001ae2' }])
    world.tell(hash, { peer: 2 })
    expect(world.udp.told()).toMatchObject([{ endpoint: '0a0000001ae2' }])
  })

  const mixed = (seeders: number, leechers: number): World => {
    const world = new World({})
    for (let peer = 0; peer < seeders + leechers; peer++)
      world.tell(hash, { peer, left: peer < seeders ? 0n : 1n })
    return world
  }
  /** Numbers below `seeders` are seeders. How many seeders and leechers an answer lists. */
  const sides = (world: World, seeders: number): number[] => {
    const known = new Map(listed(world, hash)?.peers.map((peer) => [peer.endpoint, peer.left]))
    const told = world.udp.told().map((peer) => known.get(peer.endpoint))
    expect(seeders).toBeGreaterThan(0)
    return [told.filter((left) => left === 0n).length, told.filter((left) => left !== 0n).length]
  }

  test.each<[string, number, number, Wish, number[]]>([
    ['a seeder gets leechers only, if they are enough', 50, 40, { peer: 0, want: 30 }, [0, 30]],
    ['a seeder gets seeders to fill up', 50, 10, { peer: 0, want: 30 }, [20, 10]],
    ['a new seeder gets leechers first, too', 50, 10, { peer: 300, want: 10 }, [0, 10]],
    ['a leecher gets half of each', 50, 40, { peer: 300, left: 1n, want: 30 }, [15, 15]],
    ['a leecher gets the odd one as a seeder', 50, 40, { peer: 300, left: 1n, want: 7 }, [4, 3]],
    [
      'a leecher gets more seeders for want of leechers',
      50,
      3,
      { peer: 300, left: 1n, want: 30 },
      [27, 3],
    ],
    [
      'a leecher gets more leechers for want of seeders',
      2,
      80,
      { peer: 300, left: 1n, want: 30 },
      [2, 28],
    ],
  ])('%s', (_what, seeders, leechers, wish, expected) => {
    const world = mixed(seeders, leechers)
    world.tell(hash, wish)
    expect(sides(world, seeders)).toEqual(expected)
  })

  test('over UDP the family of the asker only, over HTTP that one first and the other to fill up', () => {
    const world = new World({})
    for (const family of [4, 6] as const)
      for (let peer = 0; peer < 10; peer++) world.tell(hash, { family, peer })
    for (const family of [4, 6] as const) {
      const other = family === 4 ? 6 : 4
      world.tell(hash, { family, peer: 0 })
      expect(new Set(familiesOf(world.udp))).toEqual(new Set([family]))
      expect(world.udp.told()).toHaveLength(9)
      world.tell(hash, { family, peer: 0, want: 12 }, true)
      const families = familiesOf(world.http)
      expect(families.filter((told) => told === family)).toHaveLength(9)
      expect(families.filter((told) => told === other)).toHaveLength(3)
      // The counts cover both families, whichever is listed.
      expect(counts(world.udp.answer)).toEqual([20, 0, 0])
    }
  })

  test('the family of the connection decides when the peer is known by the other one', () => {
    const world = new World({})
    for (const family of [4, 6] as const)
      for (let peer = 0; peer < 5; peer++) world.tell(hash, { family, peer })
    world.tell(hash, { family: 6, peer: 0, asked: 4 })
    expect(familiesOf(world.udp)).toEqual([4, 4, 4, 4, 4])
    world.tell(hash, { family: 6, peer: 0, asked: 4 }, true)
    expect(familiesOf(world.http)).toEqual([4, 4, 4, 4, 4, 6, 6, 6, 6])
  })
})
