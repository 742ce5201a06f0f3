/** Numbers, tables and kernel settings as people read them. Pure. */

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `208 KiB`, `1.5 GiB` */
export function size(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${rounded(value, 1)} ${UNITS[unit]}`
}

/** To so many decimals; numbers of JSON documents, too. */
export const rounded = (value: number, decimals: number): number =>
  Math.round(value * 10 ** decimals) / 10 ** decimals

/** `1,048,576` */
export const count = (value: number): string => value.toLocaleString('en-US')

/** `datagrams`, `datagram` */
export const plural = (value: number, noun: string): string => (value === 1 ? noun : `${noun}s`)

/** `3 datagrams`, `1 datagram` */
export const several = (value: number, noun: string): string =>
  `${count(value)} ${plural(value, noun)}`

/** `93 %`, and `0.02 %` where a whole number would say nothing. */
export function percent(share: number): string {
  const value = share * 100
  if (value === 0 || value >= 1) return `${Math.round(value)} %`
  return value < 0.001 ? 'less than 0.001 %' : `${Number(value.toPrecision(1))} %`
}

const TIMES = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const

/** `3 d 4 h`, `12 min 7 s`: the two largest units. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const first = TIMES.findIndex(([, length]) => whole >= length)
  if (first < 0) return '0 s'
  let rest = whole
  const parts = TIMES.slice(first, first + 2).map(([unit, length]) => {
    const value = Math.floor(rest / length)
    rest %= length
    return `${value} ${unit}`
  })
  return parts.join(' ')
}

/** Rows as lines, each column as wide as its widest cell; the first `words` are flush left, figures right. */
export function aligned(rows: readonly (readonly string[])[], words: number): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries())
      widths[i] = Math.max(widths[i] ?? 0, Bun.stringWidth(cell))
  const fit = (cell: string, i: number): string => {
    const space = ' '.repeat(widths[i]! - Bun.stringWidth(cell))
    return i < words ? cell + space : space + cell
  }
  return rows.map((row) => row.map(fit).join('  ').trimEnd())
}

/** Commands that set kernel settings now, and again after every start of the machine. */
export function sysctl(settings: Readonly<Record<string, number | string>>): string[] {
  const pairs = Object.entries(settings)
  const lines = pairs.map(([name, value]) => `'${name} = ${value}'`)
  return [
    `sysctl -w ${pairs.map(([name, value]) => `${name}=${value}`).join(' ')}`,
    `printf '%s\\n' ${lines.join(' ')} >> /etc/sysctl.d/90-tracker.conf`,
  ]
}
