import { expect, test } from 'bun:test'
import { Marks } from '../../src/accounting/marks.ts'
import { Records } from '../../src/accounting/records.ts'
import { HashedRows, NONE } from '../../src/accounting/rows.ts'
import { dice, seed } from '../support/random.ts'

function openRecords(capacity: number, charge = (_: number) => true) {
  const memory = new SharedArrayBuffer(HashedRows.bytes(Records.words, capacity))
  return new Records({ memory, from: 0, capacity, charge })
}

test('rows are found while others come and go, in short chains', () => {
  const roll = dice()
  const records = openRecords(20_000)
  const kept = new Map<string, [number, number, number]>()
  for (let step = 0; step < 60_000; step++) {
    const [account, torrent] = [roll(300), 1 + roll(300)]
    const key = `${account}/${torrent}`
    const row = records.find(account, torrent, records.hash(account, torrent))
    expect(row, `SEED=${seed} step ${step}`).toBe(kept.get(key)?.[2] ?? NONE)
    if (row === NONE && step < 40_000) {
      const made = records.create(account, torrent)
      if (made === NONE) expect(kept.size).toBe(20_000)
      else kept.set(key, [account, torrent, made])
    } else if (row !== NONE && roll(4) === 0) {
      records.remove(row)
      kept.delete(key)
    }
  }
  expect(records.size).toBe(kept.size)
  let longest = 0
  for (const [account, torrent, row] of kept.values()) {
    expect([records.account(row), records.torrent(row)]).toEqual([account, torrent])
    let length = 1
    const bucket = records.bucket(records.hash(account, torrent))
    for (let at = records.first(bucket); at !== row; at = records.next(at)) length++
    longest = Math.max(longest, length)
  }
  expect(longest).toBeLessThan(16)
})

test('rows are paid for by the block, and used again for nothing', () => {
  let kib = 0
  const records = openRecords(2_000, (more) => {
    if (kib + more > 20) return false
    kib += more
    return true
  })
  const rows: number[] = []
  for (let n = 1; n <= 2_000; n++) rows.push(records.create(1, n))
  // 512 rows of 7 words, and as many buckets, are 16 KiB.
  expect([kib, rows.filter((row) => row !== NONE).length]).toEqual([16, 512])
  for (const row of rows.slice(0, 100)) records.remove(row)
  for (let n = 1; n <= 101; n++) rows[n] = records.create(2, n)
  expect([kib, records.size, rows[101]]).toEqual([16, 512, NONE])
})

test('marks are found in turn', () => {
  const roll = dice()
  const marks = new Marks(new SharedArrayBuffer(Marks.bytes(1_000)), 0, 1_000)
  const marked = new Set<number>()
  for (let step = 0; step < 3_000; step++) {
    const row = 1 + roll(1_000)
    if (roll(2) === 0) marks.add(row, step)
    else marks.remove(row)
    if (marks.count > marked.size) marked.add(row)
    else if (marks.count < marked.size) marked.delete(row)
    if (step % 300 > 0 || marked.size === 0) continue
    const found = Array.from({ length: marks.count }, () => marks.next(1_000, step))
    expect(
      found.toSorted((a, b) => a - b),
      `SEED=${seed}`,
    ).toEqual([...marked].sort((a, b) => a - b))
  }
})

test('a mark is no older than it is said to be', () => {
  const marks = new Marks(new SharedArrayBuffer(Marks.bytes(100)), 0, 100)
  expect(marks.oldest).toBe(0)
  marks.add(5, 10)
  marks.add(50, 20)
  marks.add(5, 30)
  expect(marks.oldest).toBe(10)
  const take = (second: number) => {
    const row = marks.next(100, second)
    marks.remove(row)
    return row
  }
  expect(take(40)).toBe(5)
  marks.add(5, 41)
  expect([take(42), take(43), marks.oldest]).toEqual([50, 5, 0])
  marks.add(7, 50)
  marks.add(3, 60)
  // Two rounds later nothing is left that was there before the first of them.
  for (let second = 70; second < 76; second++) {
    const row = take(second)
    marks.add(row, second)
  }
  expect(marks.oldest).toBeGreaterThanOrEqual(70)
  expect(marks.oldest).toBeLessThanOrEqual(75)
})
