import { expect, test } from 'bun:test'
import { bucketOf, finish, mix, parentOf } from '../src/hash.ts'
import { dice, seed } from './random.ts'
import { World } from './swarm/harness.ts'

test(`a table that grows by a bucket moves entries only from the divided one (SEED=${seed})`, () => {
  const roll = dice()
  for (let i = 0; i < 300; i++) {
    const hash = roll(2 ** 32)
    for (let buckets = 1; buckets < 200; buckets++) {
      const before = bucketOf(hash, buckets)
      const after = bucketOf(hash, buckets + 1)
      expect(before).toBeWithin(0, buckets)
      if (after !== before) expect([after, before]).toEqual([buckets, parentOf(buckets)])
    }
  }
})

test('every bucket of a table is used, and none far more than its share', () => {
  const used = new Array<number>(96).fill(0)
  for (let word = 0; word < 96_000; word++) used[bucketOf(finish(mix(7, word)), 96)]!++
  // While a table grows from 64 to 128, the buckets not yet divided hold twice as much.
  expect(Math.min(...used)).toBeGreaterThan(500)
  expect(Math.max(...used)).toBeLessThan(2_000)
})

test('every bit of every word and of the seed matters to the hash', () => {
  const hashOf = (words: number[], start: number) => finish(words.reduce(mix, start))
  const words = [1, 2, 3]
  const plain = hashOf(words, 9)
  for (let bit = 0; bit < 32; bit++) {
    expect(hashOf(words, 9 ^ (1 << bit))).not.toBe(plain)
    for (const at of words.keys())
      expect(hashOf(words.with(at, words[at]! ^ (1 << bit)), 9)).not.toBe(plain)
  }
})

test(`info hashes made to cancel out share a key no more often than others (SEED=${seed})`, () => {
  const roll = dice()
  let same = 0
  for (let round = 0; round < 4; round++) {
    const { swarm } = new World({ seed: roll(2 ** 31) })
    const words = Int32Array.from({ length: 5 }, () => roll(2 ** 32))
    const key = swarm.key(words)
    // A change of the highest bits of one word passes a multiplication; the next word takes it back.
    for (let at = 0; at < 4; at++)
      for (let change = 1; change < 64; change++)
        for (let undo = 1; undo < 64; undo++) {
          const twin = words.slice()
          const high = undo << 26
          twin[at]! ^= change << 26
          twin[at + 1]! ^= high ^ (high >>> 15)
          if (swarm.key(twin) === key) same++
        }
  }
  expect(same).toBeLessThan(3)
})
