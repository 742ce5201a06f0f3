/** The manual page tracker(1), in the format of man(7): the command table, and what applies to all commands. */
import {
  type Command,
  everyCommand,
  HELP_OPTION,
  type Option,
  VERSION_OPTION,
} from '../cli/command.ts'
import { type Block, blocksOf, type Entry, explained, headsExamples, operand } from '../cli/help.ts'
import type { Host } from '../cli/host.ts'
import { DEFAULT_SQLITE_PATH } from '../config/database-settings.ts'
import { PREFIX } from '../config/overrides.ts'
import { DEFAULT_FILE } from '../config/source.ts'
import { VERSION } from '../version.ts'

/** When the texts of this file were last changed. */
const WRITTEN = '2026-11-27'

const DESCRIPTION = [
  'Tells BitTorrent clients about the other peers of a torrent, over UDP, HTTP and HTTPS, IPv4 and IPv6.',
  'Results go to the standard output, as one JSON document or, with --format text where a command has it, as text for people. Everything else, such as errors, goes to the standard error.',
  'tracker config print --docs explains every option of the configuration; the README that comes with the program is the guide for its operator.',
]

const ENVIRONMENT: readonly Entry[] = [
  ['TORRUST_TRACKER_CONFIG_TOML', 'The text of the configuration. --config takes precedence.'],
  [
    'TORRUST_TRACKER_CONFIG_TOML_PATH',
    'The file with the configuration. --config and the variable above take precedence.',
  ],
  [
    `${PREFIX}*`,
    'Override single options of any configuration. The rest of the name is the path of the option in capital letters, with two underscores between levels: CORE__ANNOUNCE_POLICY__INTERVAL, UDP_TRACKERS__0__BIND_ADDRESS.',
  ],
  [
    'TORRUST_CHECKER_CONFIG_PATH, TORRUST_CHECKER_CONFIG',
    'The configuration of tracker check: its file, or its text.',
  ],
  ['HEALTH_CHECK_API_PORT', 'The port that tracker health asks if no URL is given. Default: 1313.'],
  ['USER_ID', 'The user that tracker container becomes when it is started as root.'],
  [
    'SOURCE_DATE_EPOCH',
    'The date of the manual page that tracker completions man prints, in seconds since 1970.',
  ],
  ['NO_COLOR', 'If set, output has no colours. Only a terminal gets colours anyway.'],
  [
    'HTTP_PROXY, HTTPS_PROXY, ALL_PROXY',
    'Ignored: the answer of a proxy would not tell whether the tracker works.',
  ],
]

const FILES: readonly Entry[] = [
  [
    DEFAULT_FILE,
    'The configuration, in the working directory. Without it, the built-in default applies.',
  ],
  [DEFAULT_SQLITE_PATH, 'The database of the built-in default; created if it is missing.'],
  [
    '/etc/torrust/tracker, /var/lib/torrust/tracker, /var/log/torrust/tracker',
    'Volumes of the container image.',
  ],
]

const EXIT_STATUS: readonly Entry[] = [
  ['0', 'Success; what was looked at is healthy.'],
  ['1', 'Failure, or what was looked at is not healthy; the standard error says why.'],
  ['2', 'Wrong usage.'],
  [
    '78',
    'The configuration has a mistake, or cannot be read. Nothing was started, and trying again does not help.',
  ],
  ['130, 143', 'Ended at once by a second SIGINT or SIGTERM.'],
]

const SIGNALS: readonly Entry[] = [
  [
    'SIGINT, SIGTERM',
    'Stop listening, answer what was received, write what is owed to the database and end, within ten seconds. A long-running command ends and prints what it has. A second signal ends the program at once.',
  ],
  [
    'SIGHUP',
    'Does not stop a tracker, and does not make it read its configuration again, which takes a restart. Ends other commands.',
  ],
]

/**
 * The page is dated by SOURCE_DATE_EPOCH, which the builder of a release may set, and never by the current day:
 * the same source gives the same page.
 */
