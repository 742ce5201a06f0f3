import { describe, expect, test } from 'bun:test'
import {
  bucketOf,
  drawSeed,
  hashInfoHash,
  hashWords,
  infoHashSecrets,
  parentOf,
  SEED_WORDS,
  secretsOf,
} from '../../src/memory/hash.ts'
import { dice, seed } from '../support/random.ts'
import { World } from '../support/swarm/harness.ts'

/** Lengths, in words, of the entries of the tables: addresses, endpoints, info hashes, keys. */
const LENGTHS = [1, 2, 3, 5, 6, 8]
const HALVES = 65_536

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
  const secrets = secretsOf(Int32Array.of(7), 1, 'test')
  const used = new Array<number>(96).fill(0)
  for (let word = 0; word < 96_000; word++)
    used[bucketOf(hashWords(secrets, Int32Array.of(word), 0, 1), 96)]!++
  // While a table grows from 64 to 128, the buckets not yet divided hold twice as much.
  expect(Math.min(...used)).toBeGreaterThan(500)
  expect(Math.max(...used)).toBeLessThan(2_000)
})

test('every bit of every word and of the seed matters to the hash, and so does the purpose', () => {
  const words = Int32Array.of(1, 2, 3)
  const own = Int32Array.of(9, 8, 7, 6)
  const hashOf = (of: Int32Array, from: Int32Array, purpose = 'test') =>
    hashWords(secretsOf(from, 3, purpose), of, 0, 3)
  const plain = hashOf(words, own)
  expect(drawSeed()).toHaveLength(SEED_WORDS)
  expect(own).toHaveLength(SEED_WORDS)
  for (let bit = 0; bit < 32; bit++) {
    for (const at of own.keys())
      expect(hashOf(words, own.with(at, own[at]! ^ (1 << bit)))).not.toBe(plain)
    for (const at of words.keys())
      expect(hashOf(words.with(at, words[at]! ^ (1 << bit)), own)).not.toBe(plain)
  }
  expect(hashOf(words, own, 'another')).not.toBe(plain)
})

test(`info hashes made to cancel out share a key no more often than others (SEED=${seed})`, () => {
  const roll = dice()
  let same = 0
  for (let round = 0; round < 4; round++) {
    const { swarm } = new World({ seed: roll(2 ** 31) })
    const words = Int32Array.from({ length: 5 }, () => roll(2 ** 32))
    const key = swarm.hash(words)
    // A change of the highest bits of one word passes a multiplication; the next word takes it back.
    for (let at = 0; at < 4; at++)
      for (let change = 1; change < 64; change++)
        for (let undo = 1; undo < 64; undo++) {
          const twin = words.slice()
          const high = undo << 26
          twin[at]! ^= change << 26
          twin[at + 1]! ^= high ^ (high >>> 15)
          if (swarm.hash(twin) === key) same++
        }
  }
  expect(same).toBeLessThan(3)
})

describe(`entries that an attacker chooses share hashes no more often than by chance (SEED=${seed})`, () => {
  /** How many of 2^20 places are taken by more than one of `count` hashes; chance alone takes some twice. */
  const places = new Uint8Array(2 ** 20)
  function shared(count: number, hashOf: (n: number) => number): number {
    places.fill(0)
    let doubly = 0
    for (let n = 0; n < count; n++) if (places[hashOf(n) >>> 12]!++ > 0) doubly++
    return doubly
  }
  const chance = (count: number) => 40 + (count * count) / 2 ** 20

  test('when the attacker knows one half of any secret', () => {
    const roll = dice()
    for (const length of LENGTHS) {
      const secrets = secretsOf(Int32Array.of(roll(2 ** 31)), length, 'test')
      const known = [...new Uint16Array(secrets.buffer)].flatMap((half) => [-half, -half - 1])
      const words = Int32Array.from({ length }, () => roll(2 ** 32))
      const halves = new Uint16Array(words.buffer)
      // It makes a factor 0, with the carry of the lower half or without; the other factor is free then.
      for (const half of known)
        for (let place = 0; place < halves.length; place++) {
          const before = halves.slice()
          halves[place] = half
          const doubly = shared(2_000, (n) => {
            halves[place ^ 1] = n * 31
            return hashWords(secrets, words, 0, length)
          })
          expect(doubly).toBeLessThan(chance(2_000))
          halves.set(before)
        }
    }
  })

  test('when the attacker knows every secret of one lane', () => {
    const roll = dice()
    const secrets = infoHashSecrets(Int32Array.of(roll(2 ** 31)))
    for (const lane of [3, 4]) {
      const words = new Int32Array(5)
      const doubly = shared(HALVES, () => {
        for (let i = 0; i < 5; i++)
          words[i] = (-secrets[lane + 2 * i]! & 0xffff) | (roll(HALVES) << 16)
        return hashInfoHash(secrets, words, 0)
      })
      expect(doubly).toBeLessThan(chance(HALVES))
    }
  })

  test.each(LENGTHS)('in %i words that differ in a number, or in either half of it', (length) => {
    const roll = dice()
    const secrets = secretsOf(Int32Array.of(roll(2 ** 31)), length, 'test')
    const words = Int32Array.from({ length }, () => roll(2 ** 32))
    for (let at = 0; at < length; at++) {
      const word = words[at]!
      for (const changed of [
        (n: number) => n,
        (n: number) => word + n,
        (n: number) => (word & 0xffff) | (n << 16),
        // Network byte order.
        (n: number) => ((n & 0xff) << 24) | ((n & 0xff00) << 8) | (word & 0xffff),
      ]) {
        const shards = new Array<number>(32).fill(0)
        const doubly = shared(HALVES, (n) => {
          words[at] = changed(n)
          const hash = hashWords(secrets, words, 0, length)
          shards[hash >>> 27]!++
          // The lowest bits choose the bucket.
          return Math.imul(hash, 2 ** 12)
        })
        expect(doubly).toBeLessThan(chance(HALVES))
        expect(Math.max(...shards)).toBeLessThan((HALVES / 32) * 1.2)
      }
      words[at] = word
    }
  })
})
