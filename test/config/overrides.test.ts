/** Override variables: names to paths, merging, and elements of lists (docs/behaviours.md C5). */
import { expect, test } from 'bun:test'
import {
  complaints,
  loaded,
  loadIn,
  loadToml,
  MINIMAL_3,
  OVERRIDE,
} from '../support/config/loading.ts'

const configOf = (toml: string, overrides: Readonly<Record<string, string>>) =>
  loaded(loadToml(MINIMAL_3 + toml, overrides)).config

const TWO =
  '[[udp_trackers]]\nbind_address = "0.0.0.0:1"\n[[udp_trackers]]\nbind_address = "0.0.0.0:2"\n'
const ports = (...ports: number[]) => ({
  udp_trackers: ports.map((port) => ({ bind_address: { port } })),
})
const tokens = (access_tokens: object) => ({ http_api: { access_tokens } })
const policy = (interval: number, interval_min: number) => ({
  core: { announce_policy: { interval, interval_min } },
})
const POLICY = '[core.announce_policy]\ninterval = 300\ninterval_min = 200\n'
const AT = 'BIND_ADDRESS'

test.each<[string, string, Readonly<Record<string, string>>, object]>([
  [
    'an API token creates an API at the default address',
    '',
    { HTTP_API__ACCESS_TOKENS__ADMIN: 'new' },
    {
      http_api: { bind_address: { ip: '127.0.0.1', port: 1212 }, access_tokens: { admin: 'new' } },
    },
  ],
  [
    'a label is lower case and differs from the same label in capitals',
    '[http_api.access_tokens]\nAdmin = "file"',
    { HTTP_API__ACCESS_TOKENS__ADMIN: 'variable' },
    tokens({ Admin: 'file', admin: 'variable' }),
  ],
  [
    'a label may be a number',
    '',
    { HTTP_API__ACCESS_TOKENS__0: 'token' },
    tokens({ '0': 'token' }),
  ],
  ['one value is replaced', POLICY, { CORE__ANNOUNCE_POLICY__INTERVAL: '600' }, policy(600, 200)],
  [
    'a table is merged like a section',
    POLICY,
    { CORE: '{listed = false, announce_policy = {interval_min = 100}}' },
    policy(300, 100),
  ],
  [
    'of two variables for one option the later one wins',
    '',
    { 'CORE.LISTED': 'true', CORE__DATABASE__DRIVER: 'sqlite3', core__listed: 'false' },
    { core: { listed: false } },
  ],
  [
    'a longer path applies after a shorter one',
    '',
    { CORE__LISTED: 'true', CORE: '{listed = false}', CORE__DATABASE__DRIVER: 'sqlite3' },
    { core: { listed: true } },
  ],
  ['a list replaces the list', TWO, { UDP_TRACKERS: '[{bind_address="0.0.0.0:6"}]' }, ports(6)],
  ['an element has a number', TWO, { [`UDP_TRACKERS__1__${AT}`]: '0.0.0.0:9' }, ports(1, 9)],
  [
    'other options of an element stay',
    TWO,
    { UDP_TRACKERS__0__TRACKER_USAGE_STATISTICS: 'true' },
    {
      udp_trackers: [
        { tracker_usage_statistics: true, bind_address: { port: 1 } },
        { tracker_usage_statistics: false, bind_address: { port: 2 } },
      ],
    },
  ],
  ['the next number appends', TWO, { [`UDP_TRACKERS__2__${AT}`]: '0.0.0.0:3' }, ports(1, 2, 3)],
  [
    'elements make a list where there is none, in any order of the variables',
    '',
    { [`UDP_TRACKERS__1__${AT}`]: '0.0.0.0:2', UDP_TRACKERS__0: '{bind_address="0.0.0.0:1"}' },
    ports(1, 2),
  ],
  [
    'an element applies to the list that another variable sets',
    TWO,
    { [`UDP_TRACKERS__0__${AT}`]: '0.0.0.0:9', UDP_TRACKERS: '[{bind_address="0.0.0.0:5"}]' },
    ports(9),
  ],
])('%s', (_what, toml, overrides, expected) => {
  expect(configOf(toml, overrides)).toMatchObject(expected)
})

