/**
 * The log: one line for each event on standard output, in the layouts that the reference's users parse
 * (docs/behaviours.md O4, O5). Never throws, never prints control characters that a client sent, and has no
 * line for a single request at `info`. No message and no field may hold an auth key, a token or a password.
 */
import { writeSync } from 'node:fs'
import { escaped } from '../text/printable.ts'
import { LogHistory } from './history.ts'
import { LEVELS, type Level, type LevelFilter, RANKS } from './level.ts'

export type LogStyle = 'full' | 'pretty' | 'compact' | 'json'
export type Fields = Readonly<Record<string, string | number | boolean>>

export type LogOptions = {
  /** Least important level that is printed at first; `off` prints nothing. */
  readonly filter: LevelFilter
  readonly style: LogStyle
  readonly colour: boolean
  /** Of the log of another thread, with which this one shares what is printed; `filter` then says nothing. */
  readonly memory?: SharedArrayBuffer
}

/** ANSI colours of the levels, as the reference paints them. */
const COLOURS = { error: 31, warn: 33, info: 32, debug: 34, trace: 35 } as const
const dim = (text: string, colour: boolean) => (colour ? `\x1b[2m${text}\x1b[0m` : text)

export class Log {
  /** For the log of another thread. */
  readonly options: LogOptions
  readonly history: LogHistory
  /** Rank of the least important level that is printed. */
  readonly #least: Int32Array
  readonly #milliseconds: () => number
  readonly #write: (line: string) => void

  constructor(
    options: LogOptions,
    milliseconds: () => number,
    write = toStandardOutput,
    history = new LogHistory(milliseconds() * 1_000),
  ) {
    const { memory = new SharedArrayBuffer(4) } = options
    this.options = { ...options, memory }
    this.history = history
    this.#least = new Int32Array(memory)
    this.#milliseconds = milliseconds
    this.#write = write
    if (options.memory === undefined) this.filter = options.filter
  }

  /** Least important level that is printed. Setting it changes the logs of all threads. */
  get filter(): LevelFilter {
    return LEVELS[this.#least[0]!] ?? 'off'
  }
  set filter(filter: LevelFilter) {
    this.#least[0] = RANKS[filter]
  }

  /** Ask before building an expensive message: a load and a comparison. */
  prints(level: Level): boolean {
    return RANKS[level] <= this.#least[0]!
  }

  /**
   * `message` is a text of ours. The name of a field in braces stands for its value: such a field has no place of its
   * own in the styles for people, and one in `json` all the same.
   */
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
  trace(target: string, message: string, fields?: Fields): void {
    this.#say('trace', target, message, fields)
  }

  #say(level: Level, target: string, message: string, fields: Fields = {}): void {
    if (!this.prints(level)) return
    const timestamp = `${new Date(this.#milliseconds()).toISOString().slice(0, -1)}000Z`
    const event = { timestamp, level, target, message: withValues(message, fields), fields }
    const json = asJson(event)
    const { style, colour } = this.options
    const rest = Object.entries(fields).filter(([name]) => !message.includes(`{${name}}`))
    this.#write(`${style === 'json' ? json : asText(style, colour, event, rest)}\n`)
    this.history.add({ level, json })
  }
}

type Event = { timestamp: string; level: Level; target: string; message: string; fields: Fields }

const asJson = ({ timestamp, level, target, message, fields }: Event): string =>
  JSON.stringify({ timestamp, level: level.toUpperCase(), fields: { message, ...fields }, target })

const withValues = (message: string, fields: Fields): string =>
  message.replace(/\{([a-z_]+)\}/g, (all, name) => {
    const value = fields[name]
    return value === undefined ? all : oneLine(String(value))
  })

function asText(
  style: Exclude<LogStyle, 'json'>,
  colour: boolean,
  event: Event,
  fields: readonly (readonly [name: string, value: Fields[string]])[],
): string {
  const { timestamp, level, target } = event
  const padded = level.toUpperCase().padStart(5)
  const painted = colour ? `\x1b[${COLOURS[level]}m${padded}\x1b[0m` : padded
  const message = escaped(event.message)
  const pairs = fields.map(([name, value]) => `${name}=${oneLine(String(value))}`)
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
