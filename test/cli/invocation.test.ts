/** Numbers of the command line: what is accepted, and the message about the rest. */
import { describe, expect, test } from 'bun:test'
import { type Invocation, Misuse, numberValue, secondsValue } from '../../src/cli/invocation.ts'
import { workspace } from '../support/cli/workspace.ts'

const given = (...options: [string, string | true][]): Invocation => ({
  options: new Map(options),
  arguments: [],
})

/** What `read` throws. */
function mistake(read: () => unknown): string {
  try {
    return `no mistake: ${read()}`
  } catch (error) {
    if (error instanceof Misuse) return error.message
    throw error
  }
}

describe('a whole number', () => {
  const read = (text: string) =>
    numberValue(given(['port', text]), 'port', { min: 1, max: 65535 }, 6881)

  test('is the fallback if it is not given', () => {
    expect(numberValue(given(), 'port', { min: 1, max: 65535 }, 6881)).toBe(6881)
    expect(
      numberValue(given(['other', '1']), 'port', { min: 1, max: 9 }, undefined),
    ).toBeUndefined()
  })

  test.each([
    ['1', 1],
    ['65535', 65535],
    ['0080', 80],
  ])('%s is read', (text, value) => {
    expect(read(text)).toBe(value)
  })

  test.each([
    ['0', '0'],
    ['65536', '65536'],
    ['-1', '-1'],
    ['+1', '+1'],
    ['1.5', '1.5'],
    ['1e3', '1e3'],
    ['0x10', '0x10'],
    ['', 'empty'],
    [' 1', '" 1"'],
    ['1\n', '"1\\n"'],
    ['Infinity', 'Infinity'],
    ['9'.repeat(400), '9'.repeat(400)],
  ])('%j is refused', (text, shown) => {
    expect(mistake(() => read(text))).toBe(
      `--port must be a whole number from 1 to 65535, not ${shown}`,
    )
  })
})

describe('seconds', () => {
  const read = (text: string) =>
    secondsValue(given(['timeout', text]), 'timeout', { min: 0.1, max: 60 }, 5)

  test('are the fallback in milliseconds if they are not given', () => {
    expect(secondsValue(given(), 'timeout', { min: 0.1, max: 60 }, 5)).toBe(5000)
    expect(secondsValue(given(), 'duration', { min: 1, max: 60 }, Number.POSITIVE_INFINITY)).toBe(
      Number.POSITIVE_INFINITY,
    )
  })

  test.each([
    ['5', 5000],
    ['5s', 5000],
    ['0.5', 500],
    ['.5', 500],
    ['1.', 1000],
    ['0.1', 100],
    ['60', 60000],
  ])('%s is read', (text, milliseconds) => {
    expect(read(text)).toBe(milliseconds)
  })

  test.each([
    ['0', '0'],
    ['0.09', '0.09'],
    ['60.1', '60.1'],
    ['-1', '-1'],
    ['.', '.'],
    ['s', 's'],
    ['5ms', '5ms'],
    ['5 s', '"5 s"'],
    ['1e1', '1e1'],
    ['', 'empty'],
    ['soon', 'soon'],
  ])('%j is refused', (text, shown) => {
    expect(mistake(() => read(text))).toBe(`--timeout must be from 0.1 to 60 seconds, not ${shown}`)
  })
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
