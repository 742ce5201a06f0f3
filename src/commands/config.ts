/** `tracker config` and `tracker init`. */
import { argument, type Command, option } from '../cli/command.ts'
import { CONFIG_OPTION } from './shared.ts'

const setup = () => import('../setup/command.ts')

export const CONFIG: Command = {
  name: 'config',
  help: 'Look at a configuration without serving.',
  commands: [
    {
      name: 'print',
      help: 'Print the effective configuration and where each value comes from.',
      options: [CONFIG_OPTION, option('--docs', 'Explain every option.')],
      run: async (invocation, host) => (await setup()).printConfiguration(invocation, host),
    },
    {
      name: 'check',
      help: 'Say whether a configuration is right, and list everything that is wrong.',
      options: [CONFIG_OPTION],
      run: async (invocation, host) => (await setup()).checkConfiguration(invocation, host),
    },
    {
      name: 'migrate',
      help: 'Print a file of schema 2.0.0 as schema 3.0.0, secrets included.',
      options: [CONFIG_OPTION, option('-o, --output FILE', 'Write a new file instead.')],
      run: async (invocation, host) => (await setup()).migrateConfiguration(invocation, host),
    },
    {
      name: 'schema',
      help: 'Print the JSON Schema of a configuration, by which editors complete and check it.',
      details:
        'Editors with a TOML language server read it from a file that the first line of\n' +
        'tracker.toml names: `#:schema ./tracker.schema.json`.',
      examples: ['tracker config schema > tracker.schema.json'],
      run: async (_invocation, host) => (await setup()).printSchema(host),
    },
  ],
}

export const INIT: Command = {
  name: 'init',
  help: 'Write a configuration file to start from, with a fresh token for the API.',
  arguments: [argument('[PATH]', 'The new file. Default: tracker.toml.')],
  run: async (invocation, host) => (await setup()).init(invocation, host),
}
