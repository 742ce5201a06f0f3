/** Whoever waits for an operation on keys or whitelist is not kept by a database that hangs. */
import { expect, test } from 'bun:test'
import { Queue } from '../../src/storage/queue.ts'
import { failureOf } from '../support/database/failure.ts'

const NEVER_MILLISECONDS = 600_000
const hurried = { answerMilliseconds: 20, endMilliseconds: NEVER_MILLISECONDS }
const nowhere = 'the database sqlite3:nowhere'

/** Work that hangs until it is let go. */
function hanging() {
  const gate = Promise.withResolvers<void>()
  return { work: () => gate.promise, letGo: () => gate.resolve() }
}

test('who waits is told in time, and what was not begun by then is never done', async () => {
  const queue = new Queue('sqlite3:nowhere', hurried)
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

test('who does not wait has time', async () => {
  const queue = new Queue('sqlite3:nowhere', hurried)
  const { work, letGo } = hanging()
  const first = queue.inTurn(work)
  const second = queue.inTurn(async () => 'done')
  await failureOf(() => queue.inTime(async () => undefined))
  letGo()
  await first
  expect(await second).toBe('done')
})

test('the end waits for what can be done in a moment', async () => {
  const queue = new Queue('sqlite3:nowhere', hurried)
  const happened: string[] = []
  queue.inTurn(async () => happened.push('first'))
  queue.inTurn(async () => happened.push('second'))
  await queue.end()
  expect(happened).toEqual(['first', 'second'])
})

test('the end does not wait for what hangs, and nothing is begun behind it', async () => {
  const queue = new Queue('sqlite3:nowhere', { ...hurried, endMilliseconds: 1 })
  const { work, letGo } = hanging()
  const first = queue.inTurn(work)
  const second = failureOf(() => queue.inTurn(async () => undefined))
  await queue.end()
  letGo()
  await first
  const { fault, message } = await second
  expect([fault, message]).toEqual(['unreachable', `${nowhere} is being closed`])
})
