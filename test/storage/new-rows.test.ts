/** How many torrents get their first row, and what the log says when not all of them do. */
import { expect, test } from 'bun:test'
import { Log } from '../../src/log/log.ts'
import { BURST_SECONDS, NewRows } from '../../src/storage/new-rows.ts'

function scene(perSecond: number) {
  const lines: string[] = []
  const time = { now: 5_000_000 }
  const options = { filter: 'info', style: 'full', colour: false } as const
  const log = new Log(
    options,
    () => 0,
    (line) => lines.push(line.trimEnd().slice(28)),
  )
  const rows = new NewRows({ perSecond, log, milliseconds: () => time.now })
  /** How many of `times` torrents get a row. */
  const take = (times: number) => Array.from({ length: times }, () => rows.take(1)).filter(Boolean)
  return { rows, lines, time, take: (times: number) => take(times).length }
}

test('a burst passes, then so many a second; unused rows are saved for one burst and no more', () => {
  const { time, take } = scene(7)
  expect(take(10_000)).toBe(7 * BURST_SECONDS)
  for (let second = 0; second < 5; second++) {
    time.now += 1_000
    expect(take(100)).toBe(7)
  }
  time.now += 2_500
  expect(take(100)).toBe(17)
  time.now += 10 * BURST_SECONDS * 1_000
  expect(take(10_000)).toBe(7 * BURST_SECONDS)
})

test('another limit counts from then on, and one that stays changes nothing', () => {
  const { rows, take } = scene(1)
  expect(take(10_000)).toBe(BURST_SECONDS)
  rows.limit(1)
  expect(take(10)).toBe(0)
  rows.limit(3)
  expect(take(10_000)).toBe(3 * BURST_SECONDS)
  rows.limit(0)
  expect([take(10_000), rows.isLimited]).toEqual([10_000, false])
})

test('without a limit every torrent gets a row', () => {
  const { rows, lines, take } = scene(0)
  expect([take(1_000_000), rows.isLimited, lines]).toEqual([1_000_000, false, []])
})

test('drops are counted, and logged when they begin and when they are over', () => {
  const { rows, lines, time, take } = scene(1)
  take(BURST_SECONDS)
  rows.report()
  expect(lines).toEqual([])
  expect([rows.take(3), rows.take(4)]).toEqual([false, false])
  const began =
    ' WARN DATABASE: more than 1 torrents a second were completed for the first time: those beyond ' +
    'are not stored until it is fewer again (abuse.max_new_rows_per_second)'
  for (let minute = 0; minute < 3; minute++) {
    time.now += 59_000
    rows.report()
    expect([take(60), lines]).toEqual([59, [began]])
  }
  time.now += 60_000
  rows.report()
  rows.report()
  const ended = ' WARN DATABASE: 10 completed download(s) of new torrents were not stored'
  expect(lines).toEqual([began, ended])
  // Another time, ended by the end of the tracker.
  take(60)
  expect(rows.take(5)).toBe(false)
  rows.report(true)
  expect(lines.slice(2)).toEqual([began, ended.replace('10', '5')])
})
