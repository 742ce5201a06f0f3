/**
 * What an operator may change while the tracker serves, in one small piece of shared memory: the control
 * thread writes it, and every thread reads a value where it applies it. Plain loads of aligned words: a
 * reader never sees half a value, but for an instant it may see a new one beside an old one, so nothing may
 * rely on two of them belonging together. What is sized or written in advance follows `version`.
 */
import { LIMITS } from './limits.ts'
import type { RefusalSchema } from './refusal.ts'

/**
 * What follows from wrong connection ids. `suppress`: from an address that showed too many, datagrams with a
 * wrong one are dropped without an answer and all others served, so that wrong ids sent under its name do it
 * no harm. `ban`: everything from there is dropped. `serve`: nothing follows, wrong ids are counted and served.
 */
export type IdErrors = 'serve' | 'suppress' | 'ban'

export type RuleValues = {
  /** Seconds a client should wait, and must wait, between two announces; below 2^31. */
  readonly interval: number
  readonly intervalMin: number
  /** Most peers in one answer; from 1 to `LIMITS.peersPerAnswer`. */
  readonly maxPeers: number
  /** Seconds after its last announce at which a peer is gone; below 2^32. */
  readonly peerTimeoutSeconds: number
  /** The same for WebTorrent peers, which announce more often. */
  readonly webPeerTimeoutSeconds: number
  /** Whether a sweep removes torrents that have no peers and owe the database nothing. */
  readonly removePeerless: boolean
  /** In the words of which generation clients are refused. */
  readonly schema: RefusalSchema
  readonly idErrors: IdErrors
  /** Wrong connection ids of one address that have no consequences; below 2^32. */
  readonly banLimit: number
}

const AT = {
  version: 0,
  interval: 1,
  intervalMin: 2,
  maxPeers: 3,
  peerTimeout: 4,
  removePeerless: 5,
  schema: 6,
  idErrors: 7,
  banLimit: 8,
  webPeerTimeout: 9,
  words: 16,
} as const

/** By the number that stands in the memory. */
const SCHEMAS: readonly RefusalSchema[] = ['2.0.0', '3.0.0']
const ID_ERRORS: readonly IdErrors[] = ['serve', 'suppress', 'ban']

export class Rules implements RuleValues {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array

  /** `memory`: of the `Rules` of another thread. */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory
    this.#words = new Int32Array(memory)
  }

  static of(values: RuleValues): Rules {
    const rules = new Rules(new SharedArrayBuffer(AT.words * 4))
    rules.write(values)
    return rules
  }

  /** Replaces all values. Only the control thread calls it. Throws RangeError, and then changes nothing. */
  write(values: RuleValues): void {
    const words = this.#words
    if (values.maxPeers < 1 || values.maxPeers > LIMITS.peersPerAnswer)
      throw new RangeError(`${values.maxPeers} peers do not fit an answer`)
    if (Math.max(values.interval, values.intervalMin) >= 2 ** 31)
      throw new RangeError('an interval has at most 31 bits')
    words[AT.interval] = values.interval
    words[AT.intervalMin] = values.intervalMin
    words[AT.maxPeers] = values.maxPeers
    words[AT.peerTimeout] = values.peerTimeoutSeconds
    words[AT.webPeerTimeout] = values.webPeerTimeoutSeconds
    words[AT.removePeerless] = Number(values.removePeerless)
    words[AT.schema] = SCHEMAS.indexOf(values.schema)
    words[AT.idErrors] = ID_ERRORS.indexOf(values.idErrors)
    words[AT.banLimit] = values.banLimit
    // Last: a reader that sees the new version sees the new values.
    Atomics.add(words, AT.version, 1)
  }

  /** Changes with every `write`. Costs more than the values: look at it once for many requests. */
  get version(): number {
    return Atomics.load(this.#words, AT.version)
  }
  get interval(): number {
    return this.#words[AT.interval]!
  }
  get intervalMin(): number {
    return this.#words[AT.intervalMin]!
  }
  get maxPeers(): number {
    return this.#words[AT.maxPeers]!
  }
  get peerTimeoutSeconds(): number {
    return this.#words[AT.peerTimeout]! >>> 0
  }
  get webPeerTimeoutSeconds(): number {
    return this.#words[AT.webPeerTimeout]! >>> 0
  }
  get removePeerless(): boolean {
    return this.#words[AT.removePeerless] === 1
  }
  get schema(): RefusalSchema {
    return SCHEMAS[this.#words[AT.schema]!]!
  }
  get idErrors(): IdErrors {
    return ID_ERRORS[this.#words[AT.idErrors]!]!
  }
  get banLimit(): number {
    return this.#words[AT.banLimit]! >>> 0
  }
}
