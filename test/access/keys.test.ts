/** Keys: their form, their expiry, and how new ones are generated (docs/behaviours.md K1, K7). */
import { describe, expect, test } from 'bun:test'
import { createKeys, Keys, packKeys, randomKey, UNKNOWN } from '../../src/access/keys.ts'
import { Key } from '../../src/bittorrent.ts'
import { addKey, keyText, keyWords, run } from '../support/access/entries.ts'

const make = (capacity = 1_000) => new Keys(createKeys(Int32Array.of(7), capacity), true)
const plain = (n: number, validUntil: number) => ({ key: keyText(n), validUntil })

test('a key is known until it is removed, with the millisecond it was given', () => {
  const keys = make()
  const times = [0, 1, 1_700_000_000_123, 8_210_266_876_799_000, Infinity]
  run(keys.putAll(packKeys(times.map((time, n) => plain(n, time)))))
  for (const [n, time] of times.entries()) expect(keys.validUntil(keyWords(n))).toBe(time)
  expect(keys.validUntil(keyWords(99))).toBe(UNKNOWN)
  expect(keys.remove(keyWords(2))).toBe(true)
  expect(keys.validUntil(keyWords(2))).toBe(UNKNOWN)
  expect(keys.size).toBe(4)
})

test('a key that is put in again is good until the new time', () => {
  const keys = make(3)
  for (let n = 0; n < 3; n++) addKey(keys, keyWords(n), 1_000 + n)
  // Even where the table is full.
  for (const time of [5, 2 ** 40, Infinity, 0]) {
    expect(addKey(keys, keyWords(1), time)).toBe(true)
    expect([0, 1, 2].map((n) => keys.validUntil(keyWords(n)))).toEqual([1_000, time, 1_002])
  }
  expect(keys.size).toBe(3)
  expect(addKey(keys, keyWords(4), 1)).toBe(false)
})

test('expired keys go, those that are good at that millisecond stay', () => {
  const keys = make()
  run(keys.putAll(packKeys([999, 1_000, 1_001, Infinity].map((time, n) => plain(n, time)))))
  run(keys.removeExpired(1_000))
  expect([0, 1, 2, 3].map((n) => keys.validUntil(keyWords(n)))).toEqual([
    UNKNOWN,
    1_000,
    1_001,
    Infinity,
  ])
})

test('a replacement takes the new times', () => {
  const keys = make()
  run(keys.putAll(packKeys([plain(0, 5), plain(1, 5), plain(2, Infinity)])))
  run(keys.replace([packKeys([plain(1, 6)]), packKeys([plain(2, Infinity), plain(3, 7)])]))
  expect([0, 1, 2, 3].map((n) => keys.validUntil(keyWords(n)))).toEqual([UNKNOWN, 6, Infinity, 7])
})

test('keys that differ in case, or in their last character, are different', () => {
  const keys = make()
  const text = 'abcdefghijklmnopqrstuvwxyz012345'
  const words = (key: string) => packKeys([{ key, validUntil: 1 }]).words
  addKey(keys, words(text), 1)
  for (const other of [text.toUpperCase(), `${text.slice(0, -1)}6`, `A${text.slice(1)}`])
    expect([other, keys.validUntil(words(other))]).toEqual([other, UNKNOWN])
})

describe('K1: what a key is', () => {
  const good = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
  test.each([good, '0'.repeat(32), 'Z'.repeat(32), 'z'.repeat(32)])('%s is one', (text) => {
    const key = new Key()
    expect(key.read(text)).toBe(true)
    expect(Buffer.from(key.bytes).toString()).toBe(text)
  })
  test.each([
    '',
    good.slice(1),
    `${good}0`,
    ...['/', ':', '@', '[', '`', '{', ' ', '-', '\0', 'ä', '\u0141', '\ud835'].map(
      (odd) => good.slice(1) + odd,
    ),
  ])('%p is none', (text) => {
    expect(new Key().read(text)).toBe(false)
    expect(packKeys([{ key: text, validUntil: 1 }]).words.length).toBe(0)
  })
})

test('invalid keys are skipped, and the others keep their times', () => {
  const entries = packKeys([plain(1, 10), { key: 'short', validUntil: 20 }, plain(2, 30)])
  const keys = make()
  run(keys.putAll(entries))
  expect([keys.size, keys.validUntil(keyWords(1)), keys.validUntil(keyWords(2))]).toEqual([
    2, 10, 30,
  ])
})

test('random keys are keys, all different, every character equally likely', () => {
  const count = 4_000
  const made = Array.from({ length: count }, randomKey)
  expect(new Set(made).size).toBe(count)
  expect(made.every((text) => new Key().read(text))).toBe(true)
  const times = new Map<string, number>()
  for (const character of made.join('')) times.set(character, (times.get(character) ?? 0) + 1)
  expect(times.size).toBe(62)
  // 2,065 each, give or take 45: seven of that is not chance. A remainder of bytes would give 2,500.
  for (const [character, n] of times)
    expect([character, Math.abs(n - 2_065) < 315]).toEqual([character, true])
})

test('a key has the account it was given, and 0 where it was given none', () => {
  const keys = make()
  const all = [{ ...plain(0, 5), account: 7 }, plain(1, Infinity), { ...plain(2, 6), account: 1 }]
  run(keys.putAll(packKeys(all)))
  const read = (n: number) => [keys.validUntil(keyWords(n)), keys.account]
  expect([0, 1, 2].map(read)).toEqual([
    [5, 7],
    [Infinity, 0],
    [6, 1],
  ])
  run(keys.putAll(packKeys([{ ...plain(0, 5), account: 8 }])))
  expect(read(0)).toEqual([5, 8])
})
