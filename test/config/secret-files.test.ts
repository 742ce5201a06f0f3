/** Secrets in files of their own (docs/behaviours.md C17). */
import { describe, expect, test } from 'bun:test'
import { dump, toToml } from '../../src/config/print.ts'
import {
  complaints,
  loaded,
  loadIn,
  MINIMAL_2,
  MINIMAL_3,
  OVERRIDE,
} from '../support/config/loading.ts'

const HOME = '/home/op'

/** Loads `toml` in a directory with these files, and overrides by their names without the prefix. */
const load = (
  toml: string,
  files: Readonly<Record<string, string>> = {},
  overrides: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
) =>
  loadIn({
    files: {
      [`${HOME}/tracker.toml`]: toml,
      ...Object.fromEntries(
        Object.entries(files).map(([name, text]) => [
          name.startsWith('/') ? name : `${HOME}/${name}`,
          text,
        ]),
      ),
    },
    env: {
      ...env,
      ...Object.fromEntries(Object.entries(overrides).map(([k, v]) => [OVERRIDE + k, v])),
    },
  })

const SERVER = `${MINIMAL_3}[core.database]
driver = "mysql"
host = "h"
user = "u"
database = "d"
`
const PASSWORD = `${SERVER}password_file = "db/password"\n`
const OLD = (url: string) =>
  `${MINIMAL_2}[core.database]\ndriver = "mysql"\npath = "${url}"\npassword_file = "p"\n`
const tokens = (text: string) => `${MINIMAL_3}[http_api.access_tokens]\n${text}\n`

describe('a secret is read from its file', () => {
  test('the password of a database', () => {
    const { config, origin } = loaded(load(PASSWORD, { 'db/password': 'hunter2\n' }))
    expect(config.core.database).toMatchObject({
      password: 'hunter2',
      password_file: 'db/password',
    })
    expect(origin('core.database.password')).toBe('tracker.toml:14')
  })

  test('a token, with its scope', () => {
    const toml = tokens('grafana = { token_file = "/run/t", scope = "metrics" }')
    const { config, warnings } = loaded(load(toml, { '/run/t': 'hunter2' }))
    expect(config.http_api?.access_tokens).toEqual({
      grafana: { token: 'hunter2', token_file: '/run/t', scope: 'metrics' },
    })
    expect(warnings).toEqual([])
  })

  test('the secret of a webhook, which is masked in the dump', () => {
    const hook = '[core.accounting.webhook]\nurl = "https://a.example/x"\n'
    const toml = (secret: string) =>
      `${MINIMAL_3}[core.database]\n[core.accounting]\nlevel = "torrents"\n${hook}${secret}\n`
    const { config, origin } = loaded(load(toml('secret_file = "s"'), { s: 'hunter2\n' }))
    expect(config.core.accounting?.webhook).toEqual({
      url: 'https://a.example/x',
      secret: 'hunter2',
      secret_file: 's',
    })
    expect(origin('core.accounting.webhook.secret')).toBe('tracker.toml:14')
    expect(toToml(config)).toContain('secret_file = "s"')
    const written = loaded(load(toml('secret = "hunter2"'))).config
    for (const text of [dump(config), toToml(config), dump(written), toToml(written)])
      expect(text).not.toContain('hunter2')
    const both = complaints(load(toml('secret = "hunter2"\nsecret_file = "s"'), { s: 'hunter2' }))
    expect(both).toEqual([
      'tracker.toml:15:1: core.accounting.webhook.secret_file: only one of `secret` and `secret_file` may be given',
    ])
  })

  test('the password of a database of schema 2.0.0, whose URL has none', () => {
    const { config, warnings } = loaded(load(OLD('mysql://u@h/d'), { p: 'hunter2' }))
    expect(config.core.database).toMatchObject({ user: 'u', password: 'hunter2' })
    expect(warnings).toEqual([])
  })

  test.each([
    ['hunter2', 'hunter2'],
    ['hunter2\n', 'hunter2'],
    ['hunter2\r\n', 'hunter2'],
    [' hunter 2 é ', ' hunter 2 é '],
    ['x'.repeat(4096), 'x'.repeat(4096)],
  ])('without the last line break, else as it is: %#', (text, password) => {
    const { config } = loaded(load(PASSWORD, { 'db/password': text }))
    expect(config.core.database).toMatchObject({ password })
  })

  test('that is a credential of systemd', () => {
    const toml = `${SERVER}password_file = "$CREDENTIALS_DIRECTORY/db"\n`
    const directory = '/run/credentials/tracker.service'
    const env = { CREDENTIALS_DIRECTORY: directory }
    const { config } = loaded(load(toml, { [`${directory}/db`]: 'hunter2' }, {}, env))
    expect(config.core.database).toMatchObject({ password: 'hunter2' })
  })
})

