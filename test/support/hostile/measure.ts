/** What a process costs, by /proc: processor time, resident memory, descriptors. */
import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks a second, of every Linux there is. */
const TICKS = 100

/** Seconds of a core that all its threads have used so far. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // Behind the name, which may hold anything: field 3 and on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

export function residentMebibytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

export const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length
