/** Sources of a configuration, its mandatory options, and mistakes, which are all reported at once. */
import { describe, expect, test } from 'bun:test'
import {
  complaints,
  loaded,
  loadIn,
  loadToml,
  MINIMAL_2,
  MINIMAL_3,
  OVERRIDE,
} from '../support/config/loading.ts'

const TEXT = 'TORRUST_TRACKER_CONFIG_TOML'
const PATH = 'TORRUST_TRACKER_CONFIG_TOML_PATH'
const interval = (seconds: number) => `${MINIMAL_3}[core.announce_policy]\ninterval = ${seconds}\n`
const FILES = {
  '/home/op/tracker.toml': interval(1001),
  '/home/op/named.toml': interval(1002),
  '/etc/tracker.toml': interval(1003),
}

describe('sources', () => {
  const text = { [TEXT]: interval(1004) }
  test.each<[string, Parameters<typeof loadIn>[0], number, string]>([
    ['--config goes first', { path: 'named.toml', env: text }, 1002, 'named.toml'],
    ['then the text in the environment', { env: { ...text, [PATH]: '/x' } }, 1004, TEXT],
    ['then the path', { env: { [PATH]: '/etc/tracker.toml' } }, 1003, '/etc/tracker.toml'],
    ['then tracker.toml', {}, 1001, 'tracker.toml'],
    ['in any case', { env: { [TEXT.toLowerCase()]: text[TEXT]! } }, 1004, TEXT.toLowerCase()],
  ])('%s', (_what, world, seconds, source) => {
    const result = loaded(loadIn({ files: FILES, ...world }))
    expect(result.config.core.announce_policy.interval).toBe(seconds)
    expect(result.source).toBe(source)
    expect(result.origin('core.announce_policy.interval')).toBe(`${source}:10`)
  })

  test('C13: without any configuration the tracker is public, on the usual ports, with a local API', () => {
    const { config, source, warnings, origin } = loaded(loadIn({}))
    expect(source).toBe('the built-in default')
    expect(warnings).toEqual([])
    expect(config).toMatchObject({
      core: {
        announce_policy: { interval: 1800, interval_min: 900 },
        tracker_policy: { max_peer_timeout: 4500 },
        listed: false,
        private: false,
        database: { driver: 'sqlite3', path: './storage/tracker/lib/database/sqlite3.db' },
      },
      http_api: { bind_address: { ip: '127.0.0.1', port: 1212 }, access_tokens: {} },
      health_check_api: { bind_address: { ip: '127.0.0.1', port: 1313 } },
      abuse: {
        id_errors: 'suppress',
        max_new_rows_per_second: 100,
        max_connections_per_address: 512,
      },
      runtime: { workers: 0, max_memory: 0 },
    })
    expect(origin('core.announce_policy.interval')).toBe('the built-in default')
    expect(origin('core.announce_policy.max_peers_per_announce')).toBe('default')
  })

  test.each([
    [true, '::'],
    [false, '0.0.0.0'],
  ])('the listeners of the built-in default serve both families, with IPv6 %p', (hasIpv6, ip) => {
    const { config } = loaded(loadIn({ hasIpv6 }))
    expect(config.udp_trackers?.map((t) => t.bind_address)).toEqual([{ ip, port: 6969 }])
    expect(config.http_trackers?.map((t) => t.bind_address)).toEqual([{ ip, port: 7070 }])
  })

  test('overrides alone apply to the built-in default', () => {
    const env = { [`${OVERRIDE}HTTP_API__ACCESS_TOKENS__ADMIN`]: 'secret' }
    const { config } = loaded(loadIn({ env }))
    expect(config.http_api?.access_tokens).toEqual({ admin: { token: 'secret', scope: 'all' } })
  })

  test('a byte order mark is not part of a file', () => {
    const marked = (text: string) => loadToml(`\uFEFF${text}`)
    expect(loaded(marked(MINIMAL_3)).config).toEqual(loaded(loadToml(MINIMAL_3)).config)
    expect(complaints(marked(`mode = 1${MINIMAL_3}`))).toEqual([
      expect.stringMatching(/^tracker\.toml:1:1: mode: /),
    ])
    expect(complaints(marked('[b'))).toEqual([expect.stringContaining('\n  1 | [b\n    | ')])
  })

  test('files above the current directory are not used', () => {
    const result = loaded(loadIn({ files: { '/home/tracker.toml': 'x = ', '/tracker.toml': 'x' } }))
    expect(result.source).toBe('the built-in default')
  })

  const GONE = 'gone.toml: no such file or directory: /home/op/gone.toml, given by'
  test.each<[string, Parameters<typeof loadIn>[0], string]>([
    [
      'a missing file named by --config',
      { path: 'gone.toml' },
      `${GONE} --config (or -c, --config-toml-path), which takes precedence over ${TEXT} and ${PATH}`,
    ],
    ['one named in the environment', { env: { [PATH]: 'gone.toml' } }, `${GONE} ${PATH}`],
    ['a directory', { path: 'folder' }, 'folder: is a directory: /home/op/folder'],
    ['a locked file', { path: 'locked' }, 'locked: permission denied: /home/op/locked'],
    ['an empty path', { env: { [PATH]: '' } }, `"": the path is empty, given by ${PATH}`],
    ['a line break', { path: 'a\nb' }, '"a\\nb": no such file or directory: /home/op/"a\\nb"'],
  ])('%s is reported as such', (_what, world, words) => {
    const mistakes = complaints(loadIn({ files: FILES, ...world }))
    expect(mistakes).toEqual([expect.stringContaining(words)])
    expect(mistakes[0]).not.toContain('\n')
  })

  test('a misspelt variable is a warning with the right name', () => {
    const env = {
      TORRUST_TRACKER_CONFIG_OVERIDE_CORE__LISTED: 'true',
      TORRUST_TRACKER_CONFIG_TMOL: '',
    }
    expect(loaded(loadIn({ env })).warnings).toEqual([
      `TORRUST_TRACKER_CONFIG_OVERIDE_CORE__LISTED: unknown variable, ignored, did you mean ${OVERRIDE.slice(0, -1)}?`,
      `TORRUST_TRACKER_CONFIG_TMOL: unknown variable, ignored, did you mean ${TEXT}?`,
    ])
  })
})

