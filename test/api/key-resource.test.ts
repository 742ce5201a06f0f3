/** Expiry times as text (docs/behaviours.md A17), compared with the runtime's calendar within its range. */
import { describe, expect, test } from 'bun:test'
import { printKey, printTime } from '../../src/api/key-resource.ts'
import { LAST_EXPIRY_SECOND } from '../../src/storage/permissions.ts'
import { dice, seed } from '../support/random.ts'

describe('a time', () => {
  test.each([
    [0n, '1970-01-01 00:00:00 UTC'],
    [60_000n, '1970-01-01 00:01:00 UTC'],
    [951_782_400_000n, '2000-02-29 00:00:00 UTC'],
    [1_700_003_600_004n, '2023-11-14 23:13:20.004 UTC'],
    [1_700_003_600_500n, '2023-11-14 23:13:20.500 UTC'],
    [253_402_300_799_999n, '9999-12-31 23:59:59.999 UTC'],
    [253_402_300_800_000n, '+10000-01-01 00:00:00 UTC'],
    [LAST_EXPIRY_SECOND * 1_000n, '+262142-12-31 23:59:59 UTC'],
    [-1n, '1969-12-31 23:59:59.999 UTC'],
    [2n ** 63n * 1_000n, '+292277026596-12-04 15:30:08 UTC'],
  ])('%p is %s', (milliseconds, text) => {
    expect(printTime(milliseconds)).toBe(text)
  })

  test('is the same as that of the calendar', () => {
    const roll = dice()
    for (let time = 0; time < 5_000; time++) {
      const milliseconds = roll(2 ** 31) * roll(117_000)
      const [date = '', rest = ''] = new Date(milliseconds).toISOString().split('T')
      const expected = `${date} ${rest.replace('.000Z', '').replace('Z', '')} UTC`
      expect([seed, printTime(BigInt(milliseconds))]).toEqual([seed, expected])
    }
  })
})

test('A17: a key has its fields in order, seconds rounded down', () => {
  const key = '0123456789abcdefghijklmnopqrstuv'
  expect(printKey({ key, expires: 60_999n })).toBe(
    `{"key":"${key}","valid_until":60,"expiry_time":"1970-01-01 00:01:00.999 UTC"}`,
  )
  expect(printKey({ key, expires: null })).toBe(
    `{"key":"${key}","valid_until":null,"expiry_time":null}`,
  )
  expect(printKey({ key, expires: 9_007_199_254_740_993_000n })).toContain(
    '"valid_until":9007199254740993,',
  )
})
