/**
 * The command table: everything that the command line accepts. The tool behind a command is loaded when it
 * runs, so that `--help` and `--version` answer at once.
 */
import type { Command } from '../cli/command.ts'
import { BENCH } from './bench.ts'
import { CHECK, HEALTH } from './check.ts'
import { CLIENT } from './client.ts'
import { COMPLETE, COMPLETIONS } from './completions.ts'
import { CONFIG, INIT } from './config.ts'
import { CONTAINER } from './container.ts'
import { DOCTOR } from './doctor.ts'
import { ACCOUNTS, BANS, KEYS, LOG, RELOAD, STATS, STATUS, TORRENTS, WHITELIST } from './operate.ts'
import { CONFIG_OPTION } from './shared.ts'

const SERVE: Command = {
  name: 'serve',
  help: 'Serve until it is interrupted, as without a command.',
  options: [CONFIG_OPTION],
  run: async (invocation, host) => {
    const { EXIT } = await import('../cli/host.ts')
    const { loadConfiguration, readConfigurationAgain } = await import(
      '../cli/load-configuration.ts'
    )
    const loaded = loadConfiguration(invocation, host, { toServe: true })
    if (!loaded) return EXIT.misconfigured
    const again = () => readConfigurationAgain(invocation, host)
    return (await import('../run/serve.ts')).serve(loaded, host, again)
  },
}

export const TRACKER: Command = {
  ...SERVE,
  name: 'tracker',
  help: 'A BitTorrent tracker. Without a command it serves until it is interrupted.',
  examples: ['tracker init', 'tracker config check', 'tracker --config /etc/tracker/tracker.toml'],
  commands: [
    ...[STATUS, STATS, TORRENTS, KEYS, ACCOUNTS, WHITELIST, BANS, RELOAD, LOG],
    ...[CONFIG, INIT, CLIENT, CHECK, HEALTH, BENCH, DOCTOR, COMPLETIONS, CONTAINER, COMPLETE],
    // What other servers call it.
    ...['serve', 'run', 'start'].map((name) => ({ ...SERVE, name, hidden: true })),
  ],
}
