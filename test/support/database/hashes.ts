/** Info hashes and keys for tests, numbered: the same number, the same bytes. */

/** `count` packed info hashes, numbered from `first`; ascending as the numbers are. */
export function hashes(count: number, first = 1): Uint8Array {
  const packed = new Uint8Array(count * 20).fill(0xa5)
  const view = new DataView(packed.buffer)
  for (let i = 0; i < count; i++) view.setUint32(i * 20, first + i)
  return packed
}

export const join = (...packed: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.fromHex(packed.map((bytes) => bytes.toHex()).join(''))

/** Packed info hashes as sorted text, for comparisons whose failure can be read. */
export const texts = (packed: Uint8Array): string[] => (packed.toHex().match(/.{40}/g) ?? []).sort()

/** Ascending as the numbers are. */
export const key = (number: number): string => `Key${String(number).padStart(29, '0')}`
