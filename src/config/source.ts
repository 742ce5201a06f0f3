/**
 * Finds the TOML that a configuration is read from (docs/behaviours.md C2): the first of the file of
 * `--config`, the text or the file named in the environment, `./tracker.toml`, and the built-in default. Parent
 * directories are not searched, so a file elsewhere is never used by accident.
 */
import { resolve } from 'node:path'
import { didYouMean } from '../text/nearest.ts'
import { quotedPath } from '../text/printable.ts'
import { errorCode, systemReason } from '../text/system-errors.ts'
import { builtIn } from './defaults.ts'
import type { Report } from './mistake.ts'
import { type Environment, PREFIX } from './overrides.ts'
import type { TomlSource } from './toml.ts'

const TEXT = 'TORRUST_TRACKER_CONFIG_TOML'
const PATH = 'TORRUST_TRACKER_CONFIG_TOML_PATH'
const OURS = 'TORRUST_TRACKER_CONFIG_'

export interface SourceOptions {
  /** The value of `--config`; undefined = not given. */
  readonly path?: string | undefined
  readonly env: Environment
  /** Absolute; relative paths begin here. */
  readonly cwd: string
  /** The text of the file at an absolute path; throws like `readFileSync`. */
  readFile(path: string): string
  /** Whether the machine has IPv6: asked for the built-in default only. */
  hasIpv6(): boolean
}

/** The file that is read, if it exists, when no other source is named. */
export const DEFAULT_FILE = 'tracker.toml'

/** undefined: a source was named but cannot be read; the report says why. */
export function findSource(input: SourceOptions, report: Report): TomlSource | undefined {
  const { env } = input
  warnOfUnknown(env, report)
  if (input.path !== undefined) return readFile(input, input.path, OPTION, report)
  const text = variable(env, TEXT)
  if (text) return { ...text, quotable: false }
  const path = variable(env, PATH)
  if (path) return readFile(input, path.text, path.name, report)
  return readFile(input, DEFAULT_FILE, undefined, report)
}

/** In full, because a variable that it overrides may have been meant. */
const OPTION = `--config (or -c, --config-toml-path), which takes precedence over ${TEXT} and ${PATH}`

/** `given`: the option or variable that named the file; undefined = the file may be absent. */
function readFile(
  input: SourceOptions,
  path: string,
  given: string | undefined,
  report: Report,
): TomlSource | undefined {
  const name = quotedPath(path)
  try {
    return { name, text: input.readFile(resolve(input.cwd, path)), quotable: true }
  } catch (error) {
    if (given === undefined && errorCode(error) === 'ENOENT') return builtIn(input.hasIpv6())
    const reason =
      path === '' ? 'the path is empty' : `${systemReason(error)}: ${resolve(input.cwd, name)}`
    const by = given === undefined ? '' : `, given by ${given}`
    report.mistake({ source: name, path: '' }, reason + by)
    return undefined
  }
}

/** A variable by its name in any case; the exact name is preferred. */
function variable(env: Environment, name: string): { name: string; text: string } | undefined {
  const exact = env[name]
  if (exact !== undefined) return { name, text: exact }
  for (const [other, text] of Object.entries(env))
    if (text !== undefined && other.toUpperCase() === name) return { name: other, text }
  return undefined
}

/** A variable with our prefix that does not exist is most likely misspelt. */
function warnOfUnknown(env: Environment, report: Report): void {
  for (const name of Object.keys(env)) {
    const upper = name.toUpperCase()
    if (!upper.startsWith(OURS) || upper.startsWith(PREFIX) || upper === TEXT || upper === PATH)
      continue
    // Compared without the common prefix, which would make any two names similar. A path may follow the first word.
    const rest = upper.slice(OURS.length)
    const guess =
      didYouMean(rest, ['TOML', 'TOML_PATH'], OURS) ||
      didYouMean(rest.split('_')[0]!, ['OVERRIDE'], OURS)
    report.warn({ source: name, path: '' }, `unknown variable, ignored${guess}`)
  }
}
