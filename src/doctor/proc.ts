/** The kernel's tables of counters, read from their text. Pure; what does not look right counts as nothing. */

/** Of `/proc/net/snmp`: a line of names, then a line of values, both with the same first word. */
export function snmpCounter(text: string, table: string, name: string): number | undefined {
  const [names, values] = text
    .split('\n')
    .filter((line) => line.startsWith(`${table}: `))
    .map((line) => line.trim().split(/\s+/))
  return wholeAt(values, names?.indexOf(name) ?? -1)
}

/** Of `/proc/net/snmp6`: a name and its value on each line. */
export function snmp6Counter(text: string, name: string): number | undefined {
  const line = text.split('\n').find((one) => one.split(/\s+/)[0] === name)
  return wholeAt(line?.trim().split(/\s+/), 1)
}

const wholeAt = (words: readonly string[] | undefined, at: number): number | undefined => {
  const word = words?.[at]
  return word !== undefined && /^\d+$/.test(word) ? Number(word) : undefined
}

export interface UdpSocket {
  readonly port: number
  /** Bytes that wait to be read, the kernel's own share included. */
  readonly waiting: number
  /** Datagrams that found the buffer full. */
  readonly drops: number
}

/** Of `/proc/net/udp` and `/proc/net/udp6`. */
export function udpSockets(text: string): UdpSocket[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/)
    const [, port] = /^[0-9A-F]+:([0-9A-F]{4})$/i.exec(words[1] ?? '') ?? []
    const [, waiting] = /^[0-9A-F]+:([0-9A-F]+)$/i.exec(words[4] ?? '') ?? []
    const drops = wholeAt(words, 12)
    if (port === undefined || waiting === undefined || drops === undefined) return []
    return [{ port: Number.parseInt(port, 16), waiting: Number.parseInt(waiting, 16), drops }]
  })
}

/** Of `/proc/net/stat/nf_conntrack`: names, then a line of hexadecimal values for each core. Sums of the columns. */
export function conntrackCounters(text: string): ReadonlyMap<string, number> {
  const [names, ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  return new Map(
    names?.map((name, i) => [
      name,
      rows.reduce((sum, row) => sum + (Number.parseInt(row[i] ?? '', 16) || 0), 0),
    ]),
  )
}

/** Of `/proc/softirqs`: how often each core was interrupted for this. */
export function softirqs(text: string, name: string): readonly number[] {
  const line = text.split('\n').find((one) => one.trim().startsWith(`${name}:`))
  return (line?.trim().split(/\s+/).slice(1) ?? []).map(Number).filter(Number.isSafeInteger)
}

export interface Backlog {
  readonly processed: number
  /** The queue of a core was full. */
  readonly dropped: number
  /** A core had to stop before its queue was empty. */
  readonly squeezed: number
}

/** Of `/proc/net/softnet_stat`: a line of hexadecimal values for each core. Sums of all cores. */
export function backlog(text: string): Backlog {
  const sum = (column: number): number =>
    text.split('\n').reduce((total, line) => {
      return total + (Number.parseInt(line.trim().split(/\s+/)[column] ?? '', 16) || 0)
    }, 0)
  return { processed: sum(0), dropped: sum(1), squeezed: sum(2) }
}

/** Of `/proc/PID/limits`: the soft and the hard limit. */
export function limit(text: string, name: string): { soft: number; hard: number } | undefined {
  const line = text.split('\n').find((one) => one.startsWith(name))
  const [soft, hard] = line?.slice(name.length).trim().split(/\s+/).map(amount) ?? []
  return soft === undefined || hard === undefined || Number.isNaN(soft + hard)
    ? undefined
    : { soft, hard }
}

const amount = (word: string): number =>
  word === 'unlimited' ? Number.POSITIVE_INFINITY : /^\d+$/.test(word) ? Number(word) : Number.NaN

/** Of `/proc/meminfo`: bytes. */
export function meminfo(text: string, name: string): number | undefined {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}
