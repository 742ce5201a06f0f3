/** What each rule does to text that is not ours. */
import { expect, test } from 'bun:test'
import {
  cut,
  escaped,
  oneLine,
  quotedPath,
  quotedWord,
  shortWord,
} from '../../src/text/printable.ts'

test.each([
  ['cut', (text: string) => cut(text, 3), 'abc', 'abc'],
  ['cut', (text: string) => cut(text, 3), 'abcd', 'abc…'],
  ['cut', (text: string) => cut(text, 3, '...'), 'abcd', 'abc...'],
  ['oneLine', oneLine, ' a\r\n\x1b[2J\u2028b\u200e ', 'a [2J b'],
  ['oneLine', oneLine, 'a'.repeat(301), `${'a'.repeat(300)}…`],
  ['shortWord', shortWord, 'a b\n\x1b', 'a b??'],
  ['shortWord', shortWord, 'a'.repeat(81), `${'a'.repeat(80)}…`],
  ['quotedWord', quotedWord, '--a=b', '--a=b'],
  ['quotedWord', quotedWord, 'a b', '"a b"'],
  ['quotedWord', quotedWord, 'a\x1b', '"a\\u001b"'],
  ['quotedPath', quotedPath, '/a b', '/a b'],
  ['quotedPath', quotedPath, '/a\n', '"/a\\n"'],
  ['quotedPath', quotedPath, '', '""'],
  ['escaped', escaped, 'a\x1b[2J\x7f\x9f\t\nb', 'a\\x1b[2J\\x7f\\x9f\\x09\nb'],
])('%s', (_name, rule, text, shown) => {
  expect(rule(text)).toBe(shown)
})
