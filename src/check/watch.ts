/** `tracker check --watch`: prints each answer while targets are asked repeatedly, and the statistics at the end. */
import { EXIT, type Host } from '../cli/host.ts'
import { type Invocation, optionValue } from '../cli/invocation.ts'
import { printResult } from '../cli/output.ts'
import { stopSignal } from '../cli/stop-signal.ts'
import type { CheckOptions } from './checks.ts'
import { monitor, type Probe, type Series, seriesOf, type Times } from './monitor.ts'
import { monitorDocument, monitorTable, probeDocument, probeText } from './report.ts'
import type { Target } from './target.ts'

const REDRAW_MILLISECONDS = 250
/** Most lines of the table that is redrawn in place: the smallest terminals have hardly more. */
const MOST_LINES = 20

export async function watch(
  targets: readonly Target[],
  options: CheckOptions,
  times: Times,
  invocation: Invocation,
  host: Host,
): Promise<number> {
  const stop = new AbortController()
  const leave = () => stop.abort()
  const signals = stopSignal(host)
  signals.promise.then(leave)
  host.readerGone.addEventListener('abort', leave)
  // The reader of the probes may go away, too.
  process.stderr.on('error', leave)
  const isText = optionValue(invocation, 'format') === 'text'
  try {
    const series = await seriesOf(targets, options)
    const line = isText ? probeText : (probe: Probe) => JSON.stringify(probeDocument(probe))
    {
      using live = isText && host.errIsTerminal ? new LiveTable(host, series) : undefined
      await monitor(series, options, times, stop.signal, (probe) => {
        if (!live) host.complain(`${line(probe)}\n`)
      })
    }
    const { aborted } = stop.signal
    printResult(host, invocation, monitorDocument(series, aborted), () =>
      [...monitorTable(series), ''].join('\n'),
    )
    // A target that was never asked is not known to be healthy.
    const allHealthy = series.every(({ statistics: { total, lost } }) => total > 0 && lost === 0)
    return allHealthy ? EXIT.success : EXIT.failure
  } finally {
    signals.forget()
    host.readerGone.removeEventListener('abort', leave)
    process.stderr.off('error', leave)
  }
}

/** The statistics so far as a table on a terminal, redrawn in place. */
class LiveTable implements Disposable {
  readonly #host: Host
  readonly #series: readonly Series[]
  readonly #timer: Timer
  #lines = 0

  constructor(host: Host, series: readonly Series[]) {
    this.#host = host
    this.#series = series
    this.#timer = setInterval(() => this.#draw(), REDRAW_MILLISECONDS)
  }

  #draw(): void {
    const shown = monitorTable(this.#series.slice(0, MOST_LINES))
    const more = this.#series.length - MOST_LINES
    if (more > 0) shown.push(`and ${more} more`)
    // Lines are cut at the terminal's edge: one that wraps would be overwritten only in part.
    this.#host.complain(`${this.#up()}\x1b[?7l${shown.join('\n')}\n\x1b[?7h`)
    this.#lines = shown.length
  }

  #up(): string {
    return this.#lines === 0 ? '' : `\x1b[${this.#lines}A\x1b[J`
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    if (this.#lines > 0) this.#host.complain(this.#up())
    this.#lines = 0
  }
}
