/** The log: layouts, levels, colours, and what text of a client must not do to it. */
import { describe, expect, test } from 'bun:test'
import { LEVELS, type Level } from '../../src/log/level.ts'
import { type Fields, Log, type LogOptions, type LogStyle } from '../../src/log/log.ts'
import { onceEach } from '../../src/log/report.ts'

const NOON = Date.UTC(2024, 9, 17, 12, 7, 39, 989)
/** Control characters but for the line break. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/
const PLAIN: LogOptions = { filter: 'info', style: 'full', colour: false }

function say(
  options: Partial<LogOptions>,
  message: string,
  fields?: Fields,
  level: Level = 'info',
): string {
  let text = ''
  const log = new Log(
    { ...PLAIN, ...options },
    () => NOON,
    (line) => {
      text += line
    },
  )
  log[level]('UDP TRACKER', message, fields)
  return text
}

test('a line is time, level, target, message and fields', () => {
  expect(say({}, 'Started on: udp://127.0.0.1:6969')).toBe(
    '2024-10-17T12:07:39.989000Z  INFO UDP TRACKER: Started on: udp://127.0.0.1:6969\n',
  )
  expect(say({}, 'no', { error: 'bad id', count: 2, fatal: false }, 'error')).toBe(
    '2024-10-17T12:07:39.989000Z ERROR UDP TRACKER: no error=bad id count=2 fatal=false\n',
  )
})

test('the compact style has the time of day only', () => {
  expect(say({ style: 'compact' }, 'ready', { n: 1 }, 'warn')).toBe(
    '12:07:39  WARN UDP TRACKER: ready n=1\n',
  )
})

test('the pretty style has fields on lines of their own', () => {
  expect(say({ style: 'pretty' }, 'ready', { n: 1, of: 2 })).toBe(
    '  2024-10-17T12:07:39.989000Z  INFO UDP TRACKER: ready\n    with n=1\n    with of=2\n',
  )
})

test('the json style is one object a line', () => {
  const text = say({ style: 'json', colour: true }, 'a "b"\n\x1b[31m', { n: 1, of: '\u2028' })
  expect(text.match(/\n/g)).toHaveLength(1)
  expect(JSON.parse(text)).toEqual({
    timestamp: '2024-10-17T12:07:39.989000Z',
    level: 'INFO',
    fields: { message: 'a "b"\n\x1b[31m', n: 1, of: '\u2028' },
    target: 'UDP TRACKER',
  })
  expect(text).not.toMatch(CONTROL)
})

describe('levels', () => {
  test.each(['off', ...LEVELS] as const)(
    '%s prints what is as important, and no more',
    (filter) => {
      const printed = LEVELS.filter((level) => say({ filter }, 'x', {}, level) !== '')
      const count = filter === 'off' ? 0 : LEVELS.indexOf(filter) + 1
      expect(printed).toEqual(LEVELS.slice(0, count))
      const log = new Log(
        { ...PLAIN, filter },
        () => NOON,
        () => {},
      )
      expect(LEVELS.filter((level) => log.prints(level))).toEqual(LEVELS.slice(0, count))
    },
  )
})

test('the level is changed for the logs of all threads at once', () => {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  const log = new Log({ ...PLAIN, style: 'compact' }, () => NOON, write)
  const other = new Log({ ...log.options, filter: 'error' }, () => NOON, write)
  expect([log.filter, other.filter]).toEqual(['info', 'info'])
  for (const filter of ['debug', 'off', 'warn'] as const) {
    log.filter = filter
    expect(other.filter).toBe(filter)
    other.debug('TRACKER', filter)
    other.error('TRACKER', filter)
  }
  expect(lines.map((line) => line.slice(9))).toEqual([
    'DEBUG TRACKER: debug\n',
    'ERROR TRACKER: debug\n',
    'ERROR TRACKER: warn\n',
  ])
})

describe('colours', () => {
  test.each([
    ['error', 31],
    ['warn', 33],
    ['info', 32],
    ['debug', 34],
    ['trace', 35],
  ] as const)('%s is painted %d, time and target are dim', (level, colour) => {
    const padded = level.toUpperCase().padStart(5)
    expect(say({ colour: true, filter: 'trace' }, 'x', {}, level)).toBe(
      `\x1b[2m2024-10-17T12:07:39.989000Z\x1b[0m \x1b[${colour}m${padded}\x1b[0m \x1b[2mUDP TRACKER:\x1b[0m x\n`,
    )
  })

  test.each<[LogStyle]>([['full'], ['pretty'], ['compact'], ['json']])(
    'the %s style has none unless asked for',
    (style) => expect(say({ style }, 'x', { n: 1 })).not.toMatch(CONTROL),
  )
})

describe('text of a client', () => {
  test('prints as it is, directives and all', () => {
    expect(say({}, '%s %f2 %d %% %o %c', { what: '%s' })).toEndWith(
      ': %s %f2 %d %% %o %c what=%s\n',
    )
  })

  test.each<[LogStyle]>([['full'], ['pretty'], ['compact']])(
    'cannot move the cursor, paint or forge a line in the %s style',
    (style) => {
      const nasty = '\x1b[2J\r\b\t\x7f\x9b\n2024 ERROR forged'
      const text = say({ style }, 'query', { nasty })
      expect(text).toContain('nasty=\\x1b[2J\\x0d\\x08\\x09\\x7f\\x9b\\x0a2024 ERROR forged\n')
      expect(say({ style }, nasty.slice(0, -1))).not.toMatch(CONTROL)
    },
  )
})

test('a field that the message names stands in it, and in json beside it as well', () => {
  const fields = { url: 'udp://[::1]:1\n', n: 1, of: true }
  expect(say({}, 'Started on: {url} of {n}{m}', fields)).toEndWith(
    ': Started on: udp://[::1]:1\\x0a of 1{m} of=true\n',
  )
  expect(JSON.parse(say({ style: 'json' }, 'Started on: {url}', fields)).fields).toEqual({
    message: 'Started on: udp://[::1]:1\\x0a',
    ...fields,
  })
  // A value is not read again.
  expect(say({}, '{n} {of}', { n: '{of}', of: 2 })).toEndWith(': {of} 2\n')
})

test('our own messages may have several lines', () => {
  expect(say({}, 'Configuration:\n{\n  "a": 1\n}')).toEndWith(': Configuration:\n{\n  "a": 1\n}\n')
})

test('an unforeseen error is reported once for each kind, and only a bounded number of kinds', () => {
  const reports: string[] = []
  const report = onceEach((what, error) => reports.push(`${what} | ${error}`))
  report('announce', new TypeError('first'))
  report('announce', new TypeError('second'))
  report('announce', new RangeError('third'))
  report('scrape', new TypeError('fourth'))
  report('scrape', 'text')
  expect(reports).toEqual([
    'announce: TypeError | TypeError: first',
    'announce: RangeError | RangeError: third',
    'scrape: TypeError | TypeError: fourth',
    'scrape: string | text',
  ])
  for (let i = 0; i < 1_000; i++) report(`part ${i}`, new Error('x'))
  expect(reports).toHaveLength(100)
})
