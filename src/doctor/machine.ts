/**
 * Reads what the system shows of itself in files, below a root that can be chosen. Reads are bounded in length and
 * wait for nothing; a file that cannot be read is an `Unreadable`, which says why in one line.
 */
import { closeSync, constants, existsSync, openSync, readdirSync, readSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { unreadable } from '../text/system-errors.ts'

const MAX_BYTES = 1024 * 1024

/** `message`: one line that names the file. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
}

/** Facts that no file holds. */
export interface Facts {
  readonly platform: string
  /** Cores that this process may use. */
  readonly cores: number
  /** undefined: the system has no user ids. */
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
      // Opening a pipe without a writer would block.
      const file = openSync(join(this.#root, path), constants.O_RDONLY | constants.O_NONBLOCK)
      try {
        return readAtMost(file, MAX_BYTES)
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
    throw new Unreadable(`${path} does not hold a number`)
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

  /** Names in a directory, sorted; empty if it cannot be read. */
  names(path: string): readonly string[] {
    try {
      return readdirSync(join(this.#root, path)).sort()
    } catch {
      return []
    }
  }
}

/** Files of /proc report no size, so this reads until they end. */
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

export const insideContainer = (machine: Machine): boolean =>
  machine.exists('/.dockerenv') ||
  machine.exists('/run/.containerenv') ||
  /docker|containerd|kubepods|lxc|libpod/.test(machine.maybe('/proc/1/cgroup') ?? '')

const MAX_PROCESSES = 10_000

/** At most `MAX_PROCESSES` of them. */
export const processIds = (machine: Machine): readonly string[] =>
  machine
    .names('/proc')
    .filter((name) => /^\d+$/.test(name))
    .slice(0, MAX_PROCESSES)

/** Names of the running programs. The kernel cuts them to 15 characters. */
export const processNames = (machine: Machine): ReadonlySet<string> =>
  new Set(processIds(machine).map((pid) => (machine.maybe(`/proc/${pid}/comm`) ?? '').trim()))

/** Bytes of memory that the control groups of this process allow it; undefined: no limit. */
export function memoryLimit(machine: Machine): number | undefined {
  const texts = [
    ...groupFiles(machine, '', 'memory.max'),
    ...groupFiles(machine, 'memory', 'memory.limit_in_bytes'),
  ]
  return smallest(texts.map((text) => Number(text.trim())))
}

/** Processor time in cores, possibly a fraction; undefined: no limit. */
export function coreLimit(machine: Machine): number | undefined {
  const quotas = groupFiles(machine, 'cpu', 'cpu.cfs_quota_us')
  const periods = groupFiles(machine, 'cpu', 'cpu.cfs_period_us')
  const texts = [
    ...groupFiles(machine, '', 'cpu.max'),
    ...quotas.map((quota, i) => `${quota.trim()} ${periods[i]}`),
  ]
  return smallest(
    texts.map((text) => {
      const [quota, period] = text.trim().split(/\s+/)
      return Math.round((Number(quota) / Number(period)) * 100) / 100
    }),
  )
}

const CGROUP_ROOT = '/sys/fs/cgroup'

/**
 * Contents of the files of one name in the control group of this process and in every group above it. `controller`:
 * a hierarchy of version 1; empty: the only one of version 2.
 */
function groupFiles(machine: Machine, controller: string, name: string): string[] {
  const lines = (machine.maybe('/proc/self/cgroup') ?? '').split('\n')
  return lines.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (path === undefined || !controllers?.split(',').includes(controller)) return []
    const names = path.split('/').filter((part) => part !== '' && part !== '..')
    const base = controller === '' ? CGROUP_ROOT : `${CGROUP_ROOT}/${controller}`
    const groups = [base, ...names.map((_, i) => `${base}/${names.slice(0, i + 1).join('/')}`)]
    return groups.flatMap((group) => machine.maybe(`${group}/${name}`) ?? [])
  })
}

/** The smallest positive value: files say `max` or -1 where there is no limit. */
const smallest = (values: readonly number[]): number | undefined => {
  const limits = values.filter((value) => value > 0)
  return limits.length === 0 ? undefined : Math.min(...limits)
}
