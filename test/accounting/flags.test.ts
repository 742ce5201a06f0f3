/** What looked like cheating, while it waits to be written. */
import { describe, expect, test } from 'bun:test'
import type { Flag } from '../../src/accounting/batch.ts'
import { Flags } from '../../src/accounting/flags.ts'

const made = () => new Flags(new SharedArrayBuffer(Flags.bytes), 0)
const flag = (flags: Flags, account: number, torrent: number) =>
  flags.add('speed', account, Int32Array.of(torrent, 0, 0, 0, 0), 0, 7_200, 10, 1)
const accountsOf = (taken: readonly Flag[]) => [...new Set(taken.map(({ account }) => account))]

describe('flags', () => {
  test('of one account leave room for those of others', () => {
    const flags = made()
    for (let torrent = 0; torrent < 20_000; torrent++) flag(flags, 1, torrent)
    flag(flags, 2, 1)
    const taken = flags.take(20_000, () => 'written')
    expect(accountsOf(taken)).toEqual([1, 2])
    expect(taken.length).toBeLessThan(10_000)
    // What was taken makes room again.
    flag(flags, 1, 1)
    expect(flags.take(9, () => 'written')).toHaveLength(1)
  })

  test('that are dropped are gone, those that wait are not', () => {
    const flags = made()
    for (const account of [1, 2, 3]) flag(flags, account, 1)
    const fates = new Map(
      [1, 2, 3].map((account, i) => [account, (['dropped', 'waits', 'written'] as const)[i]!]),
    )
    expect(accountsOf(flags.take(9, ({ account }) => fates.get(account)!))).toEqual([3])
    expect(accountsOf(flags.take(9, () => 'written'))).toEqual([2])
    expect(flags.size).toBe(0)
  })
})
