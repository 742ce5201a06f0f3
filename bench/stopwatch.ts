/** Time and memory of this process. */
import { readFileSync } from 'node:fs'

export const residentBytes = () =>
  Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]) * 4096
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