describe('mandatory options', () => {
  test('an empty text lacks all of them, and each is reported', () => {
    expect(complaints(loadIn({ env: { [TEXT]: '' } }))).toEqual(
      [
        'metadata.schema_version, for example `schema_version = "3.0.0"` below [metadata]',
        'logging.trace_filter, for example `trace_filter = "info"` below [logging]',
        'core.private, for example `private = false` below [core]',
        'core.listed, for example `listed = false` below [core]',
      ].map((path) => `${TEXT}: Missing mandatory configuration option. Option path: ${path}`),
    )
  })

  test.each([
    [MINIMAL_2, 'threshold = "info"', 'logging.threshold'],
    [MINIMAL_2, 'private = false', 'core.private'],
    [MINIMAL_3, 'trace_filter = "info"', 'logging.trace_filter'],
    [MINIMAL_3, 'listed = false', 'core.listed'],
  ])('one that is not written: %#', (toml, line, path) => {
    expect(complaints(loadToml(toml.replace(line, '')))).toEqual([
      `tracker.toml: Missing mandatory configuration option. Option path: ${path}, for example \`${line}\` below [${path.split('.')[0]}]`,
    ])
  })

  test('schema 2.0.0: the level may have its name of schema 3.0.0', () => {
    const toml = MINIMAL_2.replace('threshold = "info"', 'trace_filter = "warn"')
    expect(loaded(loadToml(toml)).config.logging.trace_filter).toBe('warn')
  })

  test('an override can supply one', () => {
    const toml = MINIMAL_2.replace('listed = false', '')
    expect(loaded(loadToml(toml, { CORE__LISTED: 'true' })).config.core.listed).toBe(true)
  })

  test('without a version the other mistakes are those of the schema that the file resembles', () => {
    const toml = MINIMAL_2.replace('schema_version = "2.0.0"', '').replace('listed = false', '')
    expect(complaints(loadToml(toml))).toEqual([
      'tracker.toml: Missing mandatory configuration option. Option path: metadata.schema_version, for example `schema_version = "2.0.0"` below [metadata]',
      'tracker.toml: Missing mandatory configuration option. Option path: core.listed, for example `listed = false` below [core]',
    ])
  })

  test('another version is unsupported, and nothing else is reported', () => {
    const toml = `${MINIMAL_3.replace('3.0.0', '1.0.0')}nonsense = 1`
    expect(complaints(loadToml(toml))).toEqual([
      'tracker.toml:3:1: metadata.schema_version: Unsupported configuration version: 1.0.0 (2.0.0 and 3.0.0 are supported)',
    ])
  })

  test('a version that is not a string is a type mistake', () => {
    expect(complaints(loadToml(MINIMAL_3.replace('"3.0.0"', '3')))).toEqual([
      'tracker.toml:3:1: metadata.schema_version: expected "2.0.0" or "3.0.0", found 3',
    ])
  })
})

