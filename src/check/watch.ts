/** `tracker check --watch`: what is told while targets are asked again and again, and in the end. */

import { type Host, type Invocation, optionValue } from '../cli/host.ts'
import { printResult } from '../cli/output.ts'
import { stopSignal } from '../cli/stop-signal.ts'
import type { CheckOptions } from './checks.ts'
import { monitor, type Probe, type Series, seriesOf, type Times } from './monitor.ts'
import { monitorDocument, monitorTable, probeDocument, probeText } from './monitor-report.ts'
import type { Target } from './target.ts'

const REDRAW_MILLISECONDS = 250
/** Lines of a table that is drawn over itself: no more than the smallest terminals have. */
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
  // Whoever reads the probes may be gone as well.
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
    // Of what was never answered nothing is known.
    return series.every(({ statistics: { total, lost } }) => total > 0 && lost === 0) ? 0 : 1
  } finally {
    signals.forget()
    host.readerGone.removeEventListener('abort', leave)
    process.stderr.off('error', leave)
  }
}

/** The statistics so far, on a terminal, drawn over what they were before. */
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
    // Lines are cut where the terminal ends: one that goes on below would be drawn over only in part.
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
