/**
 * Posts what changed in accounting to a site, page by page: in order, one at a time, again and again until it is taken.
 * How far that went stands in the database, so that a restart goes on there; a page may come twice, none is left out.
 */
import { createHmac } from 'node:crypto'
import { ClientFailure } from '../client/failure.ts'
import { statusFrom } from '../client/http.ts'
import type { Log } from '../log/log.ts'
import type { Report } from '../log/report.ts'
import type { AccountingStore } from '../storage/accounting.ts'
import { Deadline } from '../time/deadline.ts'
import { Bell, LOOK_MILLISECONDS, readPage } from './accounting-feed.ts'
import { JSON_TYPE } from './answers.ts'
import { isDatabaseFault } from './failures.ts'

export type WebhookSettings = {
  readonly url: string
  /** Key of the signature: HMAC-SHA-256 of the body, in hexadecimal digits behind `sha256=`. */
  readonly secret: string
}

export type WebhookPace = {
  /** Of a request, until the status of its answer. */
  readonly requestMilliseconds: number
  /** Wait after the first failure; it doubles with each that follows, up to the longest. Some of it is chance. */
  readonly firstWaitMilliseconds: number
  readonly longestWaitMilliseconds: number
  /** Time after which the database is asked again. */
  readonly lookMilliseconds: number
}
const PACE: WebhookPace = {
  requestMilliseconds: 10_000,
  firstWaitMilliseconds: 1_000,
  longestWaitMilliseconds: 300_000,
  lookMilliseconds: LOOK_MILLISECONDS,
}

const TARGET = 'ACCOUNTING'
/** Name of the mark in the database: number of the last write that was taken. */
const MARK = 'webhook'
const GONE = 410

type WebhookOptions = {
  readonly accounting: AccountingStore
  readonly log: Log
  readonly report: Report
  readonly pace?: WebhookPace
}

export class Webhook {
  readonly #options: WebhookOptions
  #settings: WebhookSettings | null = null
  #stop = new AbortController()
  #last: Promise<void> = Promise.resolve()

  constructor(options: WebhookOptions) {
    this.#options = options
  }

  /** Goes on with these settings; null: posts nothing. With the same as before it just goes on. */
  follow(settings: WebhookSettings | null): void {
    if (Bun.deepEquals(settings, this.#settings)) return
    this.#settings = settings
    this.#stop.abort()
    this.#stop = new AbortController()
    if (settings === null) return
    const delivery = new Delivery(this.#options, settings, this.#stop.signal)
    this.#last = this.#last.then(() => delivery.run())
  }

  /** Resolves when nothing is under way any more. */
  [Symbol.asyncDispose](): Promise<void> {
    this.follow(null)
    return this.#last
  }
}

/** Posts to one place until `signal` aborts. */
class Delivery {
  readonly #options: WebhookOptions
  readonly #pace: WebhookPace
  readonly #url: URL
  readonly #secret: string
  readonly #signal: AbortSignal
  readonly #stopped = Promise.withResolvers<void>()
  readonly #bell = new Bell()
  readonly #failing: Failing
  /** Number of the last write that was taken, and what the database knows of it. */
  #taken: number | undefined
  #stored: number | undefined

  constructor(options: WebhookOptions, { url, secret }: WebhookSettings, signal: AbortSignal) {
    this.#options = options
    this.#pace = options.pace ?? PACE
    this.#failing = new Failing(this.#pace)
    this.#url = new URL(url)
    this.#secret = secret
    this.#signal = signal
    signal.addEventListener('abort', () => {
      this.#stopped.resolve()
      this.#bell.ring()
    })
  }

  async run(): Promise<void> {
    const unfollow = this.#options.accounting.follow(({ kind }) => {
      if (kind === 'batch') this.#bell.ring()
    })
    try {
      let isWanted = true
      while (isWanted && !this.#signal.aborted)
        isWanted = await this.#step().catch((error) => this.#failed(error))
    } finally {
      unfollow()
    }
  }

  /** Posts the next page, or waits for one. false: the site wants no more. */
  async #step(): Promise<boolean> {
    const { accounting, log } = this.#options
    this.#stored ??= await accounting.readMark(MARK)
    this.#taken ??= this.#stored
    if (this.#taken !== this.#stored) await accounting.putMark(MARK, this.#taken)
    this.#stored = this.#taken
    const { text, next } = await readPage(accounting, this.#taken)
    if (next === this.#taken) {
      await this.#bell.heard(this.#pace.lookMilliseconds)
      return true
    }
    const status = await this.#post(text)
    // The rest of the URL may be secret.
    const url = this.#url.origin
    if (status === GONE) {
      log.info(TARGET, 'webhook {url}: it answered 410: nothing is posted any more', { url })
      return false
    }
    this.#taken = next
    const seconds = this.#failing.ended()
    if (seconds !== undefined)
      log.info(TARGET, 'webhook {url}: works again after {seconds} s', { url, seconds })
    return true
  }

  /** Waits until it is worth another try. */
  async #failed(error: unknown): Promise<boolean> {
    if (this.#signal.aborted) return false
    let wait = this.#pace.lookMilliseconds
    if (error instanceof ClientFailure) {
      const { reason } = error
      if (!this.#failing.isOn)
        this.#options.log.error(TARGET, 'webhook {url}: {reason}; it is tried again', {
          url: this.#url.origin,
          reason,
        })
      wait = this.#failing.wait()
    } else if (!isDatabaseFault(error)) this.#options.report('webhook', error)
    await Deadline.in(wait).waitFor(this.#stopped.promise)
    return true
  }

  /** The status 410 or one of success. Rejects with a `ClientFailure`. */
  async #post(text: string): Promise<number> {
    const signature = createHmac('sha256', this.#secret).update(text).digest('hex')
    const request = {
      method: 'POST',
      headers: { 'content-type': JSON_TYPE, 'x-signature': `sha256=${signature}` },
      body: text,
      milliseconds: this.#pace.requestMilliseconds,
    }
    const status = await statusFrom(this.#url, request, this.#signal)
    if (status === GONE || (status >= 200 && status < 300)) return status
    throw new ClientFailure('status', `HTTP status ${status}`)
  }
}

/** A row of failures. */
class Failing {
  readonly #pace: WebhookPace
  #since = 0
  #times = 0

  constructor(pace: WebhookPace) {
    this.#pace = pace
  }

  get isOn(): boolean {
    return this.#times > 0
  }

  /** It failed once more. Milliseconds to wait: half of them is chance, because others may wait for the same server. */
  wait(): number {
    if (!this.isOn) this.#since = performance.now()
    const { firstWaitMilliseconds: first, longestWaitMilliseconds: longest } = this.#pace
    const wait = Math.min(first * 2 ** this.#times++, longest)
    return wait * (0.5 + Math.random() / 2)
  }

  /** Seconds that it lasted; undefined: nothing had failed. */
  ended(): number | undefined {
    if (!this.isOn) return undefined
    this.#times = 0
    return Math.round((performance.now() - this.#since) / 1000)
  }
}
