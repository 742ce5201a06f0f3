/** A slow twin of the address codec, short enough to check by reading. */

export function naiveIPv4(text: string): number[] | undefined {
  const parts = text.split('.')
  const octets = parts.map(Number)
  const plain = octets.every((octet, i) => octet >= 0 && octet <= 255 && String(octet) === parts[i])
  return plain && octets.length === 4 ? octets : undefined
}

export function naiveIPv6(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const bytes = halves.map((half, i) => {
    const out: number[] = []
    const groups = half === '' ? [] : half.split(':')
    for (const [at, group] of groups.entries()) {
      const quad = naiveIPv4(group)
      const last = i === halves.length - 1 && at === groups.length - 1
      if (quad && last) out.push(...quad)
      else if (/^[0-9a-f]{1,4}$/i.test(group)) {
        const value = Number.parseInt(group, 16)
        out.push(value >> 8, value & 255)
      } else return undefined
    }
    return out
  })
  const [head, tail] = bytes
  if (!head || (halves.length === 2 && !tail)) return undefined
  if (!tail) return head.length === 16 ? head : undefined
  const missing = 16 - head.length - tail.length
  return missing >= 2 ? [...head, ...Array(missing).fill(0), ...tail] : undefined
}

/** A parsed address; IPv4-mapped IPv6 is IPv4. */
export function naiveAddress(text: string): number[] | undefined {
  const bytes = naiveIPv4(text) ?? naiveIPv6(text)
  const mapped = bytes?.length === 16 && `${bytes.slice(0, 12)}` === '0,0,0,0,0,0,0,0,0,0,255,255'
  return mapped ? bytes.slice(12) : bytes
}

/** Canonical text, as browsers write it. */
export function naivePrint(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, n) =>
    (bytes[n * 2]! * 256 + bytes[n * 2 + 1]!).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
