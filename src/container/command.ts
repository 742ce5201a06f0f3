/**
 * `tracker container`: what an image of the tracker starts. Does what the reference's images do in a
 * shell script, so that ours needs no shell, and serves.
 */
import { resolve } from 'node:path'
import type { Host, Invocation } from '../cli/host.ts'
import { loadConfiguration, MISCONFIGURED } from '../cli/load-configuration.ts'
import { serve } from '../run/serve.ts'
import { TEMPLATES, type Template, templateFor, unsupported } from './templates.ts'
import { takeUser } from './user.ts'
import { installFile, readIfThere, unwritable } from './volumes.ts'

const DRIVER = 'TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER'
const TEXT = 'TORRUST_TRACKER_CONFIG_TOML'
const PATH = 'TORRUST_TRACKER_CONFIG_TOML_PATH'

const LIBRARY = '/var/lib/torrust/tracker'
const VOLUMES = [LIBRARY, '/var/log/torrust/tracker', '/etc/torrust/tracker']
const CONFIGURATION = '/etc/torrust/tracker/tracker.toml'

export async function container(invocation: Invocation, host: Host): Promise<number> {
  const say = (line: string) => host.complain(`tracker container: ${line}\n`)
  const driver = host.env[DRIVER]
  const template = templateFor(driver)
  if (template === undefined) {
    for (const line of unsupported(driver ?? '')) say(line)
    return MISCONFIGURED
  }
  // Compose files say so that they say nothing: `${VARIABLE:-}`.
  let env: Host['env'] = {
    ...host.env,
    [TEXT]: host.env[TEXT] || undefined,
    [PATH]: host.env[PATH] || undefined,
  }
  try {
    const trouble = takeUser(env.USER_ID, VOLUMES)
    if (trouble !== undefined) say(trouble)
    env = provide(template, env, say)
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return 1
  }
  const loaded = loadConfiguration(invocation, { ...host, env }, { toServe: true })
  if (!loaded) return MISCONFIGURED
  const { database } = loaded.config.core
  if (database?.driver === 'sqlite3') {
    const trouble = unwritable(resolve(host.cwd, database.path), LIBRARY)
    if (trouble !== undefined) {
      say(trouble)
      return 1
    }
  }
  return serve(loaded, host)
}

/** The environment to read the configuration by. What the operator gave goes before the template. */
function provide(template: Template, env: Host['env'], say: (line: string) => void): Host['env'] {
  if (env[TEXT]) return env
  // Another file is the operator's own, to be there.
  if (env[PATH] && env[PATH] !== CONFIGURATION) return env
  const file = { ...env, [PATH]: CONFIGURATION }
  const text = readIfThere(CONFIGURATION)
  if (text !== undefined) {
    const before = TEMPLATES.find((other) => other.text === text)
    if (before !== undefined && before !== template)
      say(`${CONFIGURATION} stays the template ${before.name}: remove it to get ${template.name}`)
    return file
  }
  const trouble = installFile(CONFIGURATION, template.text)
  if (trouble === undefined) return file
  say(
    `${CONFIGURATION} cannot be written (${trouble}): serves by the template ${template.name} without it`,
  )
  return { ...env, [TEXT]: template.text }
}
