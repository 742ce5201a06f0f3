/** The configuration a command was asked to use, or on the standard error everything wrong with it. */
import { type Failed, type Loaded, load } from '../config/load.ts'
import { printMistake } from '../config/mistake.ts'
import { type Host, type Invocation, optionValue } from './host.ts'
import { readSmallFile } from './small-file.ts'

/**
 * The exit code of whatever was given a configuration with mistakes: EX_CONFIG of sysexits.h. No further
 * attempt mends it, so the service is not started again on it.
 */
export const MISCONFIGURED = 78

/** undefined: it has mistakes, and the operator has been told. */
export function loadConfiguration(invocation: Invocation, host: Host): Loaded | undefined {
  const loaded = load({
    path: optionValue(invocation, 'config'),
    env: host.env,
    cwd: host.cwd,
    readFile: (path) => Buffer.from(readSmallFile(path)).toString(),
  })
  if (loaded.kind === 'loaded') return loaded
  host.complain(explain(loaded))
  return undefined
}

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
