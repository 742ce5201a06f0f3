/** The watch over the database: when it pings, which state it reports, and what it calls once the database works. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { DatabaseError } from '../../src/database/contract.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { Log } from '../../src/log/log.ts'
import { WatchedDatabase, type WatchPace } from '../../src/storage/watched-database.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { Fated } from '../support/storage/fated-run.ts'

const HOUR = 3_600_000
const SELDOM = { retryMilliseconds: 4, quietMilliseconds: HOUR }

let file: SqliteFile
beforeEach(() => {
  file = new SqliteFile()
})
afterEach(() => file[Symbol.asyncDispose]())

async function watch(pace: WatchPace) {
  const real = await openSqlite(file.config)
  const fated = new Fated(real)
  const lines: string[] = []
  const clock = { seconds: () => 1_000_000, milliseconds: () => 1_000_000_000 }
  const style = { filter: 'info', style: 'full', colour: false } as const
  const log = new Log(style, clock.milliseconds, (line) => lines.push(line))
  const watched = new WatchedDatabase({ database: fated.database, clock, log, pace })
  return { watched, fated, lines, [Symbol.asyncDispose]: () => real.close() }
}

describe('a check', () => {
  test('pings after a quiet time, and not while writes succeed', async () => {
    await using its = await watch({ ...SELDOM, quietMilliseconds: 30 })
    const end = performance.now() + 100
    while (performance.now() < end) {
      await its.watched.database.addKeys([])
      its.watched.worked()
      await its.watched.check()
    }
    // Once or twice where the machine stops for as long as that.
    const before = its.fated.count('ping')
    expect(before).toBeLessThan(its.fated.count('addKeys'))
    await Bun.sleep(31)
    await its.watched.check()
    expect(its.fated.count('ping')).toBe(before + 1)
  })

  test('pings although reads succeed: they do while the file is locked or gone', async () => {
    await using its = await watch({ ...SELDOM, quietMilliseconds: 30 })
    await Bun.sleep(31)
    await its.watched.database.listKeys(0, 1)
    await its.watched.check()
    expect(its.fated.count('ping')).toBe(1)
  })

  test('pings again and again after a failure, until everything is done', async () => {
    await using its = await watch(SELDOM)
    await its.watched.check()
    expect(its.fated.calls).toEqual([])
    its.watched.failed(new DatabaseError('late', 'no answer'), 'it is tried again')
    await its.watched.check()
    await its.watched.check()
    expect(its.fated.count('ping')).toBe(2)
    its.watched.recovered('nothing was lost')
    await its.watched.check()
    expect(its.fated.count('ping')).toBe(2)
  })
})

describe('the state', () => {
  test('is failing from the failure to the next write or ping that succeeds', async () => {
    await using its = await watch(SELDOM)
    expect(its.watched.state()).toEqual({ ok: true })
    its.watched.failed(new DatabaseError('late', 'no answer'), 'it is tried again')
    const failing = { ok: false, since: 1_000_000_000, message: 'no answer' } as const
    expect(its.watched.state()).toEqual(failing)
    await its.watched.database.listKeys(0, 1)
    await its.watched.database.addKeys([])
    expect(its.watched.state()).toEqual(failing)
    its.fated.fate = () => 'refused'
    await expect(its.watched.check()).rejects.toThrow('the disk is full')
    expect(its.watched.state()).toEqual(failing)
    its.fated.fate = () => 'fine'
    await its.watched.check()
    expect(its.watched.state()).toEqual({ ok: true })
  })
})

describe('what waits until the database works', () => {
  test('is called by the first check after a quiet time whose ping succeeds, once', async () => {
    await using its = await watch({ ...SELDOM, quietMilliseconds: 500 })
    let calls = 0
    const work = () => {
      calls++
    }
    its.watched.whenItWorks(work)
    its.watched.whenItWorks(work)
    // The write in doubt may still be under way.
    await its.watched.check()
    await Bun.sleep(501)
    its.fated.fate = () => 'lost'
    await expect(its.watched.check()).rejects.toThrow('no answer')
    expect(calls).toBe(0)
    its.fated.fate = () => 'fine'
    await its.watched.check()
    await its.watched.check()
    expect([calls, its.fated.count('ping')]).toEqual([1, 2])
  })

  test('waits for the next quiet time when it registers itself again', async () => {
    await using its = await watch({ ...SELDOM, quietMilliseconds: 100 })
    const calls: number[] = []
    const work = () => {
      calls.push(performance.now())
      its.watched.whenItWorks(work)
    }
    its.watched.whenItWorks(work)
    while (calls.length < 3) {
      await its.watched.check()
      await Bun.sleep(1)
    }
    expect(calls[1]! - calls[0]!).toBeGreaterThanOrEqual(99)
    expect(calls[2]! - calls[1]!).toBeGreaterThanOrEqual(99)
  })
})
