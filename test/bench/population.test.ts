import { expect, test } from 'bun:test'
import { CLIENT, Population } from '../../src/bench/population.ts'

const OPTIONS = { seed: 1, torrents: 500, peers: 3_000, seeders: 75 }

/** Everything known of each peer, in turn. */
function allPeers(options: typeof OPTIONS) {
  const population = new Population(options)
  const hash = new Uint8Array(20)
  const id = Buffer.from(`${CLIENT}............`)
  return Array.from({ length: options.peers }, () => {
    const peer = population.nextPeer()
    population.copyInfoHash(peer, hash)
    population.writeNumber(peer, id, id.length)
    return {
      hash: Buffer.from(hash).toString('hex'),
      id: id.toString(),
      port: population.portOf(peer),
      seeder: population.leftOf(peer) === 0,
    }
  })
}

test('every torrent has a peer, and a few have many', () => {
  const members = new Map<string, number>()
  for (const { hash } of allPeers(OPTIONS)) members.set(hash, (members.get(hash) ?? 0) + 1)
  expect(members.size).toBe(500)
  const sizes = [...members.values()].sort((a, b) => b - a)
  expect(sizes.slice(0, 5).reduce((sum, size) => sum + size)).toBeGreaterThan(3_000 / 5)
  expect(sizes[250]).toBeLessThan(10)
})

test('a tracker can tell all peers apart', () => {
  const peers = allPeers(OPTIONS)
  expect(new Set(peers.map(({ hash, port }) => `${hash}:${port}`)).size).toBe(3_000)
  expect(new Set(peers.map(({ id }) => id)).size).toBe(3_000)
  expect(peers.every(({ id }) => /^-TB0100-\d{12}$/.test(id))).toBe(true)
  expect(peers.every(({ port }) => port >= 10_000 && port <= 65_535)).toBe(true)
})

test.each([0, 25, 75, 100])('%d percent are seeders', (seeders) => {
  const count = allPeers({ ...OPTIONS, seeders }).filter(({ seeder }) => seeder).length
  expect(count).toBeWithin(seeders * 27, seeders * 33 + 1)
})

test('the same seed draws the same, another one something else', () => {
  expect(allPeers(OPTIONS)).toEqual(allPeers(OPTIONS))
  const hashes = (seed: number) => new Set(allPeers({ ...OPTIONS, seed }).map(({ hash }) => hash))
  for (const seed of [0, 2, 1 + 2 ** 32, Number.MAX_SAFE_INTEGER])
    expect(hashes(1).isDisjointFrom(hashes(seed))).toBe(true)
})

test('the first announce of each peer is `started`', () => {
  const population = new Population({ ...OPTIONS, torrents: 1, peers: 3 })
  const started = Array.from({ length: 5 }, () => [population.nextPeer(), population.eventOf(0)])
  expect(started).toEqual([
    [0, 2],
    [1, 2],
    [2, 2],
    [0, 0],
    [1, 0],
  ])
})
