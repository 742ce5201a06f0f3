/** `tracker check`: what to check, from wherever it is given, and what was found. */
import { resolve } from 'node:path'
import { readAskOptions } from '../cli/ask-options.ts'
import { type Host, type Invocation, optionValue } from '../cli/host.ts'
import { Misuse, seconds } from '../cli/invocation.ts'
import { printResult } from '../cli/output.ts'
import { Progress } from '../cli/progress.ts'
import { readSmallFile } from '../cli/small-file.ts'
import { printable } from '../client/failure.ts'
import { readInfoHash } from '../client/torrent-file.ts'
import { findConfiguration } from './checker-source.ts'
import { type CheckOptions, checkAll } from './checks.ts'
import { findingDocument, findingsText, isWell, reasons } from './report.ts'
import { guessTarget, readTarget, type Target } from './target.ts'
import { watch } from './watch.ts'

const MISUSE = 2
/** Of one file that is not what it should be: whoever reads them will begin again. */
const MOST_MISTAKES = 100
const DEFAULT_INFO_HASH = '9c38422213e30bff212b30c360d26f9a02136422'

export async function check(invocation: Invocation, host: Host): Promise<number> {
  const options = readOptions(invocation, host)
  const times = readTimes(invocation)
  const targets = readTargets(invocation, host)
  if (!targets) return MISUSE
  if (times) return await watch(targets, options, times, invocation, host)

  let done = 0
  const findings = await (async () => {
    using progress = new Progress(host)
    using _telling = progress.every(() => `${done} of ${targets.length} checked`)
    return await checkAll(targets, options, () => void done++)
  })()
  const isText = optionValue(invocation, 'format') === 'text'
  for (const finding of findings) {
    const where = `tracker check: ${finding.url} (${finding.remote})`
    // With --format text the reasons stand in the result itself.
    if (!isWell(finding) && !isText) host.complain(`${where}: ${reasons(finding)}\n`)
    if (finding.left !== undefined)
      host.complain(
        `${where}: the peer of the check may stay until the tracker forgets it: ${finding.left}\n`,
      )
  }
  printResult(host, invocation, findings.map(findingDocument), () => findingsText(findings))
  return findings.every(isWell) ? 0 : 1
}

function readOptions(invocation: Invocation, host: Host): CheckOptions {
  const word = optionValue(invocation, 'info-hash') ?? DEFAULT_INFO_HASH
  const infoHash = readInfoHash(word, (path) => readSmallFile(resolve(host.cwd, path)))
  if (typeof infoHash === 'string') throw new Misuse(`--info-hash: ${infoHash}`)
  return { infoHash, ...readAskOptions(invocation) }
}

/** Those of `--watch`; undefined: it is not wanted. */
function readTimes(invocation: Invocation) {
  if (invocation.options.has('watch'))
    return {
      interval: seconds(invocation, 'interval', { min: 0.05, max: 86_400 }, 10),
      duration: seconds(invocation, 'duration', { min: 0.05, max: 1e8 }, Number.POSITIVE_INFINITY),
    }
  for (const name of ['interval', 'duration'])
    if (invocation.options.has(name)) throw new Misuse(`--${name} needs --watch`)
  return undefined
}

/** undefined: there are mistakes, and the user has been told all of them. */
function readTargets(invocation: Invocation, host: Host): readonly Target[] | undefined {
  const words = invocation.arguments.filter((word) => !isJson(word))
  const [content, another] = invocation.arguments.filter(isJson)
  if (another !== undefined) throw new Misuse('the JSON argument is given twice')
  const health = optionValue(invocation, 'health')
  const given = [
    ...words.map((word) => ({ place: '', target: guess(word) })),
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
  if (configuration?.ignored !== undefined)
    host.complain(`tracker check: ${configuration.ignored}\n`)
  const targets = [...(configuration?.targets ?? [])]
  const mistakes = (configuration?.mistakes ?? []).map((what) => `${configuration?.name}: ${what}`)
  for (const { place, target } of given)
    if (typeof target === 'string') mistakes.push(printable(`${place}${target}`))
    else targets.push(target)
  if (mistakes.length === 0 && targets.length > 0) return targets
  if (mistakes.length === 0)
    mistakes.push(`${configuration?.name}: there is nothing to check in it`)
  for (const mistake of mistakes.slice(0, MOST_MISTAKES))
    host.complain(`tracker check: ${mistake}\n`)
  if (mistakes.length > MOST_MISTAKES)
    host.complain(`tracker check: and ${mistakes.length - MOST_MISTAKES} more mistakes\n`)
  return undefined
}

const isJson = (word: string): boolean => /^\s*\{/.test(word)

function guess(word: string): Target | string {
  const target = guessTarget(word)
  return typeof target === 'string' && /\.json$/i.test(word)
    ? `${target}, did you mean --config-path ${word}?`
    : target
}
