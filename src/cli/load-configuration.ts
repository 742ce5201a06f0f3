/** The configuration a command was asked to use, or on the standard error everything wrong with it. */
import { type Failed, type Loaded, load } from '../config/load.ts'
import { printMistake } from '../config/mistake.ts'
import { type Host, type Invocation, optionValue } from './host.ts'
import { readSmallFile } from './small-file.ts'
import { judgeTls, type TlsFault } from './tls-files.ts'

/**
 * Exit code of a command whose configuration has mistakes: EX_CONFIG of sysexits.h. Trying again mends
 * nothing, so the service is not restarted on it.
 */
export const MISCONFIGURED = 78

/**
 * undefined: it has mistakes, and the operator has been told. `toServe`: the files of certificates are looked
 * at, too.
 */
export function loadConfiguration(
  invocation: Invocation,
  host: Host,
  { toServe = false } = {},
): Loaded | undefined {
  const loaded = load({
    path: optionValue(invocation, 'config'),
    env: host.env,
    cwd: host.cwd,
    readFile: (path) => Buffer.from(readSmallFile(path)).toString(),
    judgeTls: toServe ? (tls) => judgeTls(tls, host.cwd).faults.map(asMistake) : undefined,
  })
  if (loaded.kind === 'loaded') return loaded
  host.complain(explain(loaded))
  return undefined
}

/** The reference's words go first. */
const asMistake = ({ option, kind, wrong, remedy }: TlsFault) => ({
  option,
  message: `${kind === 'missing' ? 'tls config missing' : 'bad tls config'}: ${wrong}: ${remedy}`,
})

/** `tracker: 2 mistakes in tracker.toml`, then each on a line of its own. */
export function explain({ source, mistakes, warnings }: Failed): string {
  const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`
  // With overrides of the environment in it, they may be anywhere.
  const where = mistakes.every((mistake) => mistake.source === source)
    ? source
    : 'the configuration'
  return [
    `tracker: ${count} in ${where}`,
    ...mistakes.map(printMistake),
    ...warnings.map((warning) => `warning: ${warning}`),
    '',
  ].join('\n')
}
