/** `tracker check --watch`: prints each answer while targets are asked repeatedly, and the statistics at the end. */
import { EXIT, type Host } from '../cli/host.ts'
import type { Invocation } from '../cli/invocation.ts'
import { printResult, wantsText } from '../cli/output.ts'
import { stopSignal } from '../cli/stop-signal.ts'
import type { CheckOptions } from './checks.ts'
import { monitor, type Probe, seriesOf, type Times } from './monitor.ts'
import { monitorDocument, monitorTable, probeDocument, probeText } from './report.ts'
import type { Target } from './target.ts'

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
  const isText = wantsText(host, invocation)
  const line = isText ? probeText : (probe: Probe) => JSON.stringify(probeDocument(probe))
  const series = await seriesOf(targets, options)
  await monitor(series, options, times, stop.signal, (probe) => host.complain(`${line(probe)}\n`))
  signals.forget()
  printResult(host, invocation, monitorDocument(series, stop.signal.aborted), () =>
    [...monitorTable(series), ''].join('\n'),
  )
  // A target that was never asked is not known to be healthy.
  const allHealthy = series.every(({ statistics: { total, lost } }) => total > 0 && lost === 0)
  return allHealthy ? EXIT.success : EXIT.failure
}
