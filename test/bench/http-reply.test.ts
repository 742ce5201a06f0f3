/** Reading answers of HTTP servers: whole, in pieces, malformed. */
import { describe, expect, test } from 'bun:test'
import { HttpReplies, MAX_REPLY_BYTES } from '../../src/bench/http-reply.ts'

const replies = new HttpReplies()

const read = (text: string, isClosed = false) => {
  const reply = replies.read(Buffer.from(text, 'latin1'), isClosed)
  if (typeof reply === 'string') return reply
  return [reply.status, Buffer.from(reply.body).toString('latin1'), reply.staysOpen]
}

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const CHUNKS =
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n03 \r\nllo\r\n0\r\n\r\n'
const TRAILERS = CHUNKS.replace(/\r\n$/, 'Expires: never\r\nX: y\r\n\r\n')

describe.each([LENGTH, CHUNKS, TRAILERS])('%j', (whole) => {
  test('is read when it is complete, and not before', () => {
    for (let end = 0; end < whole.length; end++) {
      expect([end, read(whole.slice(0, end))]).toEqual([end, 'more'])
      expect([end, read(whole.slice(0, end), true)]).toEqual([end, 'bad'])
    }
    expect(read(whole)).toEqual([200, 'hello', true])
    expect(read(whole, true)).toEqual([200, 'hello', true])
  })

  test('must be the only one', () => {
    expect(read(`${whole}H`)).toBe('bad')
  })
})

test('an answer without a length ends with the connection', () => {
  const text = 'HTTP/1.1 404 Not Found\r\n\r\nhel'
  expect(read(text)).toBe('more')
  expect(read(`${text}lo`, true)).toEqual([404, 'hello', false])
})

test.each([
  ['HTTP/1.1 200 OK', '', true],
  ['HTTP/1.1 200', 'Connection: Keep-Alive\r\n', true],
  ['HTTP/1.1 503 Busy', 'connection:close\r\n', false],
  ['HTTP/1.0 200 OK', '', false],
  ['HTTP/1.0 200 OK', 'Connection: keep-alive\r\n', true],
])('%s with %j', (line, header, staysOpen) => {
  const reply = read(`${line}\r\n${header}Content-Length: 0\r\n\r\n`)
  expect(reply).toEqual([Number(line.slice(9, 12)), '', staysOpen])
})

test.each([
  ['something other than HTTP', 'd8:intervali5ee\r\n\r\n'],
  ['another version of HTTP', 'HTTP/2 200\r\n\r\n'],
  ['an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['a chunk without a size', `${CHUNKS.split('2;')[0]}xyz\r\nhe`],
  ['a size that never ends', `${CHUNKS.split('2;')[0]}${'1'.repeat(300)}`],
  ['a chunk longer than its size', CHUNKS.replace('\r\nhe\r\n', '\r\nhell\r\n')],
  ['more than fits', `HTTP/1.1 200 OK\r\nContent-Length: ${MAX_REPLY_BYTES}\r\n\r\n`],
  ['a length beyond all', 'HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n'],
])('%s is bad', (_what, text) => {
  expect(read(text)).toBe('bad')
})

test('an answer has a greatest length', () => {
  const head = 'HTTP/1.1 200 OK\r\n\r\n'
  expect(read(head.padEnd(MAX_REPLY_BYTES, 'x'))).toBe('more')
  expect(read(head.padEnd(MAX_REPLY_BYTES + 1, 'x'))).toBe('bad')
})
