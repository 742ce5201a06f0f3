/** A database that hangs does not keep the callers of operations on keys and whitelist waiting. */
import { expect, test } from 'bun:test'
import { DatabaseError, notBegun } from '../../src/database/contract.ts'
import { OperationQueue } from '../../src/storage/permissions.ts'
import { failureOf } from '../support/database/failure.ts'

const NEVER_MILLISECONDS = 600_000
const hurried = { operationMilliseconds: 20, endMilliseconds: NEVER_MILLISECONDS }
const nowhere = 'the database sqlite3:nowhere'

/** Work that hangs until it is released. */
function hanging() {
  const gate = Promise.withResolvers<void>()
  return { work: () => gate.promise, letGo: () => gate.resolve() }
}

test('a caller learns in time that its work is late; work that has not begun by then is never done', async () => {
  const queue = new OperationQueue('sqlite3:nowhere', hurried)
  const happened: string[] = []
  const { work, letGo } = hanging()
  const first = queue.inTime(async () => {
    await work()
    happened.push('the first goes on')
  })
  const second = queue.inTime(async () => happened.push('the second is begun'))
  for (const [call, rest] of [
    [first, 'whether it will be done is not known'],
    [second, 'nothing was changed'],
  ] as const) {
    const { fault, message } = await failureOf(() => call)
    expect([fault, message]).toEqual(['late', `${nowhere} has not answered within 0.02 s; ${rest}`])
  }
  const third = queue.inTime(async () => happened.push('the third is done'))
  letGo()
  await third
  expect(happened).toEqual(['the first goes on', 'the third is done'])
})

test('work whose turn comes at the deadline is not begun, and its caller learns that it is late', async () => {
  const queue = new OperationQueue('sqlite3:nowhere', hurried)
  let isBegun = false
  const first = queue.inTurn(async () => {
    // Nothing else runs: the turn of the second comes before any timer.
    for (const end = performance.now() + 30; performance.now() < end; );
  })
  const second = queue.inTime(async () => {
    isBegun = true
  })
  const { fault, message } = await failureOf(() => second)
  expect([fault, message]).toEqual([
    'late',
    `${nowhere} has not answered within 0.02 s; nothing was changed`,
  ])
  await first
  expect(isBegun).toBe(false)
})

test('the time in the queue counts: work gets the deadline of its caller', async () => {
  const limits = { operationMilliseconds: 10_000, endMilliseconds: NEVER_MILLISECONDS }
  const queue = new OperationQueue('sqlite3:nowhere', limits)
  const called = performance.now()
  void queue.inTurn(() => Bun.sleep(50))
  const at = await queue.inTime(async (deadline) => deadline.at)
  expect(at - called).toBeWithin(10_000, 10_050)
})

test('what a late call says of the database is replaced by what its caller has to know', async () => {
  const limits = { operationMilliseconds: 3_900, endMilliseconds: NEVER_MILLISECONDS }
  const queue = new OperationQueue('sqlite3:nowhere', limits)
  const late = `${nowhere} has not answered within 3.9 s`
  for (const [thrown, message] of [
    [new DatabaseError('late', 'gave no answer'), `${late}; whether it will be done is not known`],
    [notBegun('sqlite3:nowhere'), `${late}; nothing was changed`],
    [new DatabaseError('refused', 'the disk is full'), 'the disk is full'],
  ] as const) {
    const call = queue.inTime(() => Promise.reject(thrown))
    expect((await failureOf(() => call)).message).toBe(message)
  }
  // With all its time a call speaks for itself.
  const own = new OperationQueue('sqlite3:nowhere').inTime(() =>
    Promise.reject(new DatabaseError('late', 'gave no answer')),
  )
  expect((await failureOf(() => own)).message).toBe('gave no answer')
})

test('work without a caller that waits has time', async () => {
  const queue = new OperationQueue('sqlite3:nowhere', hurried)
  const { work, letGo } = hanging()
  const first = queue.inTurn(work)
  const second = queue.inTurn(async () => 'done')
  await failureOf(() => queue.inTime(async () => undefined))
  letGo()
  await first
  expect(await second).toBe('done')
})

test('the end waits for work that is done in a moment', async () => {
  const queue = new OperationQueue('sqlite3:nowhere', hurried)
  const happened: string[] = []
  void queue.inTurn(async () => happened.push('first'))
  void queue.inTurn(async () => happened.push('second'))
  await queue.end()
  expect(happened).toEqual(['first', 'second'])
})

test('the end does not wait for work that hangs, and no work is begun after it', async () => {
  const queue = new OperationQueue('sqlite3:nowhere', { ...hurried, endMilliseconds: 1 })
  const { work, letGo } = hanging()
  const first = queue.inTurn(work)
  const second = failureOf(() => queue.inTurn(async () => undefined))
  await queue.end()
  letGo()
  await first
  const { fault, message } = await second
  expect([fault, message]).toEqual(['unreachable', `${nowhere} is being closed`])
})
