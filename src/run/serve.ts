/** `tracker` without a command: serves until a signal comes, and logs what happens. */
import { randomBytes } from 'node:crypto'
import type { Host } from '../cli/host.ts'
import { stopSignal } from '../cli/stop-signal.ts'
import type { Failed, Loaded } from '../config/load.ts'
import type { Config } from '../config/model.ts'
import { dump } from '../config/print.ts'
import { Log } from '../log/log.ts'
import { systemClock } from '../time/clock.ts'
import { Deadline } from '../time/deadline.ts'
import { COMMIT, VERSION } from '../version.ts'
import { start } from './start.ts'

/** Less than orchestrators wait before they kill; open connections get half of it (start.ts). */
const STOP_WITHIN_MILLISECONDS = 10_000

/**
 * `again` reads the configuration once more. Resolves with the exit code: 0 after a clean stop, 1 when it could not
 * start, stop, or write what it owes.
 */
export async function serve(
  loaded: Loaded,
  host: Host,
  again: () => Loaded | Failed,
): Promise<number> {
  const runToken = new RunToken(host)
  const config = runToken.give(loaded.config)
  const { trace_filter: filter, trace_style: style } = config.logging
  const log = new Log({ filter, style, colour: host.colour }, systemClock.milliseconds)
  const stop = stopSignal(host)
  const hangUp = new HangUp()
  try {
    const build = COMMIT === undefined ? '' : ` (${COMMIT})`
    log.info('TRACKER', `tracker {version}${build}`, { version: VERSION })
    log.info('CONFIGURATION', 'Read from {source}', { source: loaded.source })
    for (const warning of loaded.warnings) log.warn('CONFIGURATION', warning)
    if (log.prints('debug')) log.debug('CONFIGURATION', `Configuration:\n${dump(config)}`)
    const running = await start({ ...loaded, config }, log, VERSION, () => {
      const read = again()
      return read.kind === 'failed' ? read : { ...read, config: runToken.give(read.config) }
    })
    runToken.tell()
    // The last line of a start, whose second half scripts of the reference's users wait for.
    const ready = 'Ready in {ready_ms} ms. Tracker shutdown signal handlers installed.'
    log.info('TRACKER', ready, { ready_ms: Math.round(performance.now()) })
    hangUp.follow(async () => {
      await running.reload('SIGHUP')
      runToken.tell()
    })
    const signal = await stop.promise
    log.info('TRACKER', 'Tracker shutting down ({signal}) ...', { signal })
    running.drain()
    const stopping = running[Symbol.asyncDispose]()
    if (!(await Deadline.in(STOP_WITHIN_MILLISECONDS).waitFor(stopping)))
      return fail(host, `not everything stopped within ${STOP_WITHIN_MILLISECONDS / 1000} s`)
    log.info('TRACKER', 'Tracker successfully shutdown.')
    return 0
  } catch (error) {
    return fail(host, error instanceof Error ? error.message : String(error))
  } finally {
    stop.forget()
    hangUp[Symbol.dispose]()
  }
}

/**
 * SIGHUP asks a daemon to read its configuration again, and is sent when its terminal closes. Without a handler
 * it would end the process with everything unwritten.
 */
class HangUp implements Disposable {
  #reload: (() => unknown) | undefined
  /** During the start, which may have read the configuration before it was changed. */
  #cameEarly = false
  readonly #handle = () => {
    if (this.#reload === undefined) this.#cameEarly = true
    else this.#reload()
  }

  constructor() {
    process.on('SIGHUP', this.#handle)
  }

  follow(reload: () => unknown): void {
    this.#reload = reload
    if (this.#cameEarly) reload()
  }

  [Symbol.dispose](): void {
    process.off('SIGHUP', this.#handle)
  }
}

/** An API without a token is of no use: the one who starts the tracker gets one for this run. */
class RunToken {
  readonly #host: Host
  #token: string | undefined
  #isTold = false

  constructor(host: Host) {
    this.#host = host
  }

  give(config: Config): Config {
    const { http_api } = config
    if (http_api === null || Object.keys(http_api.access_tokens).length > 0) return config
    this.#token ??= randomBytes(16).toString('hex')
    const run = { token: this.#token, scope: 'all' } as const
    return { ...config, http_api: { ...http_api, access_tokens: { run } } }
  }

  /** Not in the log, which is kept and read by others: only the one who started the tracker sees it, once. */
  tell(): void {
    if (this.#token === undefined || this.#isTold) return
    this.#isTold = true
    this.#host.complain(`The API's token for this run: ${this.#token}\n`)
  }
}

function fail(host: Host, reason: string): number {
  host.complain(`tracker: ${reason}\n`)
  return 1
}
