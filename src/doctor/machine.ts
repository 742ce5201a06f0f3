/** What the system shows of itself: files of /proc and /sys below a root that can be chosen, and facts that no file holds. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { libc } from '../servers/libc.ts'
import { LINUX, STRUCT } from '../servers/linux.ts'
import { systemReason } from '../text/system-errors.ts'

/** `message`: one line that names the file. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
}

export interface Facts {
  /** Bytes of memory that this process may use. */
  readonly memory: number
  /** undefined: the kernel does not tell. */
  readonly clockIsKept: boolean | undefined
}

const factsOfThis = (): Facts => ({
  memory: Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
  clockIsKept: clockIsKept(),
})

/** Whether a program keeps the clock right. The kernel is asked only, which needs no privilege. */
function clockIsKept(): boolean | undefined {
  const state = libc()?.adjtimex(new Uint8Array(STRUCT.timex.bytes))
  return state === undefined || state < 0 ? undefined : state !== LINUX.TIME_ERROR
}

export class Machine {
  readonly facts: Facts
  readonly #root: string

  constructor(root = '/', facts: Facts = factsOfThis()) {
    this.#root = root
    this.facts = facts
  }

  /** Throws `Unreadable`. */
  text(path: string): string {
    try {
      return readFileSync(join(this.#root, path), 'utf8')
    } catch (error) {
      throw new Unreadable(`${path}: ${systemReason(error)}`)
    }
  }

  /** The whole number that the file holds. Throws `Unreadable`. */
  number(path: string): number {
    const text = this.text(path).trim()
    if (/^\d{1,15}$/.test(text)) return Number(text)
    throw new Unreadable(`${path} does not hold a number`)
  }

  /** undefined: it cannot be read. */
  maybe(path: string): string | undefined {
    try {
      return this.text(path)
    } catch {
      return undefined
    }
  }

  /** Where /proc describes the tracker that runs here; undefined: there is none, or more than one could be it. */
  tracker(): string | undefined {
    const root = join(this.#root, 'proc')
    const ids = existsSync(root) ? readdirSync(root).filter((name) => /^\d+$/.test(name)) : []
    const found = ids.filter((id) =>
      // Neither this process nor another command, such as `tracker check`.
      /^(?:[^\0]*\/)?tracker\0(?:-|$)/.test(this.maybe(`/proc/${id}/cmdline`) ?? ''),
    )
    return found.length === 1 ? `/proc/${found[0]}` : undefined
  }
}
