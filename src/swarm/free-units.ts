/**
 * The free units of half a batch as a word of bits. What is free belongs to the longest aligned run of
 * 2^order units of which all is free.
 */

/** Position of the lowest bit of a word that is not zero. */
export const lowestBit = (word: number): number => 31 - Math.clz32(word & -word)

/** Bits of a run of 2^order ≤ 32 units within its half of the batch. */
export const bitsOf = (unit: number, order: number): number =>
  order === 5 ? -1 : ((1 << (1 << order)) - 1) << (unit & 31)

/** First bits of the free runs of just 2^order ≤ 32 units; the other half is not all free. */
export function exactly(ones: number, order: number): number {
  if (ones === 0) return 0
  const twos = ones & (ones >>> 1) & 0x5555_5555
  if (order === 0) return ones & ~(twos | (twos << 1))
  const fours = twos & (twos >>> 2) & 0x1111_1111
  if (order === 1) return twos & ~(fours | (fours << 2))
  const eights = fours & (fours >>> 4) & 0x0101_0101
  if (order === 2) return fours & ~(eights | (eights << 4))
  const sixteens = eights & (eights >>> 8) & 0x0001_0001
  if (order === 3) return eights & ~(sixteens | (sixteens << 8))
  const all = sixteens & (sixteens >>> 16)
  return order === 4 ? sixteens & ~(all | (all << 16)) : all
}
