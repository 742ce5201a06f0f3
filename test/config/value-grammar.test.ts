/** The grammar of override values (docs/behaviours.md C6). */
import { expect, test } from 'bun:test'
import { parseOverride } from '../../src/config/value-grammar.ts'
import { NOWHERE, plain } from '../support/config/loading.ts'

const read = (text: string) => plain(parseOverride(text, NOWHERE))

test.each<[string, string, unknown]>([
  ['a boolean', 'true', true],
  ['the other boolean', 'false', false],
  ['a boolean in white space', ' \ttrue\n', true],
  ['a longer word is no boolean', 'trueish', 'trueish'],
  ['a capital letter is no boolean', 'True', 'True'],

  ['an unsigned integer', '12345', 12345n],
  ['a plus sign', '+7', 7n],
  ['a signed integer', '-5', -5n],
  ['the largest unsigned integer', '18446744073709551615', 18446744073709551615n],
  ['one more is text', '18446744073709551616', '18446744073709551616'],
  ['the least signed integer', '-9223372036854775808', -9223372036854775808n],
  ['one less is text', '-9223372036854775809', '-9223372036854775809'],
  ['leading zeros', '007', 7n],
  ['a sign alone', '-', '-'],
  ['an integer with underscores', '1_000', '1_000'],
  ['a hexadecimal number', '0x10', '0x10'],

  ['a float', '1.5', 1.5],
  ['a float without a fraction', '1.', 1],
  ['a float without a whole part', '.5', 0.5],
  ['a float with an exponent', '-1.5e3', -1500],
  ['an exponent without a point', '1e3', '1e3'],
  ['a point alone', '.', '.'],
  ['an IPv4 address', '127.0.0.1', '127.0.0.1'],

  ['a quoted text', '"12345"', '12345'],
  ['a quoted text in white space', '  "a b" ', 'a b'],
  ['every escape', '"\\" \\\\ \\n \\r \\t \\b \\f \\u00e9"', '" \\ \n \r \t \b \f é'],
  ['an unknown escape keeps the text raw', '"a\\x"', '"a\\x"'],
  ['an unterminated string is kept raw', '"abc', '"abc'],
  ['words after a string keep all of it raw', '"a" b', '"a" b'],

  ['one character', "'c'", 'c'],
  ['one character beyond 16 bits', "'😀'", '😀'],
  ['more than one character is raw', "'ab'", "'ab'"],
  ['no character is raw', "''", "''"],

  ['a table', '{a = 1, b-c="x", D_1 = true}', { a: 1n, 'b-c': 'x', D_1: true }],
  ['a quoted key', '{"a b" = 1}', { 'a b': 1n }],
  ['a line break in a quoted text', '"a\nb"', 'a\nb'],
  ['an empty table', '{}', {}],
  ['a blank table is raw', '{ }', '{ }'],
  ['a comma before the closing brace', '{a=1,}', { a: 1n }],
  ['a table in a table', '{a={b=[1]}}', { a: { b: [1n] } }],
  ['a key without a value', '{a}', '{a}'],
  ['a table that is not closed', '{a=1', '{a=1'],

  ['an array', '[1, x y , "z"]', [1n, 'x y', 'z']],
  ['an empty array', '[]', []],
  ['a blank array holds an empty text', '[ ]', ['']],
  ['a comma before the closing bracket', '[1,]', [1n]],
  ['a blank item after the last comma', '[1, ]', [1n, '']],
  ['a comma alone', '[,]', ['']],
  ['an array that is not closed', '[1', '[1'],
  [
    'a list of listeners',
    '[{bind_address="0.0.0.0:6868"},{bind_address="0.0.0.0:6969"}]',
    [{ bind_address: '0.0.0.0:6868' }, { bind_address: '0.0.0.0:6969' }],
  ],

  ['an address', '127.0.0.1:1212', '127.0.0.1:1212'],
  ['a URL', 'mysql://u:p@h:3306/d', 'mysql://u:p@h:3306/d'],
  ['an IPv6 address, through the raw text', '[::]:6969', '[::]:6969'],
  ['words with a comma, through the raw text', 'abc,def', 'abc,def'],
  ['words with a brace, through the raw text', 'a{b}', 'a{b}'],
  ['raw text is not trimmed', ' a,b ', ' a,b '],
  ['other text is trimmed', ' a b ', 'a b'],
  ['nothing is the empty text', '', ''],
  ['white space is the empty text', '  ', ''],
])('%s: %p', (_what, text, value) => {
  expect(read(text)).toEqual(value)
})

test('a key that every object has is like any other key', () => {
  const node = parseOverride('{__proto__ = 1, constructor = 2}', NOWHERE)
  expect(node.kind === 'table' && [...node.entries.keys()]).toEqual(['__proto__', 'constructor'])
})

test('a hundred thousand opening brackets are a string and do not overflow the stack', () => {
  const text = '['.repeat(100_000)
  expect(read(text)).toBe(text)
})
