/**
 * The log: one line for each event on standard output, in the layouts that the reference's users parse
 * (docs/behaviours.md O4, O5). Never throws, never prints control characters that a client sent, and has no
 * line for a single request at `info`.
 */
import { writeSync } from 'node:fs'
import { escaped } from './text/printable.ts'

export const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const
export type Level = (typeof LEVELS)[number]
export type LogStyle = 'full' | 'pretty' | 'compact' | 'json'
export type Fields = Readonly<Record<string, string | number | boolean>>

export type LogOptions = {
  /** Least important level that is printed; `off` prints nothing. */
  readonly filter: Level | 'off'
  readonly style: LogStyle
  readonly colour: boolean
}

/** ANSI colours of the levels, as the reference paints them. */
const COLOURS = { error: 31, warn: 33, info: 32, debug: 34, trace: 35 } as const
const dim = (text: string, colour: boolean) => (colour ? `\x1b[2m${text}\x1b[0m` : text)

export class Log {
  readonly options: LogOptions
  readonly #threshold: number
  readonly #milliseconds: () => number
  readonly #write: (line: string) => void

  constructor(options: LogOptions, milliseconds: () => number, write = toStandardOutput) {
    this.options = options
    this.#threshold = options.filter === 'off' ? -1 : LEVELS.indexOf(options.filter)
    this.#milliseconds = milliseconds
    this.#write = write
  }

  /** Ask before building an expensive message. */
  prints(level: Level): boolean {
    return LEVELS.indexOf(level) <= this.#threshold
  }

  error(target: string, message: string, fields?: Fields): void {
    this.#say('error', target, message, fields)
  }
  warn(target: string, message: string, fields?: Fields): void {
    this.#say('warn', target, message, fields)
  }
  info(target: string, message: string, fields?: Fields): void {
    this.#say('info', target, message, fields)
  }
  debug(target: string, message: string, fields?: Fields): void {
    this.#say('debug', target, message, fields)
  }

  #say(level: Level, target: string, message: string, fields: Fields = {}): void {
    if (!this.prints(level)) return
    const timestamp = `${new Date(this.#milliseconds()).toISOString().slice(0, -1)}000Z`
    this.#write(`${layout(this.options, { timestamp, level, target, message, fields })}\n`)
  }
}

type Event = { timestamp: string; level: Level; target: string; message: string; fields: Fields }

function layout({ style, colour }: LogOptions, event: Event): string {
  const { timestamp, level, target, fields } = event
  if (style === 'json')
    return JSON.stringify({
      timestamp,
      level: level.toUpperCase(),
      fields: { message: event.message, ...fields },
      target,
    })
  const padded = level.toUpperCase().padStart(5)
  const painted = colour ? `\x1b[${COLOURS[level]}m${padded}\x1b[0m` : padded
  const message = escaped(event.message)
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${oneLine(String(value))}`)
  if (style === 'compact') {
    const time = timestamp.slice(11, 19)
    return [dim(time, colour), painted, dim(`${target}:`, colour), message, ...pairs].join(' ')
  }
  const head = `${dim(timestamp, colour)} ${painted} ${dim(`${target}:`, colour)} ${message}`
  if (style === 'full') return [head, ...pairs].join(' ')
  return [`  ${head}`, ...pairs.map((pair) => `    ${dim('with', colour)} ${pair}`)].join('\n')
}

/** Fields may carry text of a client, whose line break would begin a new line of the log. */
const oneLine = (text: string): string => escaped(text).replaceAll('\n', '\\x0a')

/** A full pipe loses the line and a closed one loses all lines; neither may stop the tracker. */
function toStandardOutput(line: string): void {
  try {
    writeSync(1, line)
  } catch {
    // There is nowhere to report it.
  }
}

/** Receives an error that no code foresaw: a bug of ours. `what` names where it was caught. */
export type Report = (what: string, error: unknown) => void

const MOST_KINDS = 100

/**
 * Passes the first error of each kind on to `report`, and no more than 100 kinds: a client that finds
 * a bug must not be able to fill the log. A kind is `what` and the name of the error, for instance
 * `announce: TypeError`; `report` receives it in place of `what`.
 */
export function onceEach(report: Report): Report {
  const reported = new Set<string>()
  return (what, error) => {
    const kind = `${what}: ${error instanceof Error ? error.name : typeof error}`
    if (reported.has(kind) || reported.size >= MOST_KINDS) return
    reported.add(kind)
    report(kind, error)
  }
}

const MINUTE = 60_000

/**
 * Trouble that may last: a warning when it begins, a count for each minute in which it goes on, and a last line
 * when there was none of it for a minute. Times are milliseconds of any origin.
 */
export class Trouble {
  readonly #log: Log
  readonly #target: string
  readonly #tally: (count: number, seconds: number) => string
  #began = 0
  /** When it was seen last, and when a line was logged last. */
  #seen = 0
  #logged = 0
  /** How often it was seen in all, and until the last line. */
  #count = 0
  #counted = 0

  /** `tally` says that it happened `count` times within `seconds`. */
  constructor(log: Log, target: string, tally: (count: number, seconds: number) => string) {
    this.#log = log
    this.#target = target
    this.#tally = tally
  }

  /** Whether it began and is not over. */
  get isOn(): boolean {
    return this.#count > 0
  }

  /** It happened `count` times just now; `what` describes it. */
  add(now: number, count: number, what: () => string): void {
    if (count === 0) return
    if (!this.isOn) {
      this.#began = this.#logged = now
      this.#counted = 0
      this.#log.warn(this.#target, what())
    }
    this.#count += count
    this.#seen = now
  }

  /** Call it from time to time, whether it happens or not. */
  pass(now: number): void {
    if (!this.isOn) return
    if (now - this.#seen >= MINUTE) {
      const seconds = Math.round((this.#seen - this.#began) / 1000)
      this.#log.info(this.#target, `It is over: ${this.#tally(this.#count, seconds)}`)
      this.#count = 0
    } else if (now - this.#logged >= MINUTE && this.#count > this.#counted) {
      const seconds = Math.round((now - this.#logged) / 1000)
      this.#log.warn(this.#target, this.#tally(this.#count - this.#counted, seconds))
      this.#logged = now
      this.#counted = this.#count
    }
  }
}
