/** Scrapes that wait for stored counts: which do, how many, and what ends the wait. */
import { expect, test } from 'bun:test'
import { LIMITS } from '../../src/limits.ts'
import { Bell, createBell } from '../../src/memory/bell.ts'
import { Waiting } from '../../src/swarm/waiting.ts'
import { hashWords } from '../support/swarm/harness.ts'
import { until } from '../support/until.ts'

/** Longer than any test. */
const FOR_EVER = 1_000_000

function scene(longest: number) {
  const missing = new Set<string>()
  const looks = { count: 0, at: new Set<string>() }
  const waiting = new Waiting((words) => {
    looks.count++
    looks.at.add(`${words}`)
    return missing.has(`${words}`)
  }, longest)
  const done: string[] = []
  return {
    missing,
    looks,
    done,
    add: (name: string, ...hashes: Int32Array[]) =>
      waiting.add(Int32Array.from(hashes.flatMap((hash) => [...hash])), () => done.push(name)),
  }
}
const [a, b, c] = [1, 2, 3].map(hashWords) as [Int32Array, Int32Array, Int32Array]

test('a scrape is done when all its counts are there, and never inside the call that made it wait', async () => {
  const { missing, done, add } = scene(FOR_EVER)
  for (const hash of [a, b, c]) missing.add(`${hash}`)
  expect(add('both', a, b)).toBe(true)
  expect(add('other', c)).toBe(true)
  missing.delete(`${b}`)
  missing.delete(`${c}`)
  await until('the other', () => done.length > 0)
  expect(done).toEqual(['other'])
  missing.delete(`${a}`)
  await until('both', () => done.length > 1)
  expect(add('nothing is missing', a)).toBe(true)
  expect(done).toEqual(['other', 'both'])
  await until('the third', () => done.length > 2)
})

test('a count that does not come is waited for no longer than allowed', async () => {
  const { missing, done, add } = scene(20)
  missing.add(`${a}`)
  add('a', a)
  await until('the end of its wait', () => done.length > 0)
  expect(missing.size).toBe(1)
})

test('the number of waiting scrapes is bounded, and a check stops at the first missing count', async () => {
  const { missing, looks, done, add } = scene(FOR_EVER)
  const many = Array.from({ length: 100 }, (_, n) => hashWords(n))
  for (const hash of many) missing.add(`${hash}`)
  for (let n = 0; n < LIMITS.waitingScrapes; n++) expect(add(`${n}`, ...many)).toBe(true)
  expect([add('one more', a), looks.count]).toEqual([false, 0])
  await until('a look', () => looks.count > 0)
  expect([looks.count % LIMITS.waitingScrapes, looks.at]).toEqual([0, new Set([`${many[0]}`])])
  missing.clear()
  await until('all of them', () => done.length === LIMITS.waitingScrapes)
  expect(add('one more', a)).toBe(true)
  await until('that one, too', () => done.at(-1) === 'one more')
  // Without waiting scrapes there are no checks.
  const { count } = looks
  await Bun.sleep(30)
  expect(looks.count).toBe(count)
})

test('a bell wakes its waiter when rung before or during the wait; two rings wake it once', async () => {
  const memory = createBell()
  const bell = new Bell(memory)
  let heard = 0
  const listen = async () => {
    await bell.rung()
    heard++
  }
  bell.ring()
  bell.ring()
  await listen()
  const next = listen()
  await Bun.sleep(1)
  expect(heard).toBe(1)
  new Bell(memory).ring()
  await next
  expect(heard).toBe(2)
})

test('a scrape whose check fails is done, and the others go on waiting', async () => {
  const missing = new Set([`${b}`])
  const waiting = new Waiting((words) => {
    if (`${words}` === `${a}`) throw new Error('a bug')
    return missing.has(`${words}`)
  }, FOR_EVER)
  const done: string[] = []
  waiting.add(a, () => done.push('a'))
  waiting.add(b, () => done.push('b'))
  await until('the first', () => done.length === 1)
  missing.clear()
  await until('the other', () => done.length === 2)
  expect(done).toEqual(['a', 'b'])
})
