/** What the system knows of this process and its threads, from /proc on Linux. */
import { readdirSync, readFileSync, statSync } from 'node:fs'

const FILES = '/proc/self/fd'

/** Seconds that thread `id` ran on a processor, and waited for one; undefined: not known. */
export function busyOf(id: number): { ran: number; waited: number } | undefined {
  const text = read(`/proc/self/task/${id}/schedstat`)
  const [ran, waited] = text?.split(' ').map((nanoseconds) => Number(nanoseconds) / 1e9) ?? []
  return ran === undefined || waited === undefined ? undefined : { ran, waited }
}

/** As of the last time that they could be read. */
let residentBytes = 0

/** Never throws: without a free descriptor there is nothing to read, and that is a moment at which people look. */
export function processFigures() {
  const { user, system } = process.cpuUsage()
  try {
    residentBytes = process.memoryUsage.rss()
  } catch {
    // The next second will tell.
  }
  return {
    startTime: performance.timeOrigin / 1000,
    cpuSeconds: (user + system) / 1e6,
    residentBytes,
    openFiles: openFiles(),
    mostFiles: mostFiles(),
  }
}

function openFiles(): number | undefined {
  try {
    // Linux counts them itself from 6.2 on; before that the size is 0.
    return statSync(FILES).size || readdirSync(FILES).length
  } catch {
    return undefined
  }
}

/** Read once: it does not change while the program runs. */
let limit: number | undefined

/** undefined: not known. */
export function mostFiles(): number | undefined {
  limit ??= Number(/^Max open files +(\d+)/m.exec(read('/proc/self/limits') ?? '')?.[1])
  return Number.isNaN(limit) ? undefined : limit
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
