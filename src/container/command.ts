/**
 * `tracker container`: the command of the image, up to the point where the tracker can serve. Does what the
 * reference's images do in a shell script, so that ours needs no shell.
 */
import { resolve } from 'node:path'
import { EXIT, type Host } from '../cli/host.ts'
import type { Invocation } from '../cli/invocation.ts'
import { loadConfiguration, readConfigurationAgain } from '../cli/load-configuration.ts'
import type { Failed, Loaded } from '../config/load.ts'
import { TEMPLATES, type Template, templateFor } from './templates.ts'
import { takeUser } from './user.ts'
import { installFile, readIfThere, unwritable } from './volumes.ts'

const DRIVER = 'TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER'
const TEXT = 'TORRUST_TRACKER_CONFIG_TOML'
const PATH = 'TORRUST_TRACKER_CONFIG_TOML_PATH'

const VOLUMES = ['/var/lib/torrust/tracker', '/var/log/torrust/tracker', '/etc/torrust/tracker']
const CONFIGURATION = '/etc/torrust/tracker/tracker.toml'

/** The configuration to serve with, and how it is read again. */
type Prepared = { readonly loaded: Loaded; readonly again: () => Loaded | Failed }

/** Or the exit code of a failure that was reported. */
export function prepare(invocation: Invocation, host: Host): Prepared | number {
  const say = (line: string) => host.complain(`tracker container: ${line}\n`)
  const template = templateFor(host.env[DRIVER])
  let { env } = host
  if (template)
    try {
      const trouble = takeUser(env.USER_ID, VOLUMES)
      if (trouble !== undefined) say(trouble)
      env = provide(template, env, say)
    } catch (error) {
      say(error instanceof Error ? error.message : String(error))
      return EXIT.failure
    }
  // Reading any configuration reports the unknown driver.
  else env = { ...env, [TEXT]: env[TEXT] || TEMPLATES[0]!.text }
  const loaded = loadConfiguration(invocation, { ...host, env }, { toServe: true })
  if (!loaded) return EXIT.misconfigured
  if (!template) {
    // The user is still root: serving must not begin, however the variable was read.
    say(`${DRIVER} names no database: expected sqlite3, mysql or postgresql`)
    return EXIT.misconfigured
  }
  const { database } = loaded.config.core
  const trouble =
    database?.driver === 'sqlite3' ? unwritable(resolve(host.cwd, database.path)) : undefined
  const again = () => readConfigurationAgain(invocation, { ...host, env })
  if (trouble === undefined) return { loaded, again }
  say(trouble)
  return EXIT.failure
}

/** The environment to read the configuration with. What the operator gave takes precedence over the template. */
function provide(
  template: Template,
  { [TEXT]: text, [PATH]: path, ...env }: Host['env'],
  say: (line: string) => void,
): Host['env'] {
  // An empty variable counts as unset: compose files pass `${VARIABLE:-}`.
  if (text) return { ...env, [TEXT]: text }
  // Another path names the operator's own file, which must exist.
  if (path && path !== CONFIGURATION) return { ...env, [PATH]: path }
  const file = { ...env, [PATH]: CONFIGURATION }
  const there = readIfThere(CONFIGURATION)
  if (there !== undefined) {
    const before = TEMPLATES.find((other) => other.text === there)
    if (before !== undefined && before !== template)
      say(`${CONFIGURATION} stays the template ${before.name}: remove it to get ${template.name}`)
    return file
  }
  const trouble = installFile(CONFIGURATION, template.text)
  if (trouble === undefined) return file
  say(
    `${CONFIGURATION} cannot be written (${trouble}): serving with the template ${template.name} instead`,
  )
  return { ...env, [TEXT]: template.text }
}
