/**
 * Which TOML a configuration begins with: the file of `--config`, the text or the file named in the
 * environment, `./tracker.toml`, or the built-in default; the first that is there. No parent
 * directory is searched, so a file elsewhere can never take part by accident.
 */
import { resolve } from 'node:path'
import { fileReason } from '../text/file-reason.ts'
import { didYouMean } from '../text/nearest.ts'
import type { Report } from './mistake.ts'
import { type Environment, PREFIX } from './overrides.ts'
import type { TomlSource } from './toml.ts'

const TEXT = 'TORRUST_TRACKER_CONFIG_TOML'
const PATH = 'TORRUST_TRACKER_CONFIG_TOML_PATH'
const OURS = 'TORRUST_TRACKER_CONFIG_'

export interface SourceOptions {
  /** From `--config`; undefined = not given. */
  readonly path?: string | undefined
  readonly env: Environment
  /** Absolute; relative paths start here. */
  readonly cwd: string
  /** The text of a file by its absolute path; throws like `readFileSync`. */
  readFile(path: string): string
}

/** The file that is read, if it exists, when nothing else is named. */
export const DEFAULT_FILE = 'tracker.toml'

/**
 * The configuration of a tracker that was given none: a public tracker on the usual ports, with the
 * API for this machine only. Whatever is not written here is the default of the settings table.
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

/** undefined: a source was named and cannot be read; the report says why. */
export function findSource(input: SourceOptions, report: Report): TomlSource | undefined {
  const { env } = input
  warnOfStrangers(env, report)
  if (input.path !== undefined) return readFile(input, input.path, '--config', report)
  const text = variable(env, TEXT)
  if (text) return { ...text, quotable: false }
  const path = variable(env, PATH)
  if (path) return readFile(input, path.text, path.name, report)
  return readFile(input, DEFAULT_FILE, undefined, report)
}

/** `given`: what named the file; undefined = nothing did, so it may be absent. */
function readFile(
  { cwd, readFile: read }: SourceOptions,
  path: string,
  given: string | undefined,
  report: Report,
): TomlSource | undefined {
  const name = /\p{C}/u.test(path) ? JSON.stringify(path) : path
  if (path === '') {
    report.mistake({ source: given ?? DEFAULT_FILE, path: '' }, 'expected a file, found nothing')
    return undefined
  }
  try {
    // Some editors begin a file with a byte order mark, which TOML does not know.
    const text = read(resolve(cwd, path)).replace(/^\uFEFF/, '')
    return { name, text, quotable: true }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (given === undefined && code === 'ENOENT') return BUILT_IN
    report.mistake(
      { source: name, path: '' },
      `${fileReason(error)}: ` +
        `${resolve(cwd, name)}${given ? `, given by ${SPELLED[given] ?? given}` : ''}`,
    )
    return undefined
  }
}

/** Who gives a file by option may have meant one of the variables, which the option puts aside. */
const SPELLED: Readonly<Record<string, string>> = {
  '--config': `--config (or -c, --config-toml-path), which goes before ${TEXT} and ${PATH}`,
}

/** A variable by its name in any case, the exact one first. */
function variable(env: Environment, name: string): { name: string; text: string } | undefined {
  const exact = env[name]
  if (exact !== undefined) return { name, text: exact }
  for (const [other, text] of Object.entries(env))
    if (text !== undefined && other.toUpperCase() === name) return { name: other, text }
  return undefined
}

/** A variable that begins like ours and is none is most likely misspelt. */
function warnOfStrangers(env: Environment, report: Report): void {
  for (const name of Object.keys(env)) {
    const upper = name.toUpperCase()
    if (!upper.startsWith(OURS) || upper.startsWith(PREFIX) || upper === TEXT || upper === PATH)
      continue
    // Without the words they share, or any would be near; behind the first one a path may follow.
    const rest = upper.slice(OURS.length)
    const guess =
      didYouMean(rest, ['TOML', 'TOML_PATH'], OURS) ||
      didYouMean(rest.split('_')[0]!, ['OVERRIDE'], OURS)
    report.warn({ source: name, path: '' }, `unknown variable, ignored${guess}`)
  }
}
