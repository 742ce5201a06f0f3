/** Override variables: names to paths, merging, and elements of lists (docs/behaviours.md C5). */
import { expect, test } from 'bun:test'
import {
  complaints,
  loaded,
  loadIn,
  loadToml,
  MINIMAL_3,
  OVERRIDE,
  rowsOf,
} from '../support/config/loading.ts'

const configOf = (toml: string, overrides: Readonly<Record<string, string>>) =>
  loaded(loadToml(MINIMAL_3 + toml, overrides)).config

const TWO =
  '[[udp_trackers]]\nbind_address = "0.0.0.0:1"\n[[udp_trackers]]\nbind_address = "0.0.0.0:2"\n'
const FILE = `${TWO}[core.announce_policy]
interval = 300
interval_min = 200
[http_api.access_tokens]
Admin = "file"
short = "short"
grafana = { token = "long", scope = "metrics" }
`

/** What is so, variables in the order of the environment, and what becomes of FILE. */
test.each(
  rowsOf(`
a label differs from the same label in capitals | HTTP_API__ACCESS_TOKENS__ADMIN=new | {"http_api":{"access_tokens":{"Admin":{"token":"file"},"admin":{"token":"new"}}}}
a label may be a number | HTTP_API__ACCESS_TOKENS__0=new | {"http_api":{"access_tokens":{"0":{"token":"new","scope":"all"}}}}
another secret keeps the scope | HTTP_API__ACCESS_TOKENS__GRAFANA=new | {"http_api":{"access_tokens":{"grafana":{"token":"new","scope":"metrics"}}}}
another secret in a table keeps the scope | HTTP_API={access_tokens={grafana="new"}} | {"http_api":{"access_tokens":{"grafana":{"token":"new","scope":"metrics"}}}}
another scope keeps the secret | HTTP_API__ACCESS_TOKENS__SHORT__SCOPE=read | {"http_api":{"access_tokens":{"short":{"token":"short","scope":"read"}}}}
a token may be made of its members | HTTP_API__ACCESS_TOKENS__X__SCOPE=read; HTTP_API__ACCESS_TOKENS__X__TOKEN=new | {"http_api":{"access_tokens":{"x":{"token":"new","scope":"read"}}}}
a token may be a table | HTTP_API__ACCESS_TOKENS__X={token="new", scope="read"} | {"http_api":{"access_tokens":{"x":{"token":"new","scope":"read"}}}}
one value is replaced | CORE__ANNOUNCE_POLICY__INTERVAL=600 | {"core":{"announce_policy":{"interval":600,"interval_min":200}}}
a table is merged like a section | CORE={announce_policy = {interval_min = 100}} | {"core":{"announce_policy":{"interval":300,"interval_min":100}}}
of two variables for one option the later one wins | CORE.LISTED=true; CORE__DATABASE={}; core__listed=false | {"core":{"listed":false}}
a longer path applies after a shorter one | CORE__LISTED=true; CORE={listed = false}; CORE__DATABASE={} | {"core":{"listed":true}}
a list replaces the list | UDP_TRACKERS=[{bind_address="0.0.0.0:6"}] | {"udp_trackers":[{"bind_address":{"port":6}}]}
an element has a number, and its other options stay | UDP_TRACKERS__1__TRACKER_USAGE_STATISTICS=true | {"udp_trackers":[{"tracker_usage_statistics":false,"bind_address":{"port":1}},{"tracker_usage_statistics":true,"bind_address":{"port":2}}]}
the next number appends | UDP_TRACKERS__2__BIND_ADDRESS=0.0.0.0:3 | {"udp_trackers":[{"bind_address":{"port":1}},{"bind_address":{"port":2}},{"bind_address":{"port":3}}]}
a list in an element | WEBSOCKET_TRACKERS__0__ALLOWED_ORIGINS=["https://a.example"] | {"websocket_trackers":[{"allowed_origins":["https://a.example"]}]}
elements make a list where there is none, in any order | HTTP_TRACKERS__1__BIND_ADDRESS=0.0.0.0:2; HTTP_TRACKERS__0={bind_address="0.0.0.0:1"} | {"http_trackers":[{"bind_address":{"port":1}},{"bind_address":{"port":2}}]}
an element applies to the list of another variable | UDP_TRACKERS__0__BIND_ADDRESS=0.0.0.0:9; UDP_TRACKERS=[{bind_address="0.0.0.0:5"}] | {"udp_trackers":[{"bind_address":{"port":9}}]}
`),
)('%s: %s', (_what, variables, json) => {
  const overrides = variables!.split('; ').map((one) => /^([^=]*)=(.*)$/.exec(one)!.slice(1, 3))
  expect(configOf(FILE, Object.fromEntries(overrides))).toMatchObject(JSON.parse(json!))
})

test('an API token creates an API at the default address', () => {
  expect(configOf('', { HTTP_API__ACCESS_TOKENS__ADMIN: 'new' }).http_api).toMatchObject({
    ...{
      bind_address: { ip: '127.0.0.1', port: 1212 },
      access_tokens: { admin: { token: 'new', scope: 'all' } },
    },
  })
})

test('a driver in a variable asks for what it needs by the names of variables', () => {
  const driver = `${OVERRIDE}CORE__DATABASE__DRIVER`
  for (const toml of [MINIMAL_3, `${MINIMAL_3}[core.database]\ndriver = "sqlite3"\n`])
    expect(complaints(loadToml(toml, { CORE__DATABASE__DRIVER: 'mysql' }))).toEqual(
      ['host', 'user', 'password', 'database'].map(
        (name) =>
          `${driver}: core.database.${name}: network database configuration requires a ` +
          `\`${name}\` field: set ${OVERRIDE}CORE__DATABASE__${name.toUpperCase()}`,
      ),
    )
})

test('a string in place of a section is a mistake, and so are the options that are lost with it', () => {
  expect(complaints(loadToml(MINIMAL_3, { CORE: 'x' }))).toEqual([
    'tracker.toml: Missing mandatory configuration option. Option path: core.private, for example `private = false` below [core]',
    'tracker.toml: Missing mandatory configuration option. Option path: core.listed, for example `listed = false` below [core]',
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
