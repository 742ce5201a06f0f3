/** The commands for the operator of a running tracker. */
import { argument, type Command, option } from '../cli/command.ts'
import type { Host } from '../cli/host.ts'
import type { Invocation } from '../cli/invocation.ts'
import type { Call } from '../operate/command.ts'
import { CONFIG_OPTION, FORMAT, INSECURE } from './shared.ts'

/** Where the tracker is, and how it is asked. */
const ASKING = [
  CONFIG_OPTION,
  option('--url URL', 'Ask the API there instead. Also TRACKER_URL.'),
  option('--token-file PATH', 'A file with a token of that API.', { file: true }),
  option(
    '--token TOKEN',
    'The token itself, which other users of this machine can see: better --token-file or TRACKER_TOKEN.',
  ),
  INSECURE,
  FORMAT,
  option('--timeout SECONDS', 'How long to wait for each answer. Default: 10.'),
]

const PLACE = `The tracker is found through the configuration that it runs with: the address of
its [http_api], and the first token there that may do everything. A tracker of
another machine is found by --url and a token. In a pipe the answer of the API
is printed as JSON. Exits with 1 if there is no answer or the tracker refuses.`

/** Loads the tool when the command runs, which is called `name` in messages. */
const run =
  (name: string, load: () => Promise<(call: Call) => Promise<number | undefined>>) =>
  async (invocation: Invocation, host: Host): Promise<number> =>
    (await import('../operate/command.ts')).operate(name, invocation, host, await load())

const TORRENT = argument(
  'TORRENT...',
  '40 hexadecimal or 32 base32 digits, a magnet link, a .torrent file, or - for one on each line of the standard input.',
  { file: true },
)

export const STATUS: Command = {
  name: 'status',
  help: 'Say whether the running tracker is well.',
  details: `Shows what is wrong, where clients announce, how many torrents and peers there
are, and how much of its memory is used. Exits with 1 if it is not well.

${PLACE}`,
  examples: ['tracker status', 'tracker status --config /etc/tracker/tracker.toml --format json'],
  options: ASKING,
  run: run('status', async () => (await import('../operate/status.ts')).status),
}

export const STATS: Command = {
  name: 'stats',
  help: 'Print what the running tracker holds, and has done since it started.',
  details: PLACE,
  options: ASKING,
  run: run('stats', async () => (await import('../operate/stats.ts')).stats),
}

export const TORRENTS: Command = {
  name: 'torrents',
  help: 'List the torrents of the running tracker, or the peers of one.',
  details: PLACE,
  examples: [
    'tracker torrents --sort seeders --limit 10',
    'tracker torrents debian.torrent',
    'tracker torrents --limit 1000000 --format json | jq length',
  ],
  options: [
    option(
      '--sort hash|seeders|leechers|completed|peers',
      'hash (default): ascending; otherwise the largest first.',
    ),
    option('--limit COUNT', 'Most torrents in the list. Default: 50.'),
    ...ASKING,
  ],
  arguments: [
    argument('[TORRENT]', 'One torrent: 40 hexadecimal digits, a magnet link or a .torrent file.', {
      file: true,
    }),
  ],
  run: run('torrents', async () => (await import('../operate/torrents.ts')).torrents),
}

const keys = () => import('../operate/keys.ts')

export const KEYS: Command = {
  name: 'keys',
  help: 'Manage the keys of a private tracker while it runs.',
  commands: [
    {
      name: 'list',
      help: 'List all keys.',
      details: PLACE,
      options: ASKING,
      run: run('keys list', async () => (await keys()).listKeys),
    },
    {
      name: 'add',
      help: 'Add a key and print it.',
      details: PLACE,
      examples: [
        'tracker keys add --seconds 86400',
        'tracker keys add --never --format json | jq -r .key',
        'tracker keys add --never --user-id 17',
      ],
      options: [
        option('--seconds COUNT', 'For how long it is valid.'),
        option('--never', 'It never expires.'),
        option(
          '--user-id NUMBER',
          'Whose it is: keys of one user have one account. Needs [core.accounting].',
        ),
        ...ASKING,
      ],
      arguments: [argument('[KEY]', '32 letters and digits. Default: a random one.')],
      run: run('keys add', async () => (await keys()).addKey),
    },
    {
      name: 'remove',
      help: 'Remove keys.',
      details: `All are removed or none; exits with 1 if one did not exist.\n\n${PLACE}`,
      options: ASKING,
      arguments: [argument('KEY...', '32 letters and digits.')],
      run: run('keys remove', async () => (await keys()).removeKeys),
    },
  ],
}

const accounts = () => import('../operate/accounts.ts')
const ACCOUNT = argument('[ACCOUNT]', 'Its number, as in the list.')
const USER_ID = option('--user-id NUMBER', 'The account of that user instead.')

