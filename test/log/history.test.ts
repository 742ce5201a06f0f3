/** The last lines in memory: how many, which go first, and who hears of new ones. */
import { expect, test } from 'bun:test'
import { LogHistory, MOST_CHARACTERS, MOST_EVENTS } from '../../src/log/history.ts'
import type { Level } from '../../src/log/level.ts'
import { Log, type LogOptions } from '../../src/log/log.ts'

const NOON = Date.UTC(2024, 9, 17, 12, 7, 39, 989)

function made() {
  const history = new LogHistory(7)
  const add = (level: Level, json: string) => history.add({ level, json })
  const last = (count: number, least: Level) => history.last(count, least).map(({ json }) => json)
  return { history, add, last }
}

test('the last lines that are important enough come oldest first', () => {
  const { history, add, last } = made()
  for (const [i, level] of (['debug', 'info', 'trace', 'error', 'warn'] as const).entries())
    add(level, `${i}`)
  expect(last(9, 'trace')).toEqual(['0', '1', '2', '3', '4'])
  expect(last(9, 'info')).toEqual(['1', '3', '4'])
  expect(last(2, 'info')).toEqual(['3', '4'])
  expect(last(1, 'debug')).toEqual(['4'])
  expect(last(0, 'trace')).toEqual([])
  expect(history.last(9, 'trace').map(({ number }) => number)).toEqual([7, 8, 9, 10, 11])
})

test('a flood of details pushes out details alone, and memory is bounded in lines', () => {
  const { add, last } = made()
  add('warn', 'kept')
  for (let i = 0; i < MOST_EVENTS * 2; i++) add(i % 2 === 0 ? 'debug' : 'trace', `${i}`)
  const all = last(Number.MAX_SAFE_INTEGER, 'trace')
  expect(all).toHaveLength(MOST_EVENTS + 1)
  expect(all.slice(0, 2)).toEqual(['kept', `${MOST_EVENTS}`])
  expect(all.at(-1)).toBe(`${MOST_EVENTS * 2 - 1}`)
  for (let i = 0; i < MOST_EVENTS; i++) add('info', 'x')
  expect(last(1, 'warn')).toEqual([])
})

test('and in characters', () => {
  const { add, last } = made()
  const long = 'x'.repeat(MOST_CHARACTERS / 4)
  for (let i = 0; i < 10; i++) add('info', long)
  expect(last(10, 'info')).toHaveLength(4)
  add('info', 'short')
  expect(last(10, 'info')).toEqual([long, long, long, 'short'])
  add('info', `${long}${long}${long}${long}!`)
  expect(last(10, 'info')).toEqual([])
  add('info', 'after')
  expect(last(10, 'info')).toEqual(['after'])
})

test('a follower hears of each line until it ends', () => {
  const { history, add } = made()
  const heard: string[] = []
  const end = history.follow(({ number, json }) => heard.push(`${number} ${json}`))
  const endOther = history.follow(() => {})
  add('info', 'a')
  add('trace', 'b')
  endOther()
  add('info', 'c')
  end()
  add('info', 'd')
  expect(heard).toEqual(['7 a', '8 b', '9 c'])
})

test('a log keeps what it prints, as the style json prints it, numbered from the moment of its start', () => {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  const options: LogOptions = { filter: 'info', style: 'full', colour: true }
  const log = new Log(options, () => NOON, write)
  log.debug('API', 'not printed')
  log.warn('API', 'a\x1b', { n: 1 })
  new Log({ ...options, style: 'json' }, () => NOON, write).warn('API', 'a\x1b', { n: 1 })
  expect(log.history.last(9, 'trace')).toEqual([
    { level: 'warn', json: lines[1]!.trimEnd(), number: NOON * 1_000 },
  ])
})

test('the history of another thread keeps nothing and passes everything on', () => {
  const control = made()
  const passing = new LogHistory(0, 0)
  passing.follow((event) => control.history.add(event))
  passing.add({ level: 'info', json: 'said' })
  expect(passing.last(9, 'trace')).toEqual([])
  expect(control.history.last(9, 'trace')).toEqual([{ level: 'info', json: 'said', number: 7 }])
})
