/** The JSON reader against JSON.parse, which accepts the same but explains less and loses digits. */
import { describe, expect, test } from 'bun:test'
import { printFloat, readNumber } from '../../src/api/json-number.ts'
import { JsonFault, JsonReader } from '../../src/api/json-reader.ts'
import { readString } from '../../src/api/json-string.ts'
import { readKeyForm } from '../../src/api/key-forms.ts'
import { dice, seed } from '../support/random.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('seconds_valid', () => {
  test.each([
    '0',
    '1',
    '60',
    '9007199254740993',
    '9223372036854775807',
    '9223372036854775808',
    '18446744073709551615',
  ])('%s is exact', (text) => {
    for (const body of [
      `{"key":null,"seconds_valid":${text}}`,
      `{"seconds_valid": ${text} ,"key":null}`,
      `[null,${text}]`,
    ])
      expect(readKeyForm(bytes(body))).toEqual({ value: { key: null, secondsValid: BigInt(text) } })
  })
})

describe('a number', () => {
  test.each([
    ['-9223372036854775808', -9223372036854775808n],
    ['-9223372036854775809', -(2 ** 63)],
    ['18446744073709551616', 2 ** 64],
    ['-0', -0],
    ['0.5', 0.5],
    ['1E+2', 100],
    ['5e-324', 5e-324],
  ])('%s is %p', (text, value) => {
    expect(readNumber(bytes(text), 0)).toEqual({ end: text.length, value })
  })

  test.each([
    ['-', 'EOF while parsing a value', 1],
    ['-a', 'invalid number', 2],
    ['00', 'invalid number', 2],
    ['-01', 'invalid number', 3],
    ['1.', 'EOF while parsing a value', 2],
    ['1.e', 'invalid number', 3],
    ['1e', 'EOF while parsing a value', 2],
    ['1e+', 'EOF while parsing a value', 3],
    ['1e+x', 'invalid number', 4],
    ['-1e400', 'number out of range', 6],
  ])('%s is wrong: %s', (text, fault, end) => {
    expect(readNumber(bytes(text), 0)).toMatchObject({ fault, end })
  })

  test.each([
    [1.5, '1.5'],
    [100, '100.0'],
    [-0, '-0.0'],
    [1e15, '1000000000000000.0'],
    [1e16, '1e16'],
    [1.25e300, '1.25e300'],
    [0.00001, '0.00001'],
    [0.000001, '1e-6'],
    [-1.5e-7, '-1.5e-7'],
  ])('%p is printed %s', (value, text) => {
    expect(printFloat(value)).toBe(text)
  })
})

describe('a string', () => {
  test('of anything reads as JSON.parse reads it', () => {
    const roll = dice()
    const bits = [
      'a',
      'é',
      '日',
      '😀',
      '\\n',
      '\\u00e9',
      '\\ud83d\\ude00',
      '\\"',
      '\\\\',
      '\\/',
      '',
      ' ',
      '\\u0000',
    ]
    for (let time = 0; time < 2_000; time++) {
      const inside = Array.from({ length: roll(12) }, () => bits[roll(bits.length)]).join('')
      const text = `"${inside}"`
      const source = bytes(`x${text}"`)
      expect([seed, readString(source, 1)]).toEqual([
        seed,
        { end: source.length - 1, value: JSON.parse(text) },
      ])
    }
  })

  test.each([
    ['"\\', 'EOF while parsing a string', 2],
    ['"\\u00', 'EOF while parsing a string', 5],
    ['"\\u00zz"', 'invalid escape', 7],
    ['"\\udc00"', 'lone leading surrogate in hex escape', 7],
    ['"\\ud800a"', 'unexpected end of hex escape', 8],
    ['"\\ud800\\n"', 'unexpected end of hex escape', 9],
    ['"\\ud800\\ud800"', 'lone leading surrogate in hex escape', 13],
    ['"\t"', 'control character (\\u0000-\\u001F) found while parsing a string', 2],
  ])('%p is wrong: %s', (text, fault, end) => {
    expect(readString(bytes(text), 0)).toMatchObject({ fault, end })
  })
})

/** Whether the reader accepts a value that it skips. */
function accepts(text: string): boolean {
  try {
    return new JsonReader(bytes(`{"x":${text}}`)).object('a map', () => false)
  } catch (error) {
    if (error instanceof JsonFault) return false
    throw error
  }
}
function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('accepts what JSON.parse accepts, for texts that are nearly right', () => {
  const roll = dice()
  const value = (depth: number): string => {
    const kind = roll(depth > 4 ? 5 : 7)
    const some = (make: () => string) => Array.from({ length: roll(4) }, make).join(', ')
    if (kind === 5) return `[${some(() => value(depth + 1))}]`
    if (kind === 6) return `{ ${some(() => `"k${roll(3)}" :${value(depth + 1)}`)}}`
    return ['null', 'true', '-1.5e3', '"a\\n\\u0041"', '0'][kind]!
  }
  let accepted = 0
  for (let time = 0; time < 5_000; time++) {
    let text = value(0)
    for (let change = roll(3); change > 0; change--) {
      const at = roll(text.length + 1)
      text = text.slice(0, at) + '[]{},:"\\ 0e-nt\n'[roll(15)] + text.slice(at + roll(2))
    }
    // Numbers out of range are Infinity for JSON.parse, and a mistake here.
    if (/e\+?\d{3}/i.test(text)) continue
    const wrapped = accepts(text)
    const truth = parses(`{"x":${text}}`)
    // Text after the closing brace is not read.
    if (truth) expect([seed, text, wrapped]).toEqual([seed, text, true])
    else if (wrapped) expect([seed, text, closesEarly(text)]).toEqual([seed, text, true])
    if (truth) accepted++
  }
  expect(accepted).toBeGreaterThan(1_000)
})

/** Whether the object around `text` is complete before `text` ends. */
const closesEarly = (text: string): boolean =>
  [...text].some((letter, at) => letter === '}' && parses(`{"x":${text.slice(0, at)}}`))
