/** Error codes in words. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { codeOrMessage, errorCode, systemReason } from '../../src/text/system-errors.ts'

const failed = (code: string) => Object.assign(new Error('a message'), { code })

test.each([
  ['EACCES', 'permission denied'],
  ['EEXIST', 'file already exists'],
  ['EISDIR', 'is a directory'],
  ['ENOENT', 'no such file or directory'],
  ['EIO', 'i/o error'],
  ['ENOVA', 'ENOVA'],
])('%s: %s', (code, reason) => {
  expect(systemReason(failed(code))).toBe(reason)
})

test('errors without a code are described by their message', () => {
  expect([errorCode(new Error('too large')), errorCode('text')]).toEqual(['', ''])
  expect(codeOrMessage('text')).toBe('text')
  expect(systemReason(new Error('too large'))).toBe('too large')
})

test('the codes are those of the system', () => {
  expect(() => readFileSync('/nonexistent')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})
