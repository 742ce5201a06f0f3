/**
 * Seeded mixing of keys into 32 bits, and linear hashing: a table that grows by one bucket per
 * insertion, so that no announce ever waits for a rehash. Not a MAC; the seed only keeps strangers
 * from choosing keys that share a chain. Used by every table in shared memory.
 */

/**
 * Folds `half` (16 bits) into `hash` (32 bits). Of what strangers choose never fold 32 bits at once:
 * with the high ones they could undo what they did to the hash before, whatever the seed.
 */
export const mix = (hash: number, half: number): number => {
  const folded = Math.imul(hash ^ half, 0x9e37_79b1)
  return folded ^ (folded >>> 15)
}

/** Last step after the words of a key: spreads every bit over every bit. */
export const finish = (hash: number): number => {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}

/** Bucket of `hash` in a table that has `buckets` (≥ 1) of them by now. */
export const bucketOf = (hash: number, buckets: number): number => {
  const half = 1 << (31 - Math.clz32(buckets))
  const bucket = hash & (half * 2 - 1)
  return bucket < buckets ? bucket : bucket & (half - 1)
}

/** The bucket whose entries are divided when bucket number `fresh` (≥ 1) is added. */
export const parentOf = (fresh: number): number => fresh - (1 << (31 - Math.clz32(fresh)))

/** Secret halves for `infoHashKey`, drawn from a seed. */
export const infoHashSecrets = (seed: number): Int32Array => secretHalves(seed, 10)

/** As many secret halves as there are halves in what is to be hashed. */
export function secretHalves(seed: number, count: number): Int32Array {
  const secrets = new Int32Array(count)
  for (let i = 0; i < secrets.length; i++) secrets[i] = finish(mix(seed, i + 1)) & 0xffff
  return secrets
}

/** Key of the info hash at `words[at…]`. */
export const infoHashKey = (secrets: Int32Array, words: Int32Array, at: number): number =>
  hashWords(secrets, words, at, 5)

/**
 * Seeded hash of `count` words at `words[at…]`: NH (of UMAC, RFC 4418) over their halves, then mixed. Two
 * of them share a hash by chance alone, 2^-16 at the worst pair, whatever a stranger chooses; and the
 * products do not wait for each other.
 */
export function hashWords(
  secrets: Int32Array,
  words: Int32Array,
  at: number,
  count: number,
): number {
  let sum = 0
  for (let i = 0; i < count; i++) {
    const word = words[at + i]!
    const low = ((word & 0xffff) + secrets[i * 2]!) & 0xffff
    const high = ((word >>> 16) + secrets[i * 2 + 1]!) & 0xffff
    sum = (sum + Math.imul(low, high)) | 0
  }
  return finish(sum)
}
