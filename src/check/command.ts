/** `tracker check`: reads what to check and how, and prints what was found, once or as it is watched. */
import { resolve } from 'node:path'
import { EXIT, type Host } from '../cli/host.ts'
import {
  type Invocation,
  Misuse,
  optionValue,
  readAskOptions,
  secondsValue,
} from '../cli/invocation.ts'
import { printResult, showProgress, wantsText } from '../cli/output.ts'
import { readSmallFile } from '../cli/small-file.ts'
import { stopSignal } from '../cli/stop-signal.ts'
import { readInfoHash } from '../client/torrent-file.ts'
import { oneLine } from '../text/printable.ts'
import { type CheckOptions, checkAll } from './checks.ts'
import { isWell, monitor, type Probe, seriesOf, type Times } from './monitor.ts'
import {
  findingDocument,
  findingsText,
  isHealthy,
  monitorDocument,
  monitorText,
  probeDocument,
  probeText,
  reasons,
} from './report.ts'
import { findTargets, type Target } from './targets.ts'

const DEFAULT_INFO_HASH = '9c38422213e30bff212b30c360d26f9a02136422'

export async function check(invocation: Invocation, host: Host): Promise<number> {
  const options = readOptions(invocation, host)
  const times = readTimes(invocation)
  const found = findTargets(invocation, host)
  const mistakes = found.filter((target) => typeof target === 'string')
  for (const mistake of mistakes) host.complain(`tracker check: ${oneLine(mistake)}\n`)
  if (mistakes.length > 0) return EXIT.misuse
  const targets = found.filter((target) => typeof target !== 'string')
  const isFine = times
    ? await watch(targets, options, times, invocation, host)
    : await checkOnce(targets, options, invocation, host)
  return isFine ? EXIT.success : EXIT.failure
}

function readOptions(invocation: Invocation, host: Host): CheckOptions {
  const word = optionValue(invocation, 'info-hash') ?? DEFAULT_INFO_HASH
  const infoHash = readInfoHash(word, (path) => readSmallFile(resolve(host.cwd, path)))
  if (typeof infoHash === 'string') throw new Misuse(`--info-hash: ${infoHash}`)
  return { infoHash, ...readAskOptions(invocation) }
}

/** The times of `--watch`; undefined: the option is not given. */
function readTimes(invocation: Invocation): Times | undefined {
  const seconds = (name: string, max: number, fallback: number) =>
    secondsValue(invocation, name, { min: 0.05, max }, fallback)
  if (invocation.options.has('watch'))
    return {
      interval: seconds('interval', 86_400, 10),
      duration: seconds('duration', 1e8, Number.POSITIVE_INFINITY),
    }
  for (const name of ['interval', 'duration'])
    if (invocation.options.has(name)) throw new Misuse(`--${name} needs --watch`)
  return undefined
}

async function checkOnce(
  targets: readonly Target[],
  options: CheckOptions,
  invocation: Invocation,
  host: Host,
): Promise<boolean> {
  let done = 0
  const findings = await (async () => {
    using _line = showProgress(host, () => `${done} of ${targets.length} checked`)
    return await checkAll(targets, options, () => void done++)
  })()
  const isText = wantsText(host, invocation)
  for (const finding of findings) {
    const where = `tracker check: ${finding.url} (${finding.remote})`
    // The text itself says why.
    if (!isHealthy(finding) && !isText) host.complain(`${where}: ${reasons(finding)}\n`)
    if (finding.left !== undefined)
      host.complain(
        `${where}: the peer of the check may stay until the tracker forgets it: ${finding.left}\n`,
      )
  }
  printResult(host, invocation, findings.map(findingDocument), () => findingsText(findings))
  return findings.every(isHealthy)
}

/** Prints each answer while the targets are asked repeatedly, and the statistics at the end. */
async function watch(
  targets: readonly Target[],
  options: CheckOptions,
  times: Times,
  invocation: Invocation,
  host: Host,
): Promise<boolean> {
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
    monitorText(series),
  )
  return series.every(isWell)
}
