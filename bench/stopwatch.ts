/** Time and memory of this process. */
import { readFileSync } from 'node:fs'

export const residentBytes = () =>
  Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096
/** The part of it that stands in huge pages. */
export const hugeBytes = () =>
  Number(/^AnonHugePages:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))![1]) *
  1024
export const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b)

/** Milliseconds since its creation: by the clock (`wall`), and of processor time, but never more (`own`). */
export class Stopwatch {
  readonly #began = performance.now()
  readonly #usage = process.cpuUsage()
  read(): { wall: number; own: number } {
    const { user, system } = process.cpuUsage(this.#usage)
    const wall = performance.now() - this.#began
    return { wall, own: Math.min(wall, (user + system) / 1000) }
  }
}
