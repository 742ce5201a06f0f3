/** The checker's configuration: where it comes from, what it means, and everything that can be wrong with it. */
import { describe, expect, test } from 'bun:test'
import { findTargets, guessTarget, readConfiguration, readTarget } from '../../src/check/targets.ts'
import { workspace } from '../support/cli/workspace.ts'

const EMPTY = { udp_trackers: [], http_trackers: [], health_checks: [] }
const read = (lists: unknown) =>
  readConfiguration('a.json', JSON.stringify(lists)).map((target) =>
    typeof target === 'string' ? target : `${target.kind} ${target.url.href}`,
  )

describe('T2: in the form of the reference', () => {
  test('one URL in each list is taken as it is', () => {
    const lists = {
      udp_trackers: ['udp://127.0.0.1:8080'],
      http_trackers: ['http://127.0.0.1:7070/'],
      health_checks: ['http://127.0.0.1:1313/health_check'],
    }
    expect(read(lists)).toEqual([
      'udp udp://127.0.0.1:8080',
      'http http://127.0.0.1:7070/',
      'health http://127.0.0.1:1313/health_check',
    ])
  })

  test.each([
    ['udp', '127.0.0.1:6969', 'udp://127.0.0.1:6969'],
    ['udp', '127.0.0.1:6969/announce', 'udp://127.0.0.1:6969/announce'],
    ['http', 'https://localhost/announce/KEY?a=b', 'https://localhost/announce/KEY?a=b'],
    ['health', 'http://127.0.0.1:1313/any/path', 'http://127.0.0.1:1313/any/path'],
  ] as const)('%s %p is %p', (kind, text, href) => {
    expect(readTarget(kind, text)).toMatchObject({ kind, url: { href } })
  })

  test('unknown members are ignored', () => {
    expect(read({ ...EMPTY, comment: 'ours' })).toEqual([])
  })
})

test('every mistake is reported, with its place', () => {
  const lists = {
    udp_trackers: ['127.0.0.1:6969', 'http://127.0.0.1:7070', 'udp://host', 5, ''],
    http_trackers: ['udp://127.0.0.1:6969', 'http://a:0', ['http://b']],
    health_checks: [null],
  }
  expect(read(lists)).toEqual([
    'udp udp://127.0.0.1:6969',
    'a.json: udp_trackers[1]: http://127.0.0.1:7070: expected udp://HOST:PORT',
    'a.json: udp_trackers[2]: udp://host: the port is missing',
    'a.json: udp_trackers[3]: expected a URL in quotes, found 5',
    'a.json: udp_trackers[4]: expected a tracker URL, found nothing',
    'a.json: http_trackers[0]: udp://127.0.0.1:6969: expected http:// or https://',
    'a.json: http_trackers[1]: http://a:0: the port cannot be 0',
    'a.json: http_trackers[2]: expected a URL in quotes, found a list',
    'a.json: health_checks[0]: expected a URL in quotes, found null',
  ])
  expect(read({ udp_trackers: [], health_checks: {} })).toEqual([
    'a.json: http_trackers: missing; an empty list is "http_trackers": []',
    'a.json: health_checks: expected a list of URLs, found an object',
  ])
})

test('anything but a JSON object is refused', () => {
  expect(readConfiguration('a.json', '{"udp_trackers":[}')).toEqual([
    expect.stringMatching(/^a\.json: not JSON: /),
  ])
  expect(read([])).toEqual(['a.json: expected an object, found a list'])
  expect(read(null)).toEqual(['a.json: expected an object, found null'])
  // A byte order mark is no mistake.
  expect(readConfiguration('a.json', `\uFEFF${JSON.stringify(EMPTY)}`)).toEqual([])
})

test('WebTorrent trackers may be listed', () => {
  expect(read({ ...EMPTY, websocket_trackers: ['wss://a', 'http://a'] })).toEqual([
    'websocket wss://a/',
    'a.json: websocket_trackers[1]: http://a: expected ws:// or wss://',
  ])
})

test.each([
  ['udp://a:1', 'udp'],
  ['a:1', 'udp'],
  ['http://a/announce', 'http'],
  ['http://a', 'http'],
  ['http://a:1313/health_check', 'health'],
  ['https://a/api/health_check?token=x', 'health'],
  ['http://a/announce?x=/health_check', 'http'],
  ['wss://a/announce', 'websocket'],
  ['ws://a/health_check', 'websocket'],
])('the argument %p is a target of kind %p', (text, kind) => {
  expect(guessTarget(text)).toMatchObject({ kind })
})

describe('T3: where it comes from', () => {
  const json = (port: number) => JSON.stringify({ ...EMPTY, udp_trackers: [`a:${port}`] })
  const PATH = 'TORRUST_CHECKER_CONFIG_PATH'
  const CONTENT = 'TORRUST_CHECKER_CONFIG'
  const both = { [PATH]: 'two.json', [CONTENT]: json(4) }

  test.each<[string, readonly string[], Record<string, string>, readonly (number | string)[]]>([
    ['--config-path before all', ['-c', 'one.json', json(3)], both, [1]],
    ['the variable with a path before content', [json(3)], both, [2]],
    ['an argument before a variable', [json(3)], { [CONTENT]: json(4) }, [3]],
    ['a variable', [], { [CONTENT]: json(4), [PATH]: '' }, [4]],
    ['URLs alone: no variable', ['b:5'], both, [5]],
    ['URLs with an argument', ['b:5', json(3)], { [CONTENT]: json(4) }, [3, 5]],
    ['no such file', ['-c', 'no.json'], both, ['no.json: no such file or directory']],
    ['a directory', [], { [PATH]: '.' }, [`.: is a directory, given by ${PATH}`]],
    ['nothing in it', [JSON.stringify(EMPTY)], {}, ['the configuration has nothing to check']],
  ])('%s', (_what, words, env, ports) => {
    using here = workspace({ 'one.json': json(1), 'two.json': json(2) })
    const [option, path, ...rest] = words
    const invocation =
      option === '-c'
        ? { options: new Map([['config-path', path!]]), arguments: rest }
        : { options: new Map<string, string>(), arguments: words }
    const found = findTargets(invocation, { env, cwd: here.path, complain() {} })
    expect(found.map((target) => (typeof target === 'string' ? target : target.url.port))).toEqual([
      ...ports,
    ])
  })
})
