/** Keys as the API shows them (docs/behaviours.md A17). */
import { expect, test } from 'bun:test'
import { printKey } from '../../src/api/key-routes.ts'

const key = '0123456789abcdefghijklmnopqrstuv'

test.each([
  [0n, '0', '1970-01-01 00:00:00 UTC'],
  [60_000n, '60', '1970-01-01 00:01:00 UTC'],
  [60_999n, '60', '1970-01-01 00:01:00.999 UTC'],
  [951_782_400_000n, '951782400', '2000-02-29 00:00:00 UTC'],
  [1_700_003_600_004n, '1700003600', '2023-11-14 23:13:20.004 UTC'],
  [1_700_003_600_500n, '1700003600', '2023-11-14 23:13:20.500 UTC'],
  [253_402_300_799_999n, '253402300799', '9999-12-31 23:59:59.999 UTC'],
  [253_402_300_800_000n, '253402300800', '+10000-01-01 00:00:00 UTC'],
  [8_210_266_876_799_000n, '8210266876799', '+262142-12-31 23:59:59 UTC'],
  // A database may hold any number: beyond the calendar it is shown as the end of it.
  [2n ** 63n * 1_000n, '9223372036854775808', '+275760-09-13 00:00:00 UTC'],
])('A17: a key that expires at millisecond %p', (expires, second, time) => {
  expect(printKey({ key, expires })).toBe(
    `{"key":"${key}","valid_until":${second},"expiry_time":"${time}"}`,
  )
})

test('A17: a key without expiry', () => {
  expect(printKey({ key, expires: null })).toBe(
    `{"key":"${key}","valid_until":null,"expiry_time":null}`,
  )
})
