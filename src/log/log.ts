/**
 * The log: one line for each event on standard output, in the layouts that the reference's users parse
 * (docs/behaviours.md O4, O5). Never throws, never prints control characters that a client sent, and has no
 * line for a single request at `info`.
 */
import { writeSync } from 'node:fs'
import { escaped } from '../text/printable.ts'

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