describe('mistakes', () => {
  test('all are reported at once, in the order of the file, one line each', () => {
    const toml = `[metadata]
schema_version = "3.0.0"
[logging]
trace_filter = "Info"
[core]
listed = "no"
private = false
  [core.announce_policy]
  interval = "x"
[[udp_trackers]]
bind_adress = "0.0.0.0:6969"
[[udp_trackers]]
bind_address = "localhost:6969"
[health_check_api]
bind_address = "127.0.0.1"
`
    expect(complaints(loadToml(toml, { RUNTIME__WORKERS: '999' }))).toEqual([
      `${OVERRIDE}RUNTIME__WORKERS: runtime.workers: expected a whole number from 0 to 256, found 999`,
      'tracker.toml:4:1: logging.trace_filter: expected "off", "error", "warn", "info", "debug" or "trace", found "Info", did you mean info?',
      'tracker.toml:6:1: core.listed: expected true or false, found "no"',
      'tracker.toml:9:3: core.announce_policy.interval: expected a whole number from 0 to 2147483647, found "x"',
      'tracker.toml:11:1: udp_trackers.0.bind_adress: unknown option, did you mean bind_address?',
      'tracker.toml:13:1: udp_trackers.1.bind_address: expected an address and port like "0.0.0.0:6969" or "[::]:6969", found "localhost:6969"',
      'tracker.toml:15:1: health_check_api.bind_address: expected an address and port like "0.0.0.0:6969" or "[::]:6969", found "127.0.0.1"',
    ])
  })

  test('the placeholder for a mistake causes no further mistakes', () => {
    const toml = `${MINIMAL_3.replace('private = false', 'private = 1')}[core.private_mode]\n`
    expect(complaints(loadToml(toml))).toEqual([
      'tracker.toml:8:1: core.private: expected true or false, found 1',
    ])
  })

  test('neither does that of an option on which another rule depends', () => {
    const toml = `${MINIMAL_3}
[[http_trackers]]
bind_address = "[::]:7070"
network = { ipv6_v6only = 1 }
[[http_trackers]]
bind_address = "0.0.0.0:7070"
`
    expect(complaints(loadToml(toml))).toEqual([expect.stringContaining('found 1')])
  })

  test.each([
    ['a = 1\nb = ,\n', '2:5: TOML: invalid value\n  2 | b = ,\n    |     ^'],
    [
      'b = info',
      '1:8: TOML: each key-value declaration must be followed by an end-of-line: text needs quotes, as in `"info"`\n  1 | b = info\n    |        ^',
    ],
    [
      'b = 0.0.0.0:1 # all',
      '1:8: TOML: illegal character in numeric literal: text needs quotes, as in `"info"`\n  1 | b = 0.0.0.0:1 # all\n    |        ^',
    ],
    ['b = \nc = 1', '1:5: TOML: invalid value\n  1 | b = \n    |     ^'],
    ['[b\nc = 1', '1:3: TOML: illegal character in key\n  1 | [b\n    |   ^'],
  ])('a TOML mistake shows the line with a caret below the place: %p', (toml, words) => {
    expect(complaints(loadToml(toml))).toEqual([`tracker.toml:${words}`])
  })

  test.each([
    ['a token below its section', '[http_api.access_tokens]\nadmin = "hunter2'],
    ['a token in an inline table', 'http_api = { access_tokens = { admin = "hunter2" '],
    ['a password', 'password = hunter2'],
    ['a URL', 'path = "mysql://root:hunter2@h/d'],
    ['a token over two lines', 'access_tokens = {\n  admin = "hunter2'],
  ])('a TOML mistake near %s does not show it', (_what, toml) => {
    const [mistake] = complaints(loadToml(toml))
    expect(mistake).toContain('TOML: ')
    expect(mistake).not.toContain('hunter2')
  })

  test('of a long line only the part around the mistake is shown', () => {
    const toml = `a = [${'1, '.repeat(50_000)}x`
    const [words] = complaints(loadToml(toml))
    expect(words).toMatch(/^tracker\.toml:1:150006: TOML: /)
    expect(words!.split('\n').every((line) => line.length < 200)).toBe(true)
  })

  test('a TOML mistake in the environment shows no text', () => {
    expect(complaints(loadIn({ env: { [TEXT]: 'a = hunter2' } }))).toEqual([
      `${TEXT}:1:5: TOML: invalid value: text needs quotes, as in \`"info"\``,
    ])
  })

  const FOREIGN = 'the configuration is TOML: '
  test.each([
    ['YAML', 'core:\n  private: false\nudp-trackers: []\n'],
    ['YAML', '# mine\n---\ncore: { private: false }\nhttp_trackers:\n  - bind_address: x\n'],
    ['JSON', '{ "core": { "private": false } }'],
    ['JSON', '\n{\n\t"core": { "private": fal'],
  ])('C15: %s is named as such, in a file and in the environment: %#', (format, text) => {
    expect(complaints(loadToml(text))).toEqual([
      expect.stringContaining(`tracker.toml: this is ${format}; ${FOREIGN}`),
    ])
    expect(complaints(loadIn({ env: { [TEXT]: text } }))).toEqual([
      expect.stringContaining(`${TEXT}: this is ${format}; ${FOREIGN}`),
    ])
  })

  test.each([
    ['JSON', 'x.json'],
    ['YAML', 'x.yaml'],
    ['YAML', 'x.yml'],
  ])('broken %s is recognised by the name %s', (format, path) => {
    const files = { [`/home/op/${path}`]: 'core: [ }' }
    expect(complaints(loadIn({ path, files }))).toEqual([
      expect.stringContaining(`${path}: this is ${format}; `),
    ])
  })

  test.each([
    'private: false\n[core]\n',
    '[core]\nprivate: false',
    'a = "b: c',
    '- a\n',
    'word',
    '[a.]',
  ])('TOML with a mistake is not taken for another format: %p', (text) => {
    expect(complaints(loadToml(text))[0]).toContain(': TOML: ')
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'the section and the key %s are unknown like any other',
    (name) => {
      const toml = `${name} = 1\n${MINIMAL_3}${name} = 2\n[core.tracker_policy.${name}]\n`
      expect(complaints(loadToml(toml))).toEqual([
        expect.stringMatching(/^tracker\.toml:1:1: .*: unknown option, known options: /),
        expect.stringMatching(/^tracker\.toml:10:1: core\..*: unknown option, known options: /),
        expect.stringMatching(/^tracker\.toml:11:1: core\.tracker_policy\..*: unknown option/),
      ])
    },
  )

  test('a key with a line break in it stays on one line', () => {
    const [mistake] = complaints(loadToml(`${MINIMAL_3}"a\\nb\\u001b[31m" = 1`))
    expect(mistake).toStartWith('tracker.toml:9:1: core."a\\nb\\u001b[31m": unknown option')
  })

  test('a long string is shortened and a password in a URL is masked', () => {
    const long = complaints(
      loadToml(`${MINIMAL_3}inactive_peer_cleanup_interval = "${'x'.repeat(500)}"`),
    )
    expect(long[0]!.length).toBeLessThan(220)
    const url = complaints(
      loadToml(`${MINIMAL_3}[core.database]\ndriver = "mysql://u:hunter2@h/d"`),
    )
    expect(url[0]).toContain('mysql://***@h/d')
  })

  test('a number with five thousand digits is refused without computing it', () => {
    const toml = `${MINIMAL_3}inactive_peer_cleanup_interval = 1${'0'.repeat(5000)}`
    const [mistake] = complaints(loadToml(toml))
    expect(mistake).toContain('expected a whole number from 0 to 9007199254740991')
    expect(mistake!.length).toBeLessThan(300)
  })
})
