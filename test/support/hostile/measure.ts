/** The cost of a process, from /proc: processor time, resident memory, descriptors. */
import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks a second, the same on every Linux. */
const TICKS = 100

/** Seconds of processor time that all its threads have used. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // Fields from the third on, behind the name, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

export function residentMebibytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

export const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length
