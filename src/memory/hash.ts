/**
 * Keyed hashing of values that strangers choose into 32 bits, and the arithmetic of linear hashing: a table
 * that grows by one bucket per insertion, so that no announce ever waits for a rehash.
 *
 * Strangers know this code and can measure how long an answer takes. NH (of UMAC, RFC 4418) adds up products
 * of the two halves of words to which secrets were added. One such sum is not enough: a half that cancels its
 * secret makes the factor 0, and 65,536 words share a hash. So there are two lanes, with secrets that no word
 * cancels in both: two inputs share both sums with a probability of about 2^-30, unless their maker knows
 * secrets of both lanes. The hash does not show that the sums of one lane are equal: it is a keyed mixture in
 * which the first sum is scrambled before the second is added. Not a MAC.
 */

/** Words of a seed. One would not do: 2^32 seeds can be tried against measured times. */
export const SEED_WORDS = 4

/** Secrets are derived from it; the same for all threads that use a table. */
export type Seed = Int32Array

export const drawSeed = (): Seed => crypto.getRandomValues(new Int32Array(SEED_WORDS))

/** Secrets begin with the keys of the mixture; then two words for each word of input, one for each lane. */
const KEYS = 3
const DIGEST_WORDS = 16

/** Secrets for inputs of at most `words` words; different for each purpose, even with the same seed. */
export function secretsOf(seed: Seed, words: number, purpose: string): Int32Array {
  const digests = Math.ceil((KEYS + words * 2) / DIGEST_WORDS)
  const secrets = new Int32Array(digests * DIGEST_WORDS)
  for (let i = 0; i < digests; i++) {
    const hasher = new Bun.CryptoHasher('sha512').update(seed).update(`${purpose} ${i}`)
    hasher.digest(secrets.subarray(i * DIGEST_WORDS))
  }
  for (let at = KEYS; at + 1 < secrets.length; at += 2)
    while (areAlike(secrets[at]!, secrets[at + 1]!)) secrets[at + 1]! += 0x2_0001
  return secrets
}

/** Whether one word could cancel a half of both. Upper halves also get the carry of the lower ones. */
const areAlike = (one: number, other: number): boolean =>
  ((one ^ other) & 0xffff) === 0 || (((one >>> 16) - (other >>> 16) + 1) & 0xffff) <= 2

/** Secrets for `hashInfoHash`. */
export const infoHashSecrets = (seed: Seed): Int32Array => secretsOf(seed, 5, 'info hash')

/** Hash of the info hash at `words[at…]`. */
export const hashInfoHash = (secrets: Int32Array, words: Int32Array, at: number): number =>
  hashWords(secrets, words, at, 5)

/** Hash of `count` words at `words[at…]`. The products do not wait for each other. */
export function hashWords(
  secrets: Int32Array,
  words: Int32Array,
  at: number,
  count: number,
): number {
  let first = 0
  let second = 0
  for (let i = 0; i < count; i++) {
    const word = words[at + i]!
    const one = (word + secrets[KEYS + i * 2]!) | 0
    const other = (word + secrets[KEYS + i * 2 + 1]!) | 0
    first = (first + Math.imul(one & 0xffff, one >>> 16)) | 0
    second = (second + Math.imul(other & 0xffff, other >>> 16)) | 0
  }
  let hash = (first + secrets[0]!) | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = ((hash ^ (hash >>> 13)) + second) | 0
  hash = Math.imul(hash ^ (hash >>> 16) ^ secrets[1]!, 0xc2b2_ae35)
  hash = ((hash ^ (hash >>> 15)) + secrets[2]!) | 0
  hash = Math.imul(hash ^ (hash >>> 13), 0x9e37_79b1)
  return hash ^ (hash >>> 16)
}

/** Bucket of `hash` in a table of `buckets` (≥ 1) buckets. */
export const bucketOf = (hash: number, buckets: number): number => {
  const half = 1 << (31 - Math.clz32(buckets))
  const bucket = hash & (half * 2 - 1)
  return bucket < buckets ? bucket : bucket & (half - 1)
}

/** The bucket that is split when bucket number `fresh` (≥ 1) is added. */
export const parentOf = (fresh: number): number => fresh - (1 << (31 - Math.clz32(fresh)))
