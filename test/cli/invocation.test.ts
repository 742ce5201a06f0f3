/** Numbers of the command line: what is accepted, and the message about the rest. */
import { expect, test } from 'bun:test'
import { type Invocation, Misuse, numberValue, secondsValue } from '../../src/cli/invocation.ts'
import { workspace } from '../support/cli/workspace.ts'

const given = (text?: string): Invocation => ({
  options: new Map(text === undefined ? [] : [['x', text]]),
  arguments: [],
})
const whole = (text?: string) => numberValue(given(text), 'x', { min: 1, max: 65535 }, 6881)
const seconds = (text?: string) => secondsValue(given(text), 'x', { min: 0.1, max: 60 }, 5)

test.each([
  [undefined, 6881],
  ['1', 1],
  ['65535', 65535],
  ['0080', 80],
])('%p is a whole number', (text, value) => {
  expect(whole(text)).toBe(value)
})

test.each([
  [undefined, 5000],
  ['5', 5000],
  ['5s', 5000],
  ['0.5', 500],
  ['.5', 500],
  ['1.', 1000],
  ['0.1', 100],
  ['60', 60000],
])('%p are seconds', (text, milliseconds) => {
  expect(seconds(text)).toBe(milliseconds)
})

test.each([
  ['0', '0'],
  ['65536', '65536'],
  ['-1', '-1'],
  ['+1', '+1'],
  ['1e3', '1e3'],
  ['0x10', '0x10'],
  ['', 'empty'],
  [' 1', '" 1"'],
  ['1\n', '"1\\n"'],
  ['Infinity', 'Infinity'],
])('%p is neither', (text, shown) => {
  expect(() => whole(text)).toThrow(
    new Misuse(`--x must be a whole number from 1 to 65535, not ${shown}`),
  )
  expect(() => seconds(text)).toThrow(
    new Misuse(`--x must be from 0.1 to 60 seconds, not ${shown}`),
  )
})

test('wrong usage that only the command sees is reported like any other: one line, exit code 2', async () => {
  using here = workspace()
  expect(await here.run(['health', '--timeout', 'soon'])).toEqual({
    code: 2,
    out: '',
    err: expect.stringMatching(
      /^tracker health: --timeout must be from \S+ to \S+ seconds, not soon\. See tracker health --help\n$/,
    ),
  })
})
