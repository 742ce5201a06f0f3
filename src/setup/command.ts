/**
 * `tracker init` and `tracker config print`, `check`, `migrate` and `schema`: write, show and check a configuration,
 * and start nothing.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { EXIT, type Host } from '../cli/host.ts'
import { type Invocation, optionValue } from '../cli/invocation.ts'
import { hasIpv6 } from '../cli/ipv6.ts'
import { loadConfiguration, machineOf } from '../cli/load-configuration.ts'
import { jsonSchema } from '../config/json-schema.ts'
import { type Loaded, loadSource } from '../config/load.ts'
import { printMistake } from '../config/mistake.ts'
import { PREFIX } from '../config/overrides.ts'
import { exampleToml, toToml } from '../config/print.ts'
import { DEFAULT_FILE } from '../config/source.ts'
import { shellWord } from '../text/shell.ts'
import { errorCode, systemReason } from '../text/system-errors.ts'

export function init(invocation: Invocation, host: Host): number {
  const path = invocation.arguments[0] ?? DEFAULT_FILE
  const toml = exampleToml(randomBytes(16).toString('hex'), hasIpv6())
  const failure = writeNewFile(host.cwd, path, toml)
  if (failure) {
    host.complain(`tracker: ${failure}\n`)
    return EXIT.failure
  }
  const option = path === DEFAULT_FILE ? '' : ` --config ${shellWord(path)}`
  host.print(
    `Wrote ${path}, readable by you only: it holds a fresh token for the API.\n` +
      `Next: look it over, then\n` +
      `  tracker config check${option}\n` +
      `  tracker${option}\n`,
  )
  return EXIT.success
}

export function printConfiguration(invocation: Invocation, host: Host): number {
  const loaded = loadConfiguration(invocation, host)
  if (!loaded) return EXIT.misconfigured
  warn(loaded, host)
  const annotated = invocation.options.has('docs')
  host.print(
    `# Effective configuration, from ${loaded.source}\n\n` +
      toToml(loaded.config, { annotated, note: loaded.origin }),
  )
  return EXIT.success
}

export function checkConfiguration(invocation: Invocation, host: Host): number {
  const loaded = loadConfiguration(invocation, host, { toServe: true })
  if (!loaded) return EXIT.misconfigured
  warn(loaded, host)
  host.print(`${loaded.source}: ok (schema ${loaded.config.metadata.schema_version})\n`)
  return EXIT.success
}

export function migrateConfiguration(invocation: Invocation, host: Host): number {
  // Only the file is rewritten: overrides of the environment stay in the environment.
  const env = Object.fromEntries(
    Object.entries(host.env).filter(([name]) => !name.toUpperCase().startsWith(PREFIX)),
  )
  const machine = { ...host, env }
  const loaded = loadConfiguration(invocation, machine)
  if (!loaded) return EXIT.misconfigured
  if (loaded.config.metadata.schema_version === '3.0.0') {
    host.complain(`${loaded.source}: schema 3.0.0 already, nothing to do\n`)
    return EXIT.success
  }
  warn(loaded, host)
  const toml = toToml(loaded.config, { secrets: true, annotated: true })
  const output = optionValue(invocation, 'output')
  if (output === undefined) {
    host.print(toml)
    host.complain('tracker: the output contains the real tokens and passwords\n')
  } else {
    const failure = writeNewFile(host.cwd, output, toml)
    if (failure) {
      host.complain(`tracker: ${failure}\n`)
      return EXIT.failure
    }
    host.complain(`tracker: wrote ${output}, which contains the real tokens and passwords\n`)
  }
  // Schema 3.0.0 is stricter: what 2.0.0 accepted may have to be corrected by hand.
  const again = loadSource(
    { name: output ?? 'the new text', text: toml, quotable: false },
    machineOf(machine),
  )
  if (again.kind === 'loaded') return EXIT.success
  host.complain(
    `tracker: schema 3.0.0 refuses it until this is corrected\n${again.mistakes.map(printMistake).join('\n')}\n`,
  )
  return EXIT.misconfigured
}

export function printSchema(host: Host): number {
  host.print(`${JSON.stringify(jsonSchema(), null, 2)}\n`)
  return EXIT.success
}

/**
 * Writes a file that holds secrets: readable by its owner only, and never over another file. undefined: written;
 * else why not, in one line.
 */
function writeNewFile(cwd: string, path: string, text: string): string | undefined {
  try {
    writeFileSync(resolve(cwd, path), text, { flag: 'wx', mode: 0o600 })
    return undefined
  } catch (error) {
    const remedy = errorCode(error) === 'EEXIST' ? ': name another, or move it away' : ''
    return `${path} cannot be written: ${systemReason(error)}${remedy}`
  }
}

const warn = (loaded: Loaded, host: Host): void => {
  for (const warning of loaded.warnings) host.complain(`warning: ${warning}\n`)
}
