/**
 * The command table: everything the command line can be asked. The file of a command is loaded when
 * it runs, so that `--help` and `--version` answer at once.
 */
import type { Command } from '../cli/command.ts'
import { BENCH } from './bench.ts'
import { CHECK } from './check.ts'
import { CLIENT } from './client.ts'
import { COMPLETIONS } from './completions.ts'
import { CONTAINER } from './container.ts'
import { DOCTOR } from './doctor.ts'
import { HEALTH } from './health.ts'
import { CONFIG } from './shared.ts'

export const TRACKER: Command = {
  name: 'tracker',
  help: 'A BitTorrent tracker. Without a command it serves until it is interrupted.',
  details: `Examples:
  tracker init
  tracker config check
  tracker --config /etc/tracker/tracker.toml`,
  options: [CONFIG],
  arguments: [],
  commands: [
    {
      name: 'config',
      help: 'Look at a configuration without serving.',
      options: [],
      arguments: [],
      commands: [
        {
          name: 'print',
          help: 'Print the effective configuration and where each value comes from.',
          options: [CONFIG, { name: 'docs', help: 'Explain every option.' }],
          arguments: [],
          commands: [],
          run: async (invocation, host) =>
            (await import('../setup/command.ts')).printConfiguration(invocation, host),
        },
        {
          name: 'check',
          help: 'Say whether a configuration is right, and everything that is not.',
          options: [CONFIG],
          arguments: [],
          commands: [],
          run: async (invocation, host) =>
            (await import('../setup/command.ts')).checkConfiguration(invocation, host),
        },
        {
          name: 'migrate',
          help: 'Print a file of schema 2.0.0 as schema 3.0.0, secrets included.',
          options: [
            CONFIG,
            { name: 'output', short: 'o', value: 'FILE', help: 'Write a new file instead.' },
          ],
          arguments: [],
          commands: [],
          run: async (invocation, host) =>
            (await import('../setup/command.ts')).migrateConfiguration(invocation, host),
        },
      ],
    },
    {
      name: 'init',
      help: 'Write a configuration file to start from, with a fresh token for the API.',
      options: [],
      arguments: [{ name: 'PATH', optional: true, help: 'The new file. Default: tracker.toml.' }],
      commands: [],
      run: async (invocation, host) => (await import('./init.ts')).init(invocation, host),
    },
    CLIENT,
    CHECK,
    HEALTH,
    BENCH,
    DOCTOR,
    COMPLETIONS,
    CONTAINER,
  ],
  run: async (invocation, host) => {
    const { loadConfiguration, MISCONFIGURED } = await import('../cli/load-configuration.ts')
    const loaded = loadConfiguration(invocation, host, { toServe: true })
    if (!loaded) return MISCONFIGURED
    const { serve } = await import('../run/serve.ts')
    return serve(loaded, host)
  },
}
