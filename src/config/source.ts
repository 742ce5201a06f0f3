/**
 * Finds the TOML that a configuration is read from (docs/behaviours.md C2): the first of the file of
 * `--config`, the text or the file named in the environment, `./tracker.toml`, and the built-in default. Parent
 * directories are not searched, so a file elsewhere is never used by accident.
 */
import { resolve } from 'node:path'
import { didYouMean } from '../text/nearest.ts'
import { quotedPath } from '../text/printable.ts'
import { errorCode, fileReason } from '../text/system-errors.ts'
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
}

/** The file that is read, if it exists, when no other source is named. */
export const DEFAULT_FILE = 'tracker.toml'

/**
 * The configuration of a tracker that was given none (C13): a public tracker on the usual ports, its API for
 * this machine only. Everything else is the default of the settings table.
 */
export const BUILT_IN: TomlSource = {
  name: 'the built-in default',
  quotable: true,
  text: `
[metadata]
schema_version = "3.0.0"
[logging]
trace_filter = "info"
[core]
listed = false
private = false
[core.database]
[[udp_trackers]]
tracker_usage_statistics = true
[[http_trackers]]
tracker_usage_statistics = true
[http_api]
`,
}

/** undefined: a source was named but cannot be read; the report says why. */
export function findSource(input: SourceOptions, report: Report): TomlSource | undefined {
  const { env } = input
  warnOfUnknown(env, report)
  if (input.path !== undefined) return readFile(input, input.path, '--config', report)
  const text = variable(env, TEXT)
  if (text) return { ...text, quotable: false }
  const path = variable(env, PATH)
  if (path) return readFile(input, path.text, path.name, report)
  return readFile(input, DEFAULT_FILE, undefined, report)
}

/** `given`: the option or variable that named the file; undefined = the file may be absent. */
function readFile(
  { cwd, readFile: read }: SourceOptions,
  path: string,
  given: string | undefined,
  report: Report,
): TomlSource | undefined {
  const name = quotedPath(path)
  if (path === '') {
    report.mistake(
      { source: given ?? DEFAULT_FILE, path: '' },
      'expected the path of a file, found nothing',
    )
    return undefined
  }
  try {
    return { name, text: read(resolve(cwd, path)), quotable: true }
  } catch (error) {
    if (given === undefined && errorCode(error) === 'ENOENT') return BUILT_IN
    report.mistake(
      { source: name, path: '' },
      `${fileReason(error)}: ` +
        `${resolve(cwd, name)}${given ? `, given by ${SPELLED[given] ?? given}` : ''}`,
    )
    return undefined
  }
}

/** The option in full, because a variable that it overrides may have been meant. */
const SPELLED: Readonly<Record<string, string>> = {
  '--config': `--config (or -c, --config-toml-path), which takes precedence over ${TEXT} and ${PATH}`,
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
