/**
 * The lines that single requests have in the log: those that are not served at `debug`, those that are at `trace`.
 * Samples only, because strangers decide how many requests there are. While the level is off, a refusal costs one
 * comparison and a request that is served nothing.
 */
import type { Address } from '../bittorrent.ts'
import { LimitedLines } from '../log/limited-lines.ts'
import type { Fields, Log } from '../log/log.ts'
import { outcomeName, type Refusal } from '../refusal.ts'
import { printIp } from '../wire/address.ts'

/** Lines a second of one listener on one thread: of each way not to be served, and of requests that are. */
export const REFUSED_LINES = 10
export const SERVED_LINES = 100
const SECOND = 1_000

/** Why a request is not served, or what becomes of a datagram that nothing answers. */
type Unserved = Refusal | 'malformed' | 'discarded'

export class RequestLog {
  readonly #log: Log
  readonly #target: string
  readonly #fields: Fields
  readonly #refused = new Map<Unserved, LimitedLines>()
  readonly #served: LimitedLines
  /** Whether requests that are not served, and those that are, have lines, as of the last `look`. */
  tellsRefused = false
  tellsServed = false

  /** `fields`: what all lines have in common, the listener for instance. */
  constructor(log: Log, target: string, fields: Fields) {
    this.#log = log
    this.#target = target
    this.#fields = fields
    const limit = { lines: SERVED_LINES, milliseconds: SECOND }
    this.#served = new LimitedLines(log, { level: 'trace', target, ...limit })
  }

  /** Call it for many requests at once. */
  look(): void {
    this.tellsRefused = this.#log.prints('debug')
    this.tellsServed = this.#log.prints('trace')
  }

  /**
   * A request is not served. `about`: its info hash, or what the reader says is wrong with it. Arguments that are
   * memory are read at once.
   */
  refused(
    kind: string,
    from: Address | undefined,
    why: Unserved,
    about?: Uint8Array | string,
  ): void {
    if (!this.#log.prints('debug')) return
    const lines = this.#refused.get(why) ?? this.#linesOf(why)
    lines.say('request not served', () => ({
      ...this.#fieldsOf(kind, from, why),
      ...(typeof about === 'string' ? { reason: withoutKeys(about) } : infoHashOf(about)),
    }))
  }

  served(kind: string, from: Address, infoHash?: Uint8Array): void {
    if (!this.#log.prints('trace')) return
    this.#served.say('request served', () => ({
      ...this.#fieldsOf(kind, from, 'served'),
      ...infoHashOf(infoHash),
    }))
  }

  #linesOf(why: Unserved): LimitedLines {
    const limit = { lines: REFUSED_LINES, milliseconds: SECOND }
    const lines = new LimitedLines(this.#log, { level: 'debug', target: this.#target, ...limit })
    this.#refused.set(why, lines)
    return lines
  }

  #fieldsOf(kind: string, from: Address | undefined, outcome: string): Fields {
    const client = from && { client: printIp(from.bytes, from.family) }
    return { ...this.#fields, kind, outcome: outcomeName(outcome), ...client }
  }
}

const infoHashOf = (infoHash: Uint8Array | undefined): Fields =>
  infoHash === undefined ? {} : { info_hash: infoHash.toHex() }

/** What the reader says may repeat a client's text, and the client may have put its key in the wrong place. */
const withoutKeys = (text: string): string => text.replace(/[0-9A-Za-z]{32,}/g, '***')