describe('a file is refused, and what it holds is not shown', () => {
  test.each([
    ['that is not there', {}, 'no such file or directory: relative paths start in the directory'],
    ['that is empty', { p: '' }, 'is empty: it must hold the secret and nothing else'],
    ['with an empty line', { p: ' \n' }, 'is empty'],
    ['with two lines', { p: 'hunter2\nhunter2\n' }, 'has several lines: it must hold'],
    ['with two line breaks', { p: 'hunter2\n\n' }, 'has several lines'],
    ['with a carriage return', { p: 'hunter2\rx' }, 'has several lines'],
    ['that is too long', { p: `hunter2${'x'.repeat(4090)}` }, 'is longer than 4096 characters'],
    ['that is not text', { p: 'hunter2\0' }, 'is not text: it must hold the secret in UTF-8'],
  ])('%s', (_what, files, words) => {
    const [mistake, ...others] = complaints(load(`${SERVER}password_file = "p"\n`, files))
    expect(others).toEqual([])
    expect(mistake).toStartWith(`tracker.toml:14:1: core.database.password_file: ${HOME}/p`)
    expect(mistake).toContain(words)
    expect(mistake).not.toContain('hunter2')
  })

  test.each([
    ['locked', "permission denied: the tracker's user must be able to read it"],
    ['folder', 'is a directory: name a file in it'],
  ])('%s', (name, words) => {
    expect(complaints(load(tokens(`a = { token_file = "${name}" }`)))).toEqual([
      expect.stringContaining(`http_api.access_tokens.a.token_file: ${HOME}/${name}: ${words}`),
    ])
  })

  test('of a credential outside a service', () => {
    const toml = `${SERVER}password_file = "$CREDENTIALS_DIRECTORY/db"\n`
    for (const env of [{}, { CREDENTIALS_DIRECTORY: '' }])
      expect(complaints(load(toml, {}, {}, env))).toEqual([
        'tracker.toml:14:1: core.database.password_file: $CREDENTIALS_DIRECTORY is not set: systemd sets it ' +
          'for a service that has `LoadCredential=db:/path/of/the/file`',
      ])
  })

  test('of a value that is no path', () => {
    expect(complaints(load(`${SERVER}password_file = 5\n`))).toEqual([
      'tracker.toml:14:1: core.database.password_file: expected a string that is not empty, found 5',
    ])
  })
})

describe('both forms', () => {
  test.each([
    [
      `${PASSWORD}password = "hunter2"\n`,
      '14:1: core.database.password_file: only one of `password`',
    ],
    [OLD('mysql://u:hunter2@h/d'), '12:1: core.database.password_file: only one of `password`'],
    [
      tokens('a = { token = "hunter2", token_file = "p" }'),
      '10:26: http_api.access_tokens.a.token_file: only one of `token` and `token_file` may be given',
    ],
  ])('in one file are a mistake: %#', (toml, words) => {
    const [mistake, ...others] = complaints(load(toml, { p: 'x', 'db/password': 'x' }))
    expect(others).toEqual([])
    expect(mistake).toStartWith(`tracker.toml:${words}`)
  })

  const FILES = { p: 'of p', q: 'of q', 'db/password': 'of the file' }
  test.each([
    ['a file for a password', `${SERVER}password = "x"\n`, 'PASSWORD_FILE', 'p', 'of p'],
    ['a password for a file', PASSWORD, 'PASSWORD', 'new', 'new'],
    ['another file', PASSWORD, 'PASSWORD_FILE', 'q', 'of q'],
  ])('a variable gives %s', (_what, toml, name, value, password) => {
    const variable = `CORE__DATABASE__${name}`
    const { config, origin } = loaded(load(toml, FILES, { [variable]: value }))
    expect(config.core.database).toMatchObject({ password })
    expect(origin('core.database.password')).toBe(OVERRIDE + variable)
  })

  test('a variable gives a file for a token, and the scope stays', () => {
    const toml = tokens('a = { token = "x", scope = "read" }')
    const variable = { HTTP_API__ACCESS_TOKENS__A__TOKEN_FILE: 'p' }
    const { config } = loaded(load(toml, FILES, variable))
    expect(config.http_api?.access_tokens.a).toMatchObject({ token: 'of p', scope: 'read' })
  })

  test('in two variables are a mistake', () => {
    const variables = { CORE__DATABASE__PASSWORD: 'x', CORE__DATABASE__PASSWORD_FILE: 'p' }
    expect(complaints(load(SERVER, FILES, variables))).toEqual([
      `${OVERRIDE}CORE__DATABASE__PASSWORD_FILE: core.database.password_file: only one of ` +
        '`password` and `password_file` may be given',
    ])
  })
})

test('SQLite has no password, in a file or not', () => {
  expect(
    complaints(load(`${MINIMAL_3}[core.database]\npassword_file = "p"\n`, { p: 'x' })),
  ).toEqual([
    expect.stringContaining('SQLite database configuration only accepts the `path` field'),
  ])
})

test('a file that others may read is a warning', () => {
  const files = { [`${HOME}/tracker.toml`]: PASSWORD }
  const { warnings } = loaded(
    loadIn({ files, readSecret: () => ({ text: 'hunter2', isOpen: true }) }),
  )
  expect(warnings).toEqual([
    `tracker.toml:14:1: core.database.password_file: other users may read ${HOME}/db/password: ` +
      `\`chmod o= ${HOME}/db/password\` forbids it`,
  ])
})

test('a configuration is printed with the files, not with what they hold', () => {
  const toml = `${PASSWORD}[http_api.access_tokens]
a = { token_file = "a", scope = "read" }
b = { token_file = "b" }
`
  const files = { a: 'hunter2', b: 'hunter3', 'db/password': 'hunter4' }
  const { config, origin } = loaded(load(toml, files))
  for (const annotated of [false, true])
    for (const secrets of [false, true]) {
      const printed = toToml(config, { annotated, secrets, note: origin })
      expect(printed).not.toContain('hunter')
      expect(printed).not.toMatch(/^password = /m)
      expect(printed).toContain('\npassword_file = "db/password"  # tracker.toml:14\n')
      expect(printed).toContain('\na = { token_file = "a", scope = "read" }  # tracker.toml:16\n')
      expect(loaded(load(printed, files)).config).toEqual(config)
    }
  expect(dump(config)).not.toContain('hunter')
  expect(JSON.parse(dump(config))).toMatchObject({
    core: { database: { password_file: 'db/password' } },
    http_api: { access_tokens: { b: { token_file: 'b' } } },
  })
})
