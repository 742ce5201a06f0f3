/** The deadline of a call reaches the database thread and the driver: late work ends, and work that has not begun is not done. */
import { describe, expect, test } from 'bun:test'
import { EventEmitter } from 'node:events'
import type { MessagePort } from 'node:worker_threads'
import { type Database, RETURN_MILLISECONDS } from '../../src/database/contract.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { type Answer, type Question, serveDatabase } from '../../src/database/thread-service.ts'
import { Deadline } from '../../src/time/deadline.ts'
import { failureOf, faultOf } from '../support/database/failure.ts'
import { hashes, key } from '../support/database/hashes.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'

test("the thread's side returns before the deadline, and begins no call that is late", async () => {
  const answers: Answer[] = []
  const port = Object.assign(new EventEmitter(), {
    postMessage: (message: Answer) => answers.push(message),
  })
  const left: number[] = []
  const ping = async (deadline: Deadline) => {
    left.push(deadline.left)
  }
  const database = { about: 'nowhere', ping } as unknown as Database
  serveDatabase(port as unknown as MessagePort, async () => database)
  const ask = async (method: Question['method'], milliseconds: number) => {
    port.emit('message', { id: 1, method, args: [], deadline: performance.now() + milliseconds })
    await Bun.sleep(0)
  }
  await ask('open', 4_000)
  await ask('ping', 4_000)
  await ask('ping', RETURN_MILLISECONDS)
  await ask('ping', -1)
  expect(left.length).toBe(1)
  expect(left[0]).toBeWithin(3_500, 4_001 - RETURN_MILLISECONDS)
  const message = 'the database nowhere has not answered within 4 s; nothing was changed'
  const failure = { fault: 'unbegun', message }
  expect(answers.slice(2)).toMatchObject([{ failure }, { failure }])
})

describe.concurrent('a locked file', () => {
  test('is waited for until the deadline and no longer', async () => {
    await using file = new SqliteFile()
    const database = await openSqlite(file.config)
    using _ = file.locked()
    const began = performance.now()
    const calls = [300, 600].map((milliseconds) =>
      failureOf(() => database.addToWhitelist(hashes(1), Deadline.in(milliseconds))),
    )
    expect((await calls[0]!).message).toBe('The Sqlite3 query was malformed: database is locked')
    expect(performance.now() - began).toBeWithin(290, 2_000)
    expect((await calls[1]!).fault).toBe('refused')
    expect(performance.now() - began).toBeWithin(590, 2_500)
    await database.close()
  })

  test('has a limit of its own', async () => {
    await using file = new SqliteFile()
    const database = await openSqlite(file.config)
    using _ = file.locked()
    const began = performance.now()
    expect(await faultOf(() => database.ping(Deadline.in(60_000)))).toBe('refused')
    expect(performance.now() - began).toBeWithin(2_990, 30_000)
    await database.close()
  })

  test('makes a write late whose turn does not come, and that write is never done', async () => {
    await using file = new SqliteFile()
    const database = await openSqlite(file.config)
    const locked = file.locked()
    const first = database.addKeys([{ key: key(1), validUntil: null }])
    const second = failureOf(() =>
      database.addKeys([{ key: key(2), validUntil: null }], Deadline.in(100)),
    )
    const third = database.addKeys([{ key: key(3), validUntil: null }])
    const { fault, message } = await second
    expect([fault, message]).toEqual([
      'unbegun',
      `the database sqlite3:${file.path} has not answered within 4 s; nothing was changed`,
    ])
    locked[Symbol.dispose]()
    await Promise.all([first, third])
    expect(file.sql('SELECT key FROM keys ORDER BY id').flat()).toEqual([key(1), key(3)])
    await database.close()
  })
})
