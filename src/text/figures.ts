/** Numbers and commands as people read them. Pure. */

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `208 KiB`, `1.5 GiB` */
export function size(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${Math.round(value * 10) / 10} ${UNITS[unit]}`
}

/** `1,048,576` */
export const count = (value: number): string => value.toLocaleString('en-US')

/** `3 datagrams`, `1 datagram` */
export const several = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? '' : 's'}`

/** `93 %`, and `0.02 %` where a whole number would say nothing. */
export function percent(share: number): string {
  const value = share * 100
  if (value === 0 || value >= 1) return `${Math.round(value)} %`
  return value < 0.001 ? 'less than 0.001 %' : `${Number(value.toPrecision(1))} %`
}

/** Sets kernel settings now, and again after every start of the machine. */
export function sysctl(settings: Readonly<Record<string, number | string>>): string[] {
  const pairs = Object.entries(settings)
  const lines = pairs.map(([name, value]) => `'${name} = ${value}'`)
  return [
    `sysctl -w ${pairs.map(([name, value]) => `${name}=${value}`).join(' ')}`,
    `printf '%s\\n' ${lines.join(' ')} >> /etc/sysctl.d/90-tracker.conf`,
  ]
}
