/** Where a text stops being JSON. Whether it does is checked against the built-in parser. */
import { expect, test } from 'bun:test'
import { jsonFault } from '../../src/check/json-place.ts'
import { dice, seed } from '../support/random.ts'

test.each([
  ['', '1:1: expected a value, found the end'],
  ['{"a": 1,\n "b": }', '2:7: expected a value, found "}"'],
  ['{"a": 1,}', '1:9: expected a name, found "}"'],
  ['{,}', '1:2: expected a name or }, found ","'],
  ["{'a': 1}", '1:2: expected a name or }, found "\'"'],
  ['{"a" 1}', '1:6: expected :, found 1'],
  ['["a" "b"]', '1:6: expected , or ], found "\\""'],
  ['["a", ]', '1:7: expected a value, found "]"'],
  ['{"a": 1 "b": 2}', '1:9: expected , or }, found "\\""'],
  ['{"a": [1, 2}', '1:12: expected , or ], found "}"'],
  ['["a"', '1:5: expected , or ], found the end'],
  ['{"a": tru}', '1:7: expected a value, found tru'],
  ['[01]', '1:2: expected a value or ], found 01'],
  ['{}\r\n{}', '2:1: expected the end, found "{"'],
  ['["\u{1F600}]', '1:2: expected a value or ], found "\\""'],
])('%p', (text, fault) => {
  expect(() => JSON.parse(text)).toThrow()
  expect(jsonFault(text)).toBe(fault)
})

test(`finds a fault exactly where the parser finds one (SEED=${seed})`, () => {
  const roll = dice()
  const whole =
    '{"udp_trackers": ["a\\u00e9", -1.5e+3, true], "x": {"y": [], "z": null}, "é": [0, [{}]]}'
  const junk = [
    '"',
    ',',
    '[',
    ']',
    '{',
    '}',
    ':',
    '\\',
    '0',
    '.',
    'e',
    ' ',
    '\n',
    't',
    'null',
    '\t',
  ]
  let faults = 0
  for (let i = 0; i < 20_000; i++) {
    const at = roll(whole.length)
    const piece = junk[roll(junk.length)]!
    const text = whole.slice(0, at) + (roll(2) ? piece : '') + whole.slice(at + roll(3))
    let isJson = true
    try {
      JSON.parse(text)
    } catch {
      isJson = false
    }
    const fault = jsonFault(text)
    expect([text, fault === undefined]).toEqual([text, isJson])
    if (fault !== undefined) faults++
  }
  expect(faults).toBeWithin(4_000, 19_500)
})

test('depth costs nothing', () => {
  expect(jsonFault(`${'['.repeat(200_000)}x`)).toBe('1:200001: expected a value or ], found x')
})
