/** `tracker check`: collects what to check from all places that name it, and prints what was found. */
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
import { readInfoHash } from '../client/torrent-file.ts'
import { oneLine } from '../text/printable.ts'
import { ARGUMENT, findConfiguration } from './checker-configuration.ts'
import { type CheckOptions, checkAll } from './checks.ts'
import { findingDocument, findingsText, isHealthy, reasons } from './report.ts'
import { guessTarget, readTarget, type Target } from './target.ts'
import { watch } from './watch.ts'

const DEFAULT_INFO_HASH = '9c38422213e30bff212b30c360d26f9a02136422'

export async function check(invocation: Invocation, host: Host): Promise<number> {
  const options = readOptions(invocation, host)
  const times = readTimes(invocation)
  const targets = readTargets(invocation, host)
  if (!targets) return EXIT.misuse
  if (times) return await watch(targets, options, times, invocation, host)

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
  return findings.every(isHealthy) ? EXIT.success : EXIT.failure
}

function readOptions(invocation: Invocation, host: Host): CheckOptions {
  const word = optionValue(invocation, 'info-hash') ?? DEFAULT_INFO_HASH
  const infoHash = readInfoHash(word, (path) => readSmallFile(resolve(host.cwd, path)))
  if (typeof infoHash === 'string') throw new Misuse(`--info-hash: ${infoHash}`)
  return { infoHash, ...readAskOptions(invocation) }
}

/** The times of `--watch`; undefined: the option is not given. */
function readTimes(invocation: Invocation) {
  if (invocation.options.has('watch'))
    return {
      interval: secondsValue(invocation, 'interval', { min: 0.05, max: 86_400 }, 10),
      duration: secondsValue(
        invocation,
        'duration',
        { min: 0.05, max: 1e8 },
        Number.POSITIVE_INFINITY,
      ),
    }
  for (const name of ['interval', 'duration'])
    if (invocation.options.has(name)) throw new Misuse(`--${name} needs --watch`)
  return undefined
}

/** undefined: there are mistakes, which are now on the standard error. */
function readTargets(invocation: Invocation, host: Host): readonly Target[] | undefined {
  const words = invocation.arguments.filter((word) => !isJson(word))
  const [content, another] = invocation.arguments.filter(isJson)
  if (another !== undefined) throw new Misuse('the JSON argument is given twice')
  const health = optionValue(invocation, 'health')
  const given = [
    ...words.map((word) => ({ place: '', target: guessNamed(word) })),
    ...(health === undefined
      ? []
      : [{ place: '--health: ', target: readTarget('health', health) }]),
  ]
  const configuration = findConfiguration({
    path: optionValue(invocation, 'config-path'),
    content,
    named: given.length > 0,
    env: host.env,
    cwd: host.cwd,
    readFile: (path) => Buffer.from(readSmallFile(path)).toString(),
  })
  if (!configuration && given.length === 0)
    throw new Misuse(
      'needs something to check: a URL, --config-path or TORRUST_CHECKER_CONFIG_PATH',
    )
  if (content !== undefined && configuration?.name !== ARGUMENT)
    host.complain(`tracker check: ${ARGUMENT} is ignored: ${configuration?.name} is read instead\n`)
  const targets = [...(configuration?.targets ?? [])]
  const mistakes = (configuration?.mistakes ?? []).map((what) => `${configuration?.name}: ${what}`)
  for (const { place, target } of given)
    if (typeof target === 'string') mistakes.push(oneLine(`${place}${target}`))
    else targets.push(target)
  if (mistakes.length === 0 && targets.length > 0) return targets
  if (mistakes.length === 0)
    mistakes.push(`${configuration?.name}: there is nothing to check in it`)
  for (const mistake of mistakes) host.complain(`tracker check: ${mistake}\n`)
  return undefined
}

const isJson = (word: string): boolean => /^\s*\{/.test(word)

function guessNamed(word: string): Target | string {
  const target = guessTarget(word)
  return typeof target === 'string' && /\.json$/i.test(word)
    ? `${target}, did you mean --config-path ${word}?`
    : target
}
