/**
 * Loads a configuration: finds its source, applies overrides, checks everything (docs/behaviours.md C1–C8). The
 * result is a configuration or all of its mistakes. Disk and environment are arguments, never touched directly.
 */
import { BUILT_IN_NAME, builtIn } from './defaults.ts'
import { lift } from './lift.ts'
import { listenersOf } from './listeners.ts'
import { type Mistake, printMistake, Report } from './mistake.ts'
import type { Config, SchemaVersion, TlsConfig } from './model.ts'
import { checkRules } from './option-rules.ts'
import { applyOverrides } from './overrides.ts'
import { readConfig } from './read.ts'
import type { SecretFile, SecretFiles } from './secret-files.ts'
import { findSource, type SourceOptions } from './source.ts'
import { parseToml, type TomlSource } from './toml.ts'
import { DEFAULT, nodeAt, type Place, type TableNode } from './tree.ts'

export interface LoadInput extends SourceOptions {
  /**
   * The file of a secret at an absolute path; throws like `readFile`. Absent: `readFile` reads it, and other users
   * are taken not to.
   */
  readonly readSecret?: ((path: string) => SecretFile) | undefined
  /** Checks the files of certificates; absent: they are not checked. */
  readonly judgeTls?: JudgeTls | undefined
}

/** What is wrong with the files of one certificate. */
type JudgeTls = (
  tls: TlsConfig,
) => readonly { readonly option: keyof TlsConfig; readonly message: string }[]

export interface Loaded {
  readonly kind: 'loaded'
  readonly config: Config
  /** Where an option of the model came from: `default`, `tracker.toml:12`, the built-in default, a variable. */
  origin(path: string): string
  /** One line each, with the place. */
  readonly warnings: readonly string[]
  /** What the configuration was read from, apart from overrides: a file, a variable or the built-in default. */
  readonly source: string
}

export interface Failed {
  readonly kind: 'failed'
  /** At least one. */
  readonly mistakes: readonly Mistake[]
  readonly warnings: readonly string[]
}

/** Options that must be written although they have defaults, as in the reference (C3), with a value for example. */
export const MANDATORY = [
  ['metadata', 'schema_version', '"3.0.0"'],
  ['logging', 'trace_filter', '"info"'],
  ['core', 'private', 'false'],
  ['core', 'listed', 'false'],
] as const

export function load(input: LoadInput): Loaded | Failed {
  const report = new Report()
  const source = findSource(input, report)
  return source ? loadSource(source, input, report) : failed(report)
}

/** Loads `source` with the overrides of the environment. */
export function loadSource(
  source: TomlSource,
  { env, cwd, readFile, readSecret, judgeTls }: Omit<LoadInput, 'hasIpv6'>,
  report: Report = new Report(),
): Loaded | Failed {
  const own = (path: string) => ({ text: readFile(path), isOpen: false })
  const config = readSource(source, { env, cwd, readSecret: readSecret ?? own }, report)
  if (config && judgeTls) checkCertificates(config, report, judgeTls)
  if (!config || report.mistakes.length > 0) return failed(report)
  return {
    kind: 'loaded',
    config,
    origin: (path) => printOrigin(report.origins.get(path)),
    warnings: report.warnings.toSorted(byPlace).map(printMistake),
    source: source.name,
  }
}

/** The configuration of a tracker that was given none. */
export function loadBuiltIn(hasIpv6: boolean): Loaded {
  const readFile = (path: string) => {
    throw new Error(`the built-in default names the file ${path}`)
  }
  const loaded = loadSource(builtIn(hasIpv6), { env: {}, cwd: '/', readFile })
  if (loaded.kind === 'failed') throw new Error(loaded.mistakes.map(printMistake).join('\n'))
  return loaded
}

const failed = (report: Report): Failed => ({
  kind: 'failed',
  mistakes: report.mistakes.toSorted(byPlace),
  warnings: report.warnings.toSorted(byPlace).map(printMistake),
})

/** In the order of the file; mistakes without a line come first. */
const byPlace = (a: Mistake, b: Mistake): number =>
  (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)

function readSource(source: TomlSource, files: SecretFiles, report: Report): Config | undefined {
  const parsed = parseToml(source)
  if (!('entries' in parsed)) {
    report.mistakes.push(parsed)
    return undefined
  }
  const tree = applyOverrides(parsed, files.env, report)
  const schema = findSchema(tree, report)
  if (!schema) return undefined
  const lifted = schema === '2.0.0' ? lift(tree, report) : tree
  for (const [section, name, value] of MANDATORY) {
    const isOldName = schema === '2.0.0' && name === 'trace_filter'
    const option = isOldName ? 'threshold' : name
    const path = `${section}.${option}`
    const example = `${option} = ${name === 'schema_version' ? `"${schema}"` : value}`
    if (!nodeAt(lifted, section, name))
      report.mistake(
        { source: source.name, path },
        `Missing mandatory configuration option. Option path: ${path}, for example \`${example}\` below [${section}]`,
      )
  }
  const context = { schema, report, files }
  const config = readConfig(lifted, context)
  checkRules(config, context)
  return config
}

function checkCertificates(config: Config, report: Report, judgeTls: JudgeTls): void {
  for (const { name, tls_config: tls, host } of listenersOf(config)) {
    // A missing path has been reported; a listener has the certificate of its host.
    if (host || tls === null || tls.ssl_cert_path === '' || tls.ssl_key_path === '') continue
    for (const { option, message } of judgeTls(tls))
      report.mistake(report.origins.get(`${name}.tls_config.${option}`)!, message)
  }
}

/** The schema of the tree; undefined: another version, of which nothing can be checked. */
function findSchema(tree: TableNode, report: Report): SchemaVersion | undefined {
  const node = nodeAt(tree, 'metadata', 'schema_version')
  const version = node?.kind === 'scalar' ? node.value : undefined
  if (version === '2.0.0' || version === '3.0.0') return version
  if (typeof version === 'string' && node) {
    report.mistake(
      node.at,
      `Unsupported configuration version: ${JSON.stringify(version).slice(1, -1)} ` +
        '(2.0.0 and 3.0.0 are supported)',
    )
    return undefined
  }
  // Missing or not a string, which is reported later. A guess lets the rest be checked as well.
  const isOld = nodeAt(tree, 'logging', 'threshold') ?? nodeAt(tree, 'core', 'net')
  return isOld ? '2.0.0' : '3.0.0'
}

function printOrigin(place: Place | undefined): string {
  if (!place) return DEFAULT
  // It has no lines that a user could look up.
  if (place.source === BUILT_IN_NAME) return BUILT_IN_NAME
  return place.line === undefined ? place.source : `${place.source}:${place.line}`
}
