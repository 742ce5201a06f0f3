/**
 * Reads what the system tells about itself in files, below a directory of choice. Every read is bounded;
 * what cannot be read is an `Unreadable`, which says so in words.
 */
import { closeSync, constants, existsSync, openSync, readdirSync, readSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { unreadable } from '../text/system-errors.ts'

const MOST_BYTES = 1024 * 1024

/** `message`: one line that names the file. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
}

/** What is not written in files. */
export interface Facts {
  readonly platform: string
  /** Cores that this process may use. */
  readonly cores: number
  /** undefined: the system knows no users. */
  readonly user: number | undefined
}

const REAL: Facts = {
  platform: process.platform,
  cores: availableParallelism(),
  user: process.getuid?.(),
}

export class Machine {
  readonly facts: Facts
  readonly #root: string

  constructor(root = '/', facts: Facts = REAL) {
    this.#root = root
    this.facts = facts
  }

  /** Throws `Unreadable`. */
  text(path: string): string {
    try {
      // A pipe or the like in its place must not hold us.
      const file = openSync(join(this.#root, path), constants.O_RDONLY | constants.O_NONBLOCK)
      try {
        return readAtMost(file, MOST_BYTES)
      } finally {
        closeSync(file)
      }
    } catch (error) {
      throw new Unreadable(`${path} ${unreadable(error)}`)
    }
  }

  /** The whole number that the file holds. Throws `Unreadable`. */
  number(path: string): number {
    const text = this.text(path).trim()
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(value)) return value
    throw new Unreadable(`${path} holds no number`)
  }

  /** undefined: it cannot be read. */
  maybe(path: string): string | undefined {
    return unlessUnreadable(() => this.text(path))
  }

  maybeNumber(path: string): number | undefined {
    return unlessUnreadable(() => this.number(path))
  }

  exists(path: string): boolean {
    return existsSync(join(this.#root, path))
  }

  /** Names in a directory, sorted; none where it cannot be read. */
  names(path: string): readonly string[] {
    try {
      return readdirSync(join(this.#root, path)).sort()
    } catch {
      return []
    }
  }
}

/** Files of /proc have no size: they are read until they end. */
function readAtMost(file: number, most: number): string {
  const chunk = Buffer.alloc(64 * 1024)
  const parts: Buffer[] = []
  let length = 0
  while (length < most) {
    const count = readSync(file, chunk, 0, Math.min(chunk.length, most - length), null)
    if (count === 0) break
    parts.push(Buffer.from(chunk.subarray(0, count)))
    length += count
  }
  return Buffer.concat(parts).toString()
}

function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Unreadable) return undefined
    throw error
  }
}

/** Processes that are looked at. */
const MOST_PROCESSES = 10_000

export const insideContainer = (machine: Machine): boolean =>
  machine.exists('/.dockerenv') ||
  machine.exists('/run/.containerenv') ||
  /docker|containerd|kubepods|lxc|libpod/.test(machine.maybe('/proc/1/cgroup') ?? '')

/** Names of what runs, cut to 15 characters. */
export const processes = (machine: Machine): ReadonlySet<string> =>
  new Set(processIds(machine).map((pid) => (machine.maybe(`/proc/${pid}/comm`) ?? '').trim()))

export const processIds = (machine: Machine): readonly string[] =>
  machine
    .names('/proc')
    .filter((name) => /^\d+$/.test(name))
    .slice(0, MOST_PROCESSES)

const BASE = '/sys/fs/cgroup'

/** Contents of the files of that name in the group of this process and in all above it. */
function contents(machine: Machine, controller: string, name: string): string[] {
  const lines = (machine.maybe('/proc/self/cgroup') ?? '').split('\n')
  return lines.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (path === undefined || !controllers?.split(',').includes(controller)) return []
    const names = path.split('/').filter((part) => part !== '' && part !== '..')
    const base = controller === '' ? BASE : `${BASE}/${controller}`
    const groups = [base, ...names.map((_, i) => `${base}/${names.slice(0, i + 1).join('/')}`)]
    return groups.flatMap((group) => machine.maybe(`${group}/${name}`) ?? [])
  })
}

/** undefined: none of them sets a limit. */
const least = (values: readonly number[]): number | undefined => {
  const limits = values.filter((value) => value > 0)
  return limits.length === 0 ? undefined : Math.min(...limits)
}

/** Bytes of memory. */
export function memoryLimit(machine: Machine): number | undefined {
  const texts = [
    ...contents(machine, '', 'memory.max'),
    ...contents(machine, 'memory', 'memory.limit_in_bytes'),
  ]
  return least(texts.map((text) => Number(text.trim())))
}

/** Cores' worth of time; may have a fraction. */
export function coreLimit(machine: Machine): number | undefined {
  const quotas = contents(machine, 'cpu', 'cpu.cfs_quota_us')
  const periods = contents(machine, 'cpu', 'cpu.cfs_period_us')
  const texts = [
    ...contents(machine, '', 'cpu.max'),
    ...quotas.map((quota, i) => `${quota.trim()} ${periods[i]}`),
  ]
  return least(
    texts.map((text) => {
      const [quota, period] = text.trim().split(/\s+/)
      return Math.round((Number(quota) / Number(period)) * 100) / 100
    }),
  )
}
