/**
 * The command table: everything that the command line accepts. The tool behind a command is loaded when it
 * runs, so that `--help` and `--version` answer at once.
 */
import type { Command } from '../cli/command.ts'
import { BENCH } from './bench.ts'
import { CHECK } from './check.ts'
import { CLIENT } from './client.ts'
import { COMPLETIONS } from './completions.ts'
import { CONFIG, INIT } from './config.ts'
import { CONTAINER } from './container.ts'
import { DOCTOR } from './doctor.ts'
import { HEALTH } from './health.ts'
import { CONFIG_OPTION } from './shared.ts'

export const TRACKER: Command = {
  name: 'tracker',
  help: 'A BitTorrent tracker. Without a command it serves until it is interrupted.',
  details: `Examples:
  tracker init
  tracker config check
  tracker --config /etc/tracker/tracker.toml`,
  options: [CONFIG_OPTION],
  commands: [CONFIG, INIT, CLIENT, CHECK, HEALTH, BENCH, DOCTOR, COMPLETIONS, CONTAINER],
  run: async (invocation, host) => {
    const { EXIT } = await import('../cli/host.ts')
    const { loadConfiguration } = await import('../cli/load-configuration.ts')
    const loaded = loadConfiguration(invocation, host, { toServe: true })
    if (!loaded) return EXIT.misconfigured
    return (await import('../run/serve.ts')).serve(loaded, host)
  },
}
