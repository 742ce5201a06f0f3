/** Lines that strangers cause: so many in a period, and the rest are counted. */
import { expect, test } from 'bun:test'
import type { LevelFilter } from '../../src/log/level.ts'
import { LimitedLines } from '../../src/log/limited-lines.ts'
import { Log } from '../../src/log/log.ts'

function limited(lines: number, filter: LevelFilter = 'debug') {
  const said: string[] = []
  const log = new Log(
    { filter, style: 'compact', colour: false },
    () => 0,
    (line) => said.push(line.slice('00:00:00 '.length, -1)),
  )
  const time = { now: 0 }
  const now = () => time.now
  const options = { level: 'debug', target: 'API', lines, milliseconds: 1_000, now } as const
  const it = new LimitedLines(log, options)
  /** What is said at `at`. */
  const say = (at: number) => {
    time.now = at
    said.length = 0
    it.say('asked', () => ({ at }))
    return said[0]
  }
  return { log, say }
}

test('lets so many lines of a period through, and then says how many it did not', () => {
  const { say } = limited(2)
  expect([0, 1, 2, 999].map(say)).toEqual([
    'DEBUG API: asked at=0',
    'DEBUG API: asked at=1',
    undefined,
    undefined,
  ])
  expect([1_000, 1_001, 1_500].map(say)).toEqual([
    'DEBUG API: asked at=1000 suppressed=2',
    'DEBUG API: asked at=1001',
    undefined,
  ])
  expect(say(9_000)).toBe('DEBUG API: asked at=9000 suppressed=1')
})

test('begins a new period when the clock was set back', () => {
  const { say } = limited(1)
  expect([5_000, 5_500, 4_500, 4_000].map(say)).toEqual([
    'DEBUG API: asked at=5000',
    undefined,
    undefined,
    'DEBUG API: asked at=4000 suppressed=2',
  ])
})

test('neither counts nor makes what the level does not let through', () => {
  const { log, say } = limited(1, 'info')
  expect([0, 1, 2].map(say)).toEqual([undefined, undefined, undefined])
  log.filter = 'debug'
  expect(say(3)).toBe('DEBUG API: asked at=3')
})