export function manualPage(root: Command, { env }: Pick<Host, 'env'>): string {
  const commands = everyCommand(root)
  const below = commands.filter(({ command }) => command !== root)
  const lines = [
    `.TH ${root.name.toUpperCase()} 1 ${dateOf(env.SOURCE_DATE_EPOCH)} "${root.name} ${VERSION}" "User Commands"`,
    // Ragged lines without hyphenation: many words are options and names.
    '.ad l',
    '.nh',
    '.SH NAME',
    `${root.name} \\- BitTorrent tracker over UDP and HTTP, and its tools`,
    '.SH SYNOPSIS',
    ...commands
      .filter(({ command }) => command.run)
      .flatMap(usage)
      .slice(1),
    '.SH DESCRIPTION',
    roff(root.help),
    ...DESCRIPTION.flatMap((text) => ['.PP', roff(text)]),
    ...details(root),
    '.SH COMMANDS',
    ...below.flatMap(({ name, command }) => [
      `.SS ${roff(name)}`,
      roff(command.help),
      ...(command.run ? ['.PP', ...usage({ name, command }).slice(1)] : []),
      ...(command.arguments ?? []).flatMap((one) => item(italic(one.name), one.help)),
      ...(command.options ?? []).flatMap(optionItem),
      ...details(command),
    ]),
    '.SH OPTIONS',
    'Without a command:',
    ...(root.options ?? []).flatMap(optionItem),
    '.PP',
    'With or without a command:',
    ...[HELP_OPTION, VERSION_OPTION].flatMap(optionItem),
    ...section('ENVIRONMENT', ENVIRONMENT),
    ...section('FILES', FILES),
    ...section('EXIT STATUS', EXIT_STATUS),
    ...section('SIGNALS', SIGNALS),
    '.SH EXAMPLES',
    ...commands.flatMap(examples),
    '.SH SEE ALSO',
    ...['aria2c(1)', 'curl(1)', 'sqlite3(1)', 'systemd.service(5)', 'sysctl(8)'].map(
      (page, i, all) => `.BR ${roff(page).replace('(', ' (')}${i + 1 < all.length ? ' ,' : ''}`,
    ),
  ]
  return `${lines.join('\n')}\n`
}

function dateOf(epoch: string | undefined): string {
  // Up to years of four digits.
  if (epoch === undefined || !/^\d{1,11}$/.test(epoch)) return WRITTEN
  return new Date(Number(epoch) * 1000).toISOString().slice(0, 10)
}

/** The usage line after a line break. */
const usage = ({ name, command }: { name: string; command: Command }): readonly string[] => {
  const operands = (command.arguments ?? []).map((one) => ` ${roff(operand(one))}`)
  return ['.br', `${bold(name)} [${italic('options')}]${operands.join('')}`]
}

const optionItem = (option: Option): readonly string[] => {
  const short = option.short ? `${bold(`-${option.short}`)}, ` : ''
  const value = option.value ? ` ${italic(option.value)}` : ''
  return item(`${short}${bold(`--${option.name}`)}${value}`, explained(option))
}

const section = (title: string, entries: readonly Entry[]): readonly string[] => [
  `.SH ${title}`,
  ...entries.flatMap(([name, explanation]) => item(bold(name), explanation)),
]

/** `head` is roff already. */
const item = (head: string, text: string): readonly string[] => ['.TP', head, roff(text)]

/** A command's details without the examples, which have a section of their own. */
const details = (command: Command): readonly string[] => split(command).prose.flatMap(printBlock)

function examples({ name, command }: { name: string; command: Command }): readonly string[] {
  const found = split(command).examples
  return found.length === 0 ? [] : [`.SS ${roff(name)}`, ...found.flatMap(printBlock)]
}

function split({ details = '' }: Command) {
  const prose: Block[] = []
  const examples: Block[] = []
  let into = prose
  for (const block of blocksOf(details)) {
    if (block.kind === 'paragraph') into = headsExamples(block) ? examples : prose
    if (!headsExamples(block)) into.push(block)
  }
  return { prose, examples }
}

const printBlock = ({ kind, lines }: Block): readonly string[] =>
  kind === 'paragraph'
    ? ['.PP', roff(lines.join(' '))]
    : ['.RS 4', '.nf', ...lines.map((line) => roff(line.replace(/^ {2}/, ''))), '.fi', '.RE']

const bold = (text: string): string => `\\fB${roff(text)}\\fR`
const italic = (text: string): string => `\\fI${roff(text)}\\fR`

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\e',
  // A plain one may be shown as a typographic sign, which no shell understands.
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
}

/** Escapes text for roff, so that no character has a meaning, not even at the beginning of a line. */
const roff = (text: string): string =>
  text
    .replace(/[\\\-'`^~]/g, (sign) => ESCAPES[sign] ?? sign)
    .replace(/[^\x20-\x7e]/gu, (sign) => `\\[u${hex(sign)}]`)
    .replace(/^\./, '\\&.')

const hex = (sign: string): string =>
  (sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