export const ACCOUNTS: Command = {
  name: 'accounts',
  help: 'See who moved how much, and correct it.',
  commands: [
    {
      name: 'list',
      help: 'List the accounts, with what was credited to them.',
      details: PLACE,
      examples: ['tracker accounts list --sort uploaded --limit 10'],
      options: [
        option(
          '--sort id|uploaded|downloaded|ratio|last_seen',
          'id (default): ascending; otherwise the largest first.',
        ),
        option('--limit COUNT', 'Most accounts in the list. Default: 50.'),
        ...ASKING,
      ],
      run: run('accounts list', async () => (await accounts()).listAccounts),
    },
    {
      name: 'show',
      help: 'Show an account and what it moved of each torrent.',
      details: PLACE,
      examples: ['tracker accounts show 3', 'tracker accounts show --user-id 17 --format json'],
      options: [
        USER_ID,
        option('--limit COUNT', 'Most torrents that are shown. Default: 50.'),
        ...ASKING,
      ],
      arguments: [ACCOUNT],
      run: run('accounts show', async () => (await accounts()).showAccount),
    },
    {
      name: 'adjust',
      help: 'Add to what is credited to an account, or take away.',
      details: `Sums stop at 0. The log has the reason.\n\n${PLACE}`,
      examples: ['tracker accounts adjust 3 --uploaded=-5000000000 --reason "faked"'],
      options: [
        option('--uploaded BYTES', 'Bytes of upload; with a minus they are taken away.'),
        option('--downloaded BYTES', 'The same for download.'),
        option('--reason TEXT', 'Why.'),
        USER_ID,
        ...ASKING,
      ],
      arguments: [ACCOUNT],
      run: run('accounts adjust', async () => (await accounts()).adjustAccount),
    },
  ],
}

const whitelist = () => import('../operate/whitelist.ts')

export const WHITELIST: Command = {
  name: 'whitelist',
  help: 'Manage the torrents of a listed tracker while it runs.',
  commands: [
    {
      name: 'list',
      help: 'List all whitelisted torrents.',
      details: PLACE,
      options: ASKING,
      run: run('whitelist list', async () => (await whitelist()).listWhitelist),
    },
    {
      name: 'add',
      help: 'Add torrents; adding one twice is no mistake.',
      details: PLACE,
      examples: ['tracker whitelist add *.torrent', 'tracker whitelist add - < hashes.txt'],
      options: ASKING,
      arguments: [TORRENT],
      run: run('whitelist add', async () => (await whitelist()).addToWhitelist),
    },
    {
      name: 'remove',
      help: 'Remove torrents; removing one that is not there is no mistake.',
      details: PLACE,
      options: ASKING,
      arguments: [TORRENT],
      run: run('whitelist remove', async () => (await whitelist()).removeFromWhitelist),
    },
  ],
}

const bans = () => import('../operate/bans.ts')

export const BANS: Command = {
  name: 'bans',
  help: 'See and forgive addresses that sent wrong connection ids.',
  commands: [
    {
      name: 'list',
      help: 'List them, those with the most errors first.',
      details: PLACE,
      options: ASKING,
      run: run('bans list', async () => (await bans()).listBans),
    },
    {
      name: 'lift',
      help: 'Forget the errors of addresses.',
      details: PLACE,
      examples: ['tracker bans lift 192.0.2.1 2001:db8:1:2::/64', 'tracker bans lift --all'],
      options: [option('--all', 'Those of all addresses.'), ...ASKING],
      arguments: [argument('[ADDRESS...]', 'Of IPv6 any address of the /64, or that itself.')],
      run: run('bans lift', async () => (await bans()).liftBans),
    },
  ],
}

export const RELOAD: Command = {
  name: 'reload',
  help: 'Make the running tracker read its configuration again.',
  details: `Everything is checked first: with one mistake nothing changes. What was applied
is listed, and what needs a restart.

${PLACE}`,
  options: ASKING,
  run: run('reload', async () => (await import('../operate/reload.ts')).reload),
}

export const LOG: Command = {
  name: 'log',
  help: 'Print the last lines of the log of the running tracker.',
  details: `With --follow it goes on until Ctrl-C, and waits for a tracker that restarts; in
a pipe each line is then a JSON document of its own.

${PLACE}`,
  examples: ['tracker log --lines 100 --level warn', 'tracker log --follow | jq .message'],
  options: [
    option('--lines COUNT', 'How many, up to 10000. Default: 20.'),
    option('--level error|warn|info|debug|trace', 'The least important level that is shown.'),
    option('-f, --follow', 'Print new lines when they come.'),
    ...ASKING,
  ],
  run: run('log', async () => (await import('../operate/log.ts')).log),
}
