/** `tracker config print`, `check` and `migrate`: looks at a configuration and starts nothing. */

import { type Host, type Invocation, optionValue } from '../cli/host.ts'
import { loadConfiguration, MISCONFIGURED } from '../cli/load-configuration.ts'
import { writeNewFile } from '../commands/new-file.ts'
import { type Loaded, loadSource } from '../config/load.ts'
import { printMistake } from '../config/mistake.ts'
import { PREFIX } from '../config/overrides.ts'
import { toToml } from '../config/print.ts'

export function printConfiguration(invocation: Invocation, host: Host): number {
  const loaded = loadConfiguration(invocation, host)
  if (!loaded) return MISCONFIGURED
  warn(loaded, host)
  const annotated = invocation.options.has('docs')
  host.print(
    `# Effective configuration, from ${loaded.source}\n\n` +
      toToml(loaded.config, { annotated, note: loaded.origin }),
  )
  return 0
}

export function checkConfiguration(invocation: Invocation, host: Host): number {
  const loaded = loadConfiguration(invocation, host, { toServe: true })
  if (!loaded) return MISCONFIGURED
  warn(loaded, host)
  host.print(`${loaded.source}: ok (schema ${loaded.config.metadata.schema_version})\n`)
  return 0
}

export function migrateConfiguration(invocation: Invocation, host: Host): number {
  // What the environment overrides stays in the environment: only the file is rewritten.
  const env = Object.fromEntries(
    Object.entries(host.env).filter(([name]) => !name.toUpperCase().startsWith(PREFIX)),
  )
  const loaded = loadConfiguration(invocation, { ...host, env })
  if (!loaded) return MISCONFIGURED
  if (loaded.config.metadata.schema_version === '3.0.0') {
    host.complain(`${loaded.source}: schema 3.0.0 already, nothing to do\n`)
    return 0
  }
  warn(loaded, host)
  const toml = toToml(loaded.config, { secrets: true, annotated: true })
  const output = optionValue(invocation, 'output')
  if (output === undefined) {
    host.print(toml)
    host.complain('tracker: what was printed holds the real tokens and passwords\n')
  } else {
    const failure = writeNewFile(host.cwd, output, toml)
    if (failure) {
      host.complain(`tracker: ${failure}\n`)
      return 1
    }
    host.complain(`tracker: wrote ${output}, with the real tokens and passwords in it\n`)
  }
  // Schema 3.0.0 is stricter: what 2.0.0 let pass may have to be mended by hand.
  const again = loadSource({ name: output ?? 'the new text', text: toml, quotable: false }, {})
  if (again.kind === 'loaded') return 0
  host.complain(
    `tracker: schema 3.0.0 refuses it until this is mended\n${again.mistakes.map(printMistake).join('\n')}\n`,
  )
  return MISCONFIGURED
}

const warn = (loaded: Loaded, host: Host): void => {
  for (const warning of loaded.warnings) host.complain(`warning: ${warning}\n`)
}
