/** What an answer may be besides text: bytes, event streams, files. Each on an operation of the test's own. */

import { describe, expect, test } from 'bun:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { type Answer, eventStream, type Part } from '../../src/api/answers.ts'
import type { Operation } from '../../src/api/operation.ts'
import { askWithToken, serve, withToken } from '../support/api/served-api.ts'
import { ask, bytesOf, dechunk } from '../support/http-client.ts'
import { until } from '../support/until.ts'

const PATH = '/api/test'
const get = (answer: () => Answer | Promise<Answer>, path = PATH): Operation => ({
  method: 'GET',
  path,
  answer,
})

describe('bytes', () => {
  const bytes = Uint8Array.of(0, 255, 0, 13, 10, 128, 0)

  test('arrive as they are, zeros included, with their content type', async () => {
    await using api = await serve({
      more: [get(() => ({ status: 200, type: 'image/x-icon', body: bytes }))],
    })
    const reply = await askWithToken(api.url, { path: PATH })
    expect([reply.status, reply.body]).toEqual([200, Buffer.from(bytes)])
    expect(reply.headers).toMatchObject({ 'content-type': 'image/x-icon', 'content-length': '7' })
    expect((await ask(api.url, { path: PATH })).status).toBe(500)
  })

  test.each([1, 10_000])('and text are parts of one body, %d of each', async (count) => {
    const parts = async function* (): AsyncGenerator<Part> {
      for (let i = 0; i < count; i++) {
        yield bytes
        yield 'é\0'
      }
    }
    await using api = await serve({
      more: [get(() => ({ status: 200, type: 'application/octet-stream', body: parts() }))],
    })
    const expected = Buffer.concat(Array(count).fill(Buffer.concat([bytes, Buffer.from('é\0')])))
    for (const coding of ['identity', 'gzip']) {
      const headers = { 'accept-encoding': coding }
      const body = dechunk(await askWithToken(api.url, { path: PATH, headers }))
      const isCompressed = coding === 'gzip' && (count > 1 || expected.length >= 32)
      expect((isCompressed ? gunzipSync(body) : body).equals(expected)).toBeTrue()
    }
  })
})

/** A connection that has sent one request and collects what comes back. */
async function connect(port: number, request: Uint8Array) {
  const seen = { text: '', isClosed: false }
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      open: (self) => void self.write(request),
      data(_self, bytes) {
        seen.text += bytes.toString('latin1')
      },
      close() {
        seen.isClosed = true
      },
      error() {},
    },
  })
  return {
    socket,
    seen,
    has: (text: string) => until(`${text} to come`, () => seen.text.includes(text)),
    closed: () => until('the connection to be closed', () => seen.isClosed),
  }
}

