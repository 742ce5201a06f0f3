/** The checker's configuration: where it comes from, what it means, and everything that can be wrong with it. */
import { describe, expect, test } from 'bun:test'
import { findConfiguration, readConfiguration } from '../../src/check/checker-configuration.ts'
import { guessTarget, readTarget } from '../../src/check/target.ts'

const EMPTY = { udp_trackers: [], http_trackers: [], health_checks: [] }
const read = (lists: unknown) => {
  const { targets, mistakes } = readConfiguration('a.json', JSON.stringify(lists))
  return { targets: targets.map(({ kind, url }) => `${kind} ${url.href}`), mistakes }
}
const good = (...targets: string[]) => ({ targets, mistakes: [] })
const bad = (...mistakes: string[]) => ({ targets: [], mistakes })

describe('T2: in the form of the reference', () => {
  test('one URL in each list is taken as it is', () => {
    const lists = {
      udp_trackers: ['udp://127.0.0.1:8080'],
      http_trackers: ['http://127.0.0.1:7070/'],
      health_checks: ['http://127.0.0.1:1313/health_check'],
    }
    expect(read(lists)).toEqual(
      good(
        'udp udp://127.0.0.1:8080',
        'http http://127.0.0.1:7070/',
        'health http://127.0.0.1:1313/health_check',
      ),
    )
  })

  test.each([
    ['udp', 'invalid URL', 'invalid URL: not a URL'],
    ['http', 'invalid URL', 'invalid URL: expected http:// or https://'],
    ['health', 'invalid URL', 'invalid URL: expected http:// or https://'],
  ] as const)('%s: %p is not a target', (kind, text, mistake) => {
    expect(readTarget(kind, text)).toBe(mistake)
  })

  test.each([
    ['udp', '127.0.0.1:6969', 'udp://127.0.0.1:6969'],
    ['udp', 'udp://localhost:6969', 'udp://localhost:6969'],
    ['udp', 'localhost:6969', 'udp://localhost:6969'],
    ['udp', '127.0.0.1:6969/', 'udp://127.0.0.1:6969/'],
    ['udp', '127.0.0.1:6969/announce', 'udp://127.0.0.1:6969/announce'],
    ['udp', '[::1]:6969', 'udp://[::1]:6969'],
    ['http', 'http://127.0.0.1:7070', 'http://127.0.0.1:7070/'],
    ['http', 'https://localhost/announce/KEY?a=b', 'https://localhost/announce/KEY?a=b'],
    ['health', 'http://127.0.0.1:1313/any/path', 'http://127.0.0.1:1313/any/path'],
  ] as const)('%s %p is %p', (kind, text, href) => {
    expect(readTarget(kind, text)).toMatchObject({ kind, url: { href } })
  })

  test('unknown members are ignored', () => {
    expect(read({ ...EMPTY, comment: 'ours' })).toEqual(good())
  })
})

test('every mistake is reported, with its place', () => {
  const lists = {
    udp_trackers: ['127.0.0.1:6969', 'http://127.0.0.1:7070', 'udp://host', 5, ''],
    http_trackers: ['udp://127.0.0.1:6969', 'http://a:0', ['http://b']],
    health_checks: ['\u001b[2J', null],
  }
  expect(read(lists).mistakes).toEqual([
    'udp_trackers[1]: http://127.0.0.1:7070: expected udp://HOST:PORT',
    'udp_trackers[2]: udp://host: the port is missing',
    'udp_trackers[3]: expected a URL in quotes, found 5',
    'udp_trackers[4]: expected a tracker URL, found nothing',
    'http_trackers[0]: udp://127.0.0.1:6969: expected http:// or https://',
    'http_trackers[1]: http://a:0: the port cannot be 0',
    'http_trackers[2]: expected a URL in quotes, found a list',
    'health_checks[0]: [2J: expected http:// or https://',
    'health_checks[1]: expected a URL in quotes, found null',
  ])
})

test('all three lists are required', () => {
  expect(read({ udp_trackers: [], health_checks: {} })).toEqual(
    bad(
      'http_trackers: missing; an empty list is "http_trackers": []',
      'health_checks: expected a list of URLs, found an object',
    ),
  )
})

test('anything but a JSON object is refused', () => {
  expect(readConfiguration('a.json', '{"udp_trackers":[}').mistakes[0]).toStartWith('not JSON: ')
  expect(read([])).toEqual(bad('expected an object, found a list'))
  expect(read(null)).toEqual(bad('expected an object, found null'))
  // A byte order mark is no mistake.
  const { mistakes } = readConfiguration('a.json', `\uFEFF${JSON.stringify(EMPTY)}`)
  expect(mistakes).toEqual([])
})

test.each([
  ['udp://a:1', 'udp'],
  ['a:1', 'udp'],
  ['http://a/announce', 'http'],
  ['http://a', 'http'],
  ['http://a:1313/health_check', 'health'],
  ['https://a/api/health_check?token=x', 'health'],
  ['http://a/announce?x=/health_check', 'http'],
])('the argument %p is a target of kind %p', (text, kind) => {
  expect(guessTarget(text)).toMatchObject({ kind })
})

describe('T3: where it comes from', () => {
  const json = (port: number) => JSON.stringify({ ...EMPTY, udp_trackers: [`a:${port}`] })
  const PATH = 'TORRUST_CHECKER_CONFIG_PATH'
  const CONTENT = 'TORRUST_CHECKER_CONFIG'
  const both = { [PATH]: 'two.json', [CONTENT]: json(4) }
  const find = (given: { path?: string; content?: string; named?: boolean }, env = {}) => {
    const found = findConfiguration({
      path: undefined,
      content: undefined,
      named: false,
      ...given,
      env,
      cwd: '/dir',
      readFile: (path) => {
        const port = { '/dir/one.json': 1, '/dir/two.json': 2 }[path]
        if (port === undefined) throw Object.assign(new Error(), { code: 'ENOENT' })
        return json(port)
      },
    })
    return found && { port: found.targets[0]?.url.port, name: found.name }
  }

  test('a path goes before content, the command line before the environment', () => {
    expect(find({ path: 'one.json' }, both)).toMatchObject({ port: 1, name: 'one.json' })
    expect(find({}, both)).toMatchObject({ port: 2, name: 'two.json' })
    const argument = { port: 3, name: 'the JSON argument' }
    expect(find({ content: json(3) }, { [CONTENT]: json(4) })).toEqual(argument)
    expect(find({ content: json(3) }, both)).toMatchObject({ port: 2, name: 'two.json' })
    expect(find({}, { [CONTENT]: json(4), [PATH]: '' })).toMatchObject({ port: 4, name: CONTENT })
    expect(find({})).toBeUndefined()
  })

  test('if URLs are given, the environment is ignored', () => {
    expect(find({ named: true }, both)).toBeUndefined()
    expect(find({ named: true, content: json(3) }, { [CONTENT]: json(4) })).toMatchObject({
      port: 3,
    })
  })

  test('a file that cannot be read is a mistake, which says what named the file', () => {
    const input = { content: undefined, named: false, cwd: '/', env: { [PATH]: 'none.json' } }
    const readFile = () => {
      throw Object.assign(new Error(), { code: 'EISDIR' })
    }
    const { mistakes, name } = findConfiguration({ ...input, path: undefined, readFile })!
    expect([name, mistakes]).toEqual(['none.json', [`is a directory, given by ${PATH}`]])
    expect(findConfiguration({ ...input, path: 'x', readFile })!.mistakes).toEqual([
      'is a directory',
    ])
  })
})
