/** A database that hangs does not keep the callers of operations on keys and whitelist waiting. */
import { expect, test } from 'bun:test'
import { OperationQueue } from '../../src/storage/queue.ts'
import { failureOf } from '../support/database/failure.ts'

const HURRIED_MILLISECONDS = 20
const late = 'the database sqlite3:nowhere has not answered within 4 s'
const queueOf = (milliseconds = HURRIED_MILLISECONDS) =>
  new OperationQueue('sqlite3:nowhere', milliseconds)

/** Work that hangs until it is released. */
function hanging() {
  const gate = Promise.withResolvers<void>()
  return { work: () => gate.promise, letGo: () => gate.resolve() }
}

test('a caller learns in time that its work is late; work that has not begun by then is never done', async () => {
  const queue = queueOf()
  const happened: string[] = []
  const { work, letGo } = hanging()
  const first = queue.inTime(async () => {
    await work()
    happened.push('the first goes on')
  })
  const second = queue.inTime(async () => happened.push('the second is begun'))
  for (const [call, ...expected] of [
    [first, 'late', late],
    [second, 'unbegun', `${late}; nothing was changed`],
  ] as const) {
    const { fault, message } = await failureOf(() => call)
    expect([fault, message]).toEqual(expected)
  }
  const third = queue.inTime(async () => happened.push('the third is done'))
  letGo()
  await third
  expect(happened).toEqual(['the first goes on', 'the third is done'])
})

test('work whose turn comes at the deadline is not begun, and its caller learns that it is late', async () => {
  const queue = queueOf()
  let isBegun = false
  const first = queue.inTurn(async () => {
    // Nothing else runs: the turn of the second comes before any timer.
    for (const end = performance.now() + 30; performance.now() < end; );
  })
  const second = queue.inTime(async () => {
    isBegun = true
  })
  const { fault, message } = await failureOf(() => second)
  expect([fault, message]).toEqual(['unbegun', `${late}; nothing was changed`])
  await first
  expect(isBegun).toBe(false)
})

test('work without a caller that waits has time', async () => {
  const queue = queueOf()
  const { work, letGo } = hanging()
  const first = queue.inTurn(work)
  const second = queue.inTurn(async () => 'done')
  await failureOf(() => queue.inTime(async () => undefined))
  letGo()
  await first
  expect(await second).toBe('done')
})

test('the end does not wait for work that hangs, and no work is begun after it', async () => {
  const queue = queueOf()
  const { work, letGo } = hanging()
  const first = queue.inTurn(work)
  const second = failureOf(() => queue.inTurn(async () => undefined))
  await queue.end(1)
  letGo()
  await first
  const { fault, message } = await second
  expect([fault, message]).toEqual(['unreachable', 'the database sqlite3:nowhere is closed'])
})
