/** `tracker` without a command: serves until a signal comes, and logs what happens. */
import { randomBytes } from 'node:crypto'
import type { Host } from '../cli/host.ts'
import { stopSignal } from '../cli/stop-signal.ts'
import type { Loaded } from '../config/load.ts'
import type { Config } from '../config/model.ts'
import { dump } from '../config/print.ts'
import { Log } from '../log/log.ts'
import { systemClock } from '../time/clock.ts'
import { Deadline } from '../time/deadline.ts'
import { COMMIT, VERSION } from '../version.ts'
import { start } from './start.ts'

/** Less than orchestrators wait before they kill; open connections get half of it (start.ts). */
const STOP_WITHIN_MILLISECONDS = 10_000

/** Resolves with the exit code: 0 after a clean stop, 1 when it could not start, stop, or write what it owes. */
export async function serve(loaded: Loaded, host: Host): Promise<number> {
  const tokens = loaded.config.http_api?.access_tokens
  const isOpen = tokens !== undefined && Object.keys(tokens).length === 0
  const token = isOpen ? randomBytes(16).toString('hex') : undefined
  const config = token === undefined ? loaded.config : withToken(loaded.config, token)
  const { trace_filter: filter, trace_style: style } = config.logging
  const log = new Log({ filter, style, colour: host.colour }, systemClock.milliseconds)
  const stop = stopSignal(host)
  const hungUp = onHangUp(log)
  process.on('SIGHUP', hungUp)
  try {
    const build = COMMIT === undefined ? '' : ` (${COMMIT})`
    log.info('TRACKER', `tracker {version}${build}`, { version: VERSION })
    log.info('CONFIGURATION', 'Read from {source}', { source: loaded.source })
    for (const warning of loaded.warnings) log.warn('CONFIGURATION', warning)
    if (log.prints('debug')) log.debug('CONFIGURATION', `Configuration:\n${dump(config)}`)
    const running = await start(config, log, VERSION)
    // Not in the log, which is kept and read by others: only the one who started the tracker sees it, once.
    if (token !== undefined) host.complain(`The API's token for this run: ${token}\n`)
    // The last line of a start, whose second half scripts of the reference's users wait for.
    const ready = 'Ready in {ready_ms} ms. Tracker shutdown signal handlers installed.'
    log.info('TRACKER', ready, { ready_ms: Math.round(performance.now()) })
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
    process.off('SIGHUP', hungUp)
  }
}

/**
 * SIGHUP asks a daemon to read its configuration again, and is sent when its terminal closes. Without a handler
 * it would end the process with everything unwritten.
 */
function onHangUp(log: Log): () => void {
  let isWarned = false
  return () => {
    if (!isWarned)
      log.warn('TRACKER', 'SIGHUP does not reload the configuration yet: restart the tracker')
    isWarned = true
  }
}

/** An API without a token is of no use: the one who starts the tracker gets one for this run. */
const withToken = (config: Config, token: string): Config => ({
  ...config,
  http_api: config.http_api && {
    ...config.http_api,
    access_tokens: { run: { token, scope: 'all' } },
  },
})

function fail(host: Host, reason: string): number {
  host.complain(`tracker: ${reason}\n`)
  return 1
}
