/** `tracker health` as a container calls it. */
import { expect, test } from 'bun:test'
import { workspace } from '../support/cli/workspace.ts'
import { fakeHttpServer, respond } from '../support/client/fake-http.ts'
import { startTracker } from '../support/started-tracker.ts'

const serve = (answer: string) => fakeHttpServer((_request, socket) => void socket.write(answer))

async function health(words: readonly (string | number)[], env: Record<string, string> = {}) {
  using here = workspace()
  const { code, out, err } = await here.run(['health', ...words.map(String)], env)
  const plain = (text: string) =>
    text.replaceAll(/(127\.0\.0\.1|localhost):\d+/g, '$1:PORT').replaceAll(/[\d.]+ ms/g, '1 ms')
  return { code, out: plain(out), err: plain(err) }
}

const json = (out: string) => JSON.parse(out.replace(/"elapsed_ms":[\d.]+/, '"elapsed_ms":1'))

test('T6: a healthy tracker, by port, by host and port, by URL and by environment', async () => {
  await using tracker = await startTracker()
  const port = tracker.healthPort
  const asked = await Promise.all([
    health([port]),
    health([`127.0.0.1:${port}`]),
    health([`http://127.0.0.1:${port}/health_check`]),
    health([], { HEALTH_CHECK_API_PORT: String(port) }),
  ])
  for (const { code, out, err } of asked) {
    expect([code, err]).toEqual([0, ''])
    expect(json(out)).toMatchObject({
      url: 'http://127.0.0.1:PORT/health_check',
      status: 'Ok',
      degraded: null,
      http_status: 200,
      elapsed_ms: 1,
      services: [
        {
          service: 'udp://127.0.0.1:PORT',
          type: 'udp_tracker',
          status: 'Ok',
          message: 'Connected',
        },
        {
          service: 'http://127.0.0.1:PORT/',
          type: 'http_tracker',
          status: 'Ok',
          message: '200 OK',
        },
      ],
      message: null,
    })
  }
  expect(await health([`localhost:${port}`, '--format', 'text'])).toEqual({
    code: 0,
    out: `http://localhost:PORT/health_check: Ok (1 ms)
  Ok     udp_tracker udp://127.0.0.1:PORT: Connected
  Ok     http_tracker http://127.0.0.1:PORT/: 200 OK
`,
    err: '',
  })
  // The reports of single services are understood, too.
  const own = await health([`http://127.0.0.1:${tracker.ports.http[0]}/health_check`])
  expect([own.code, json(own.out)]).toMatchObject([0, { status: 'Ok', services: [] }])
})

test('a failing service is named, although the HTTP status is 200', async () => {
  const report = {
    status: 'Error',
    details: [
      { service_binding: 'udp://x', service_type: 'udp_tracker', result: { Err: 'Timed Out' } },
    ],
  }
  using server = await serve(respond(JSON.stringify(report)))
  const about = 'http://127.0.0.1:PORT/health_check: udp_tracker udp://x: Timed Out'
  expect(await health([server.port])).toMatchObject({ code: 1, err: `tracker health: ${about}\n` })
  expect(await health([server.port, '--format=text'])).toEqual({
    code: 1,
    out: `${about} (1 ms)\n  Error  udp_tracker udp://x: Timed Out\n`,
    err: '',
  })
})

test('a degraded tracker is healthy, and says why it is degraded', async () => {
  const memory = { used: 99, limit: 100 }
  const report = { status: 'Ok', details: [], memory, degraded: 'memory is full' }
  using server = await serve(respond(JSON.stringify(report)))
  const about = 'http://127.0.0.1:PORT/health_check: degraded: memory is full'
  const { code, out, err } = await health([server.port])
  expect([code, err]).toEqual([0, `tracker health: ${about}\n`])
  expect(json(out)).toMatchObject({ status: 'Ok', memory, degraded: 'memory is full' })
  const text = await health([server.port, '--format=text'])
  expect(text).toEqual({ code: 0, out: `${about} (1 ms)\n`, err: '' })
})

test('a web page is not healthy', async () => {
  using server = await serve(respond('<html>'))
  const { code, out, err } = await health([server.port])
  const message = '200 OK, but no health report'
  expect([code, json(out)]).toMatchObject([1, { message }])
  expect(err).toBe(`tracker health: http://127.0.0.1:PORT/health_check: ${message}\n`)
})

test('a silent service is given up in time', async () => {
  using server = await serve('HTTP/1.1 200 OK\r\nX: ')
  const { code, out, err } = await health([server.port, '--timeout', '0.3'])
  const message = 'no answer within 0.3 s'
  expect(code).toBe(1)
  expect(json(out)).toEqual({
    url: 'http://127.0.0.1:PORT/health_check',
    status: null,
    http_status: null,
    elapsed_ms: 1,
    services: [],
    memory: null,
    degraded: null,
    message,
  })
  expect(err).toBe(`tracker health: http://127.0.0.1:PORT/health_check: ${message}\n`)
})

test.each([
  [['udp://a:6969'], {}, 'udp://a:6969: expected http:// or https://'],
  [['wss://a:6969'], {}, 'wss://a:6969: expected http:// or https://'],
  [['http://'], {}, 'http://: not a URL'],
  [['--timeout', '0'], {}, '--timeout must be from 0.01 to 3600 seconds, not 0'],
  [['0'], {}, 'URL must be a port from 1 to 65535, not 0'],
  [
    [],
    { HEALTH_CHECK_API_PORT: '70000' },
    'HEALTH_CHECK_API_PORT must be a port from 1 to 65535, not 70000',
  ],
])('wrong usage: %p %p', async (words, env: Record<string, string>, message) => {
  expect(await health(words, env)).toEqual({
    code: 2,
    out: '',
    err: `tracker health: ${message}. See tracker health --help\n`,
  })
})