test('a string in place of a section is a mistake, and so are the options that are lost with it', () => {
  expect(complaints(loadToml(MINIMAL_3, { CORE: 'x' }))).toEqual([
    'tracker.toml: Missing mandatory configuration option. Option path: core.private',
    'tracker.toml: Missing mandatory configuration option. Option path: core.listed',
    `${OVERRIDE}CORE: core: expected a table, found a string`,
  ])
})

test('an option below one that holds no table is a mistake of the variable, not of the file', () => {
  expect(complaints(loadToml(MINIMAL_3, { CORE__PRIVATE__X: 'true' }))).toEqual([
    `${OVERRIDE}CORE__PRIVATE__X: core.private: expected true or false, found a table`,
  ])
})

test('the prefix may be written in any case', () => {
  const result = loadIn({ env: { torrust_tracker_config_override_core__listed: 'true' } })
  expect(loaded(result).config.core.listed).toBe(true)
  expect(loaded(result).origin('core.listed')).toBe('torrust_tracker_config_override_core__listed')
})

test.each(['12345', '1.5', 'true'])(
  '%s for a string is a type mistake unless it is quoted',
  (word) => {
    const name = 'CORE__DATABASE__PATH'
    const [mistake] = complaints(loadToml(MINIMAL_3, { [name]: word }))
    expect(mistake).toBe(
      `${OVERRIDE}${name}: core.database.path: expected a string that is not empty, found ${word}`,
    )
    expect(configOf('', { [name]: `"${word}"` }).core.database).toEqual({
      driver: 'sqlite3',
      path: word,
    })
  },
)

test.each(['CORE__LISTED', 'CORE__ANNOUNCE_POLICY__INTERVAL', 'HTTP_API__BIND_ADDRESS'])(
  'an empty %s is a mistake',
  (name) => {
    const [mistake] = complaints(loadToml(MINIMAL_3, { [name]: '' }))
    expect(mistake).toStartWith(`${OVERRIDE}${name}: `)
    expect(mistake).toEndWith('found ""')
  },
)

test.each([
  [
    'a number past the end',
    'UDP_TRACKERS__3__BIND_ADDRESS',
    'the list has 2, so the next number is 2',
  ],
  ['a word', 'UDP_TRACKERS__FIRST__BIND_ADDRESS', 'expected the number of a list element'],
  ['a number with a zero before it', 'UDP_TRACKERS__01__BIND_ADDRESS', 'expected the number'],
  ['a negative number', 'UDP_TRACKERS__-1__BIND_ADDRESS', 'expected the number of a list element'],
])('%s addresses no element and is a mistake', (_what, name, words) => {
  const mistakes = complaints(loadToml(MINIMAL_3 + TWO, { [name]: '0.0.0.0:9' }))
  expect(mistakes).toEqual([expect.stringContaining(words)])
  expect(mistakes[0]).toStartWith(`${OVERRIDE}${name}: udp_trackers.`)
})

test.each(['CORE____LISTED', 'CORE__', ''])(
  '%p, with an empty part, is ignored with a warning',
  (name) => {
    const { warnings, config } = loaded(loadToml(MINIMAL_3, { [name]: 'true' }))
    expect(config.core.listed).toBe(false)
    expect(warnings).toEqual([`${OVERRIDE}${name}: ignored: a part of the name is empty`])
  },
)

test.each(['__proto__', 'constructor', 'toString'])('%s in a name is an unknown option', (name) => {
  const variable = `CORE.${name}`
  const result = loadToml(MINIMAL_3, { [variable]: '{listed = true}' })
  // Two underscores separate, so the first of them is `core`, `proto`, with an empty end.
  if (name === '__proto__') expect(loaded(result).config.core.listed).toBe(false)
  else expect(complaints(result)).toEqual([expect.stringContaining('unknown option')])
  expect(({} as { listed?: unknown }).listed).toBeUndefined()
})
