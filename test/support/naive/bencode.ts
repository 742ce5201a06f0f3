/** A slow twin of the bencode writer, on strings of one character per byte. */
export type Naive = number | string | Naive[] | { [key: string]: Naive }

export function naiveEncode(value: Naive): string {
  if (typeof value === 'number') return `i${value}e`
  if (typeof value === 'string') return `${value.length}:${value}`
  if (Array.isArray(value)) return `l${value.map(naiveEncode).join('')}e`
  const keys = Object.keys(value).sort()
  return `d${keys.map((key) => naiveEncode(key) + naiveEncode(value[key]!)).join('')}e`
}
