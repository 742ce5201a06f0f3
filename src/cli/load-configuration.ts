/** Loads the configuration that a command was asked to use, or reports everything that is wrong with it. */
import { type Failed, type Loaded, type LoadInput, load } from '../config/load.ts'
import { printMistake } from '../config/mistake.ts'
import { plural } from '../text/figures.ts'
import type { Host } from './host.ts'
import { type Invocation, optionValue } from './invocation.ts'
import { hasIpv6 } from './ipv6.ts'
import { readSecretFile } from './secret-file.ts'
import { readRegularFile, readSmallFile } from './small-file.ts'
import { judgeTls, type TlsFault } from './tls-files.ts'

/** `toServe`: the certificate files are checked, too. */
const readConfiguration = (
  invocation: Invocation,
  host: Host,
  { toServe = false, read = readSmallFile } = {},
): Loaded | Failed =>
  load({
    ...machineOf(host),
    readFile: (path) => Buffer.from(read(path)).toString(),
    path: optionValue(invocation, 'config'),
    judgeTls: toServe ? (tls) => judgeTls(tls, host.cwd).faults.map(asMistake) : undefined,
  })

/** For a tracker that serves already, and must not wait for a pipe. */
export const readConfigurationAgain = (invocation: Invocation, host: Host): Loaded | Failed =>
  readConfiguration(invocation, host, { toServe: true, read: readRegularFile })

/** `toServe`: as above. undefined: it has mistakes, which are now on the standard error. */
export function loadConfiguration(
  invocation: Invocation,
  host: Host,
  { toServe = false } = {},
): Loaded | undefined {
  const loaded = readConfiguration(invocation, host, { toServe })
  if (loaded.kind === 'loaded') return loaded
  host.complain(explain(loaded))
  return undefined
}

/** The disk and the environment, for the loader of configurations. */
export const machineOf = ({ env, cwd }: Pick<Host, 'env' | 'cwd'>): LoadInput => ({
  env,
  cwd,
  hasIpv6,
  readFile: (path) => Buffer.from(readSmallFile(path)).toString(),
  readSecret: readSecretFile,
})

/** The reference's words come first. */
const asMistake = ({ option, kind, wrong, remedy }: TlsFault) => ({
  option,
  message: `${kind === 'missing' ? 'tls config missing' : 'bad tls config'}: ${wrong}: ${remedy}`,
})

/** `tracker: 2 mistakes in tracker.toml`, then each on a line of its own. */
function explain({ mistakes, warnings }: Failed): string {
  const [source, ...others] = new Set(mistakes.map((mistake) => mistake.source))
  const where = others.length > 0 ? 'the configuration' : source
  return [
    `tracker: ${mistakes.length} ${plural(mistakes.length, 'mistake')} in ${where}`,
    ...mistakes.map(printMistake),
    ...warnings.map((warning) => `warning: ${warning}`),
    '',
  ].join('\n')
}
