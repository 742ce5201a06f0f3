/** Error codes in words: what each kind of message says about the same error. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import {
  codeOrMessage,
  errorCode,
  fileReason,
  notWritten,
  systemReason,
  unreadable,
} from '../../src/text/system-errors.ts'

const failed = (code: string) => Object.assign(new Error('a message'), { code })

test.each([
  ['EACCES', 'permission denied', 'permission denied', 'may not be read by this user'],
  ['EPERM', 'operation not permitted', 'permission denied', 'may not be read by this user'],
  ['EISDIR', 'illegal operation on a directory', 'is a directory', 'is a directory'],
  ['ENOENT', 'no such file or directory', 'no such file', 'does not exist'],
  ['ENOTDIR', 'not a directory', 'no such file', 'does not exist'],
  ['EIO', 'i/o error', 'i/o error', 'cannot be read (i/o error)'],
  ['ENOVA', 'ENOVA', 'ENOVA', 'cannot be read (ENOVA)'],
])('%s', (code, reason, read, predicate) => {
  const error = failed(code)
  expect([systemReason(error), fileReason(error), unreadable(error)]).toEqual([
    reason,
    read,
    predicate,
  ])
})

test.each([
  ['EEXIST', 'exists already, nothing was written'],
  ['EISDIR', 'is a directory, nothing was written'],
  ['ENOENT', 'its directory does not exist, nothing was written'],
  ['EACCES', 'permission denied, nothing was written'],
  ['EROFS', 'the disk is read-only, nothing was written'],
  ['ENOSPC', 'cannot be written (no space left on device)'],
])('a new file, %s', (code, words) => {
  expect(notWritten(failed(code))).toBe(words)
})

test('errors without a code are described by their message', () => {
  expect([errorCode(new Error('too large')), errorCode('text')]).toEqual(['', ''])
  expect([codeOrMessage(new Error('too large')), codeOrMessage('text')]).toEqual([
    'too large',
    'text',
  ])
  expect(fileReason(new Error('is too large'))).toBe('is too large')
})

test('the codes are those of the system', () => {
  expect(() => readFileSync('/nonexistent')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})