describe('an event stream', () => {
  /** A stream whose events the test makes, one after the other, and an operation that serves it. */
  function source() {
    const state = { opened: 0, ended: 0 }
    let wake = Promise.withResolvers<void>()
    const waiting: string[] = []
    const operation = get(() =>
      eventStream(async function* (gone) {
        state.opened++
        gone.addEventListener('abort', () => wake.resolve())
        try {
          while (!gone.aborted) {
            yield* waiting.splice(0)
            await wake.promise
            wake = Promise.withResolvers()
          }
        } finally {
          state.ended++
        }
      }),
    )
    const send = (text: string) => {
      waiting.push(`data: ${text}\n\n`)
      wake.resolve()
    }
    return { state, operation, send }
  }
  const request = (headers = {}) => bytesOf(withToken({ path: PATH, headers }))

  test('shows its head before there is an event, and each event before there is the next', async () => {
    const { operation, send } = source()
    await using api = await serve({ more: [operation] })
    const client = await connect(api.address.port, request())
    await client.has('\r\n\r\n')
    expect(client.seen.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(client.seen.text).toMatch(/\r\ncontent-type: text\/event-stream\r\n/i)
    expect(client.seen.text).toMatch(/\r\ncache-control: no-store\r\n/i)
    for (const text of ['first', 'second', 'third']) {
      expect(client.seen.text).not.toContain(text)
      send(text)
      await client.has(`data: ${text}\n\n`)
    }
  })

  test('is not compressed, whatever the client accepts', async () => {
    const { operation, send } = source()
    await using api = await serve({ more: [operation] })
    const client = await connect(api.address.port, request({ 'accept-encoding': 'gzip, zstd' }))
    send('first')
    await client.has('data: first\n\n')
    expect(client.seen.text).not.toMatch(/content-encoding|vary/i)
  })

  test('outlives the time limit of answers', async () => {
    const { operation, send } = source()
    const never = get(() => new Promise<Answer>(() => {}), `${PATH}/never`)
    await using api = await serve({ more: [operation, never], limitMilliseconds: 20 })
    const client = await connect(api.address.port, request())
    await client.has(':\n\n')
    // It began later, and is over.
    expect((await askWithToken(api.url, { path: `${PATH}/never` })).status).toBe(408)
    send('first')
    await client.has('data: first\n\n')
  })

  test('that does not begin in time is a 408', async () => {
    const late = Promise.withResolvers<Answer>()
    const { operation, state } = source()
    await using api = await serve({ more: [get(() => late.promise)], limitMilliseconds: 20 })
    expect((await askWithToken(api.url, { path: PATH })).status).toBe(408)
    late.resolve(await operation.answer({} as never))
    await ask(api.url, { path: '/api/health_check' })
    expect(state.opened).toBe(0)
  })

  test('outlives the time after which idle connections are closed', async () => {
    const { operation, send } = source()
    const never = get(() => new Promise<Answer>(() => {}), `${PATH}/never`)
    const limits = { limitMilliseconds: 60_000, idleSeconds: 1 }
    await using api = await serve({ more: [operation, never], ...limits })
    const client = await connect(api.address.port, request())
    await client.has(':\n\n')
    // It became idle later, and is closed.
    const idle = await connect(api.address.port, bytesOf(withToken({ path: `${PATH}/never` })))
    await idle.closed()
    send('first')
    await client.has('data: first\n\n')
  })

  test('that a HEAD asked for leaves the idle limit of its connection as it is', async () => {
    const { operation } = source()
    await using api = await serve({ more: [operation], idleSeconds: 1 })
    const client = await connect(
      api.address.port,
      bytesOf(withToken({ method: 'HEAD', path: PATH, headers: { connection: 'keep-alive' } })),
    )
    await client.closed()
    expect(client.seen.text).toStartWith('HTTP/1.1 200 OK')
  })

  test('ends when the client leaves', async () => {
    const { operation, state } = source()
    await using api = await serve({ more: [operation] })
    const client = await connect(api.address.port, request())
    await until('the stream to open', () => state.opened === 1)
    client.socket.terminate()
    await until('the stream to end', () => state.ended === 1)
    expect(api.reports).toEqual([])
  })

  test('ends at once when the client left before it could begin', async () => {
    const late = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    let gone: AbortSignal | undefined
    const answer = async (): Promise<Answer> => {
      asked.resolve()
      await late.promise
      return eventStream((signal) => {
        gone = signal
        return (async function* () {
          yield 'data: first\n\n'
          await new Promise(() => {})
        })()
      })
    }
    await using api = await serve({ more: [get(answer)] })
    const client = await connect(api.address.port, request())
    await asked.promise
    client.socket.terminate()
    // By the answers to later requests the server has seen that the client left.
    for (let i = 0; i < 5; i++) await ask(api.url, { path: '/api/health_check' })
    late.resolve()
    await until('the stream to end', () => gone?.aborted)
  })

  test('ends when the server stops, which does not wait for it', async () => {
    const { operation, state } = source()
    const api = await serve({ more: [operation] })
    const client = await connect(api.address.port, request())
    await until('the stream to open', () => state.opened === 1)
    const waiting = await connect(api.address.port, new Uint8Array())
    const stopped = api.stop(600_000)
    // A stream that is asked for while the server stops ends as well.
    waiting.socket.write(request())
    await stopped
    await client.closed()
    expect(client.seen.text).toEndWith('\r\n0\r\n\r\n')
    expect(state.ended).toBe(state.opened)
    expect(api.reports).toEqual([])
  })

  test('that fails is broken off and reported', async () => {
    await using api = await serve({
      more: [
        get(() =>
          eventStream(async function* () {
            yield 'data: first\n\n'
            throw new RangeError('no second')
          }),
        ),
      ],
    })
    const client = await connect(api.address.port, request())
    await client.closed()
    expect(client.seen.text).toContain('data: first\n\n')
    expect(client.seen.text).not.toEndWith('0\r\n\r\n')
    expect(api.reports).toEqual([`GET ${PATH}: RangeError`])
  })

  test('is not opened for a HEAD, and what prepared it learns that', async () => {
    const { operation, state } = source()
    let gone: AbortSignal | undefined
    const answer = async (): Promise<Answer> => {
      const { events } = await operation.answer({} as never)
      return eventStream((signal) => {
        gone = signal
        return events!(signal)
      })
    }
    await using api = await serve({ more: [get(answer)] })
    const reply = await askWithToken(api.url, { method: 'HEAD', path: PATH })
    expect([reply.status, reply.body.length]).toEqual([200, 0])
    expect(reply.headers['content-type']).toBe('text/event-stream')
    expect([state.opened, gone?.aborted]).toEqual([0, true])
  })
})

describe('a file', () => {
  const script = Buffer.from('let answer = 42 // '.repeat(100))
  const gzip = gzipSync(script)
  const etag = 'W/"3f1c"'
  const cache = 'public, max-age=31536000, immutable'
  const file: Answer = {
    status: 200,
    type: 'text/javascript; charset=utf-8',
    body: script,
    compression: { gzip },
    headers: { etag, 'cache-control': cache },
  }
  const withFile = (answer = file) => serve({ more: [{ ...get(() => answer), open: true }] })

  test('needs no token where its operation is open, and only there', async () => {
    await using api = await serve({
      more: [{ ...get(() => file), open: true }, get(() => file, '/closed')],
    })
    const reply = await ask(api.url, { path: PATH })
    expect([reply.status, reply.body]).toEqual([200, script])
    expect(reply.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'content-length': String(script.length),
      'cache-control': cache,
      etag,
      vary: 'accept-encoding',
    })
    for (const headers of [{}, { 'if-none-match': etag }])
      expect((await ask(api.url, { path: '/closed', headers })).status).toBe(500)
  })

  test('is sent as its gzip to a client that accepts gzip, and compressed in no other way', async () => {
    await using api = await withFile()
    for (const accept of ['gzip', 'zstd, br, gzip;q=0.1', 'x-gzip']) {
      const reply = await ask(api.url, { path: PATH, headers: { 'accept-encoding': accept } })
      expect([accept, reply.headers['content-encoding']]).toEqual([accept, 'gzip'])
      expect(reply.body).toEqual(gzip)
    }
    for (const accept of ['zstd, br', 'gzip;q=0', 'identity, gzip;q=0.5', '*']) {
      const reply = await ask(api.url, { path: PATH, headers: { 'accept-encoding': accept } })
      expect([accept, reply.headers['content-encoding']]).toEqual([accept, undefined])
      expect(reply.body).toEqual(script)
    }
  })

  test('that would not shrink is never compressed', async () => {
    await using api = await withFile({ ...file, type: 'font/woff2', compression: 'none' })
    const headers = { 'accept-encoding': 'gzip, zstd' }
    const reply = await ask(api.url, { path: PATH, headers })
    expect(reply.body).toEqual(script)
    expect([reply.headers['content-encoding'], reply.headers.vary]).toEqual([undefined, undefined])
  })

  test('has the same head for HEAD as for GET, and no body', async () => {
    await using api = await withFile()
    for (const accept of ['identity', 'gzip']) {
      const headers = { 'accept-encoding': accept, 'x-request-id': 'the same' }
      const { date: _date, ...expected } = (await ask(api.url, { path: PATH, headers })).headers
      const reply = await ask(api.url, { method: 'HEAD', path: PATH, headers })
      expect([reply.status, reply.body.length]).toEqual([200, 0])
      expect(reply.headers).toMatchObject(expected)
    }
  })

  test.each(['W/"3f1c"', '"3f1c"', '"a", W/"3f1c" , "b"', '*'])(
    'is not sent again to a client that has %s',
    async (tag) => {
      await using api = await withFile()
      for (const method of ['GET', 'HEAD']) {
        const headers = { 'if-none-match': tag, 'accept-encoding': 'gzip' }
        const reply = await ask(api.url, { method, path: PATH, headers })
        expect([reply.status, reply.body.length]).toEqual([304, 0])
        expect(reply.headers).toMatchObject({
          etag,
          'cache-control': cache,
          vary: 'accept-encoding',
        })
        expect(reply.headers['content-type']).toBeUndefined()
        expect(reply.headers['content-encoding']).toBeUndefined()
      }
    },
  )

  test.each(['"3f1d"', 'W/"3f1"', '3f1c', '', '"*"'])(
    'is sent to a client that has %p',
    async (tag) => {
      await using api = await withFile()
      const reply = await ask(api.url, { path: PATH, headers: { 'if-none-match': tag } })
      expect([reply.status, reply.body]).toEqual([200, script])
    },
  )

  test('is not in the OpenAPI document', async () => {
    await using api = await withFile()
    const document = dechunk(await askWithToken(api.url, { path: '/api/openapi.json' }))
    expect(Object.keys(JSON.parse(document.toString()).paths)).not.toContain(PATH)
  })
})

test('an answer of another kind has no entity tag', async () => {
  await using api = await serve()
  const headers = { 'if-none-match': '*' }
  expect((await ask(api.url, { path: '/api/health_check', headers })).status).toBe(200)
})
