/** Health reports of both generations, of single services, false ones, and answers that are no report (docs/behaviours.md O2). */
import { expect, test } from 'bun:test'
import { ClientFailure } from '../../src/client/failure.ts'
import { askHealth } from '../../src/client/health-report.ts'
import { drip, httpServer, target } from '../support/check/targets.ts'
import { fakeHttpServer, respond } from '../support/client/fake-http.ts'

const ask = (port: number, host = '127.0.0.1', milliseconds = 60_000) =>
  askHealth(target(`http://${host}:${port}/health_check`).url, { milliseconds })

async function answerTo(response: string) {
  using server = await httpServer(response)
  return await ask(server.port)
}
const answerToReport = (status: string, details: unknown, more: object = {}) =>
  answerTo(respond(JSON.stringify({ status, message: '', details, ...more })))

const OLD = { binding: '0.0.0.0:6969', info: 'checking …' }
const NEW = {
  ...OLD,
  service_binding: 'udp://0.0.0.0:6969',
  service_type: 'udp_tracker',
  public_url: null,
}
const AMONG = { service_binding: 'sqlite3:/var/a.db', service_type: 'database', public_url: null }
const [well, ill] = [{ result: { Ok: 'Connected' } }, { result: { Err: 'gone' } }]

test('a report says where, how and with which services it went', async () => {
  const answer = await answerToReport(
    'Ok',
    [
      { ...NEW, ...well },
      { ...OLD, ...ill },
    ],
    {
      database: { driver: 'mysql', ...well },
    },
  )
  expect(answer).toEqual({
    remote: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    httpStatus: 200,
    statusLine: '200 OK',
    status: 'Ok',
    services: [
      { service: 'udp://0.0.0.0:6969', type: 'udp_tracker', status: 'Ok', message: 'Connected' },
      // Services of the older generation have no type.
      { service: '0.0.0.0:6969', status: 'Error', message: 'gone' },
      { service: 'mysql', type: 'database', status: 'Ok', message: 'Connected' },
    ],
    problem: undefined,
    degraded: undefined,
    memory: undefined,
  })
})

test('a tracker that runs short of something says so beside its status', async () => {
  const memory = { used: 95, limit: 100 }
  const degraded = 'memory is\nfull'
  expect(await answerToReport('Ok', [], { memory, degraded })).toMatchObject({
    memory,
    degraded: 'memory is full',
    problem: undefined,
  })
  expect(await answerToReport('Ok', [], { memory: { used: '1' }, degraded: [] })).toMatchObject({
    memory: undefined,
    degraded: undefined,
  })
})

test.each<[string, string, unknown, object, string]>([
  ['None', 'no service', [], {}, 'no service is running: none is configured'],
  ['Error', 'a report that does not say which', [], {}, 'it says status Error'],
  ['Tired\x1b[2J', 'another status', [], {}, 'it says status Tired [2J'],
  [
    'Error',
    'two services',
    [
      { ...NEW, ...ill },
      { ...OLD, ...well },
      { ...OLD, ...ill },
    ],
    {},
    'udp_tracker udp://0.0.0.0:6969: gone; 0.0.0.0:6969: gone',
  ],
  ['Error', 'the database', [], { database: { driver: 'mysql', ...ill } }, 'database mysql: gone'],
  // As the first versions of this tracker reported it.
  ['Error', 'a database', [{ ...AMONG, ...ill }], {}, 'database sqlite3:/var/a.db: gone'],
  ['Error', 'text', [], { database: 'x' }, 'database without a name: no result'],
  [
    'Error',
    'services without a result',
    [{ ...OLD, result: [] }, { service_binding: 5 }],
    {},
    '0.0.0.0:6969: no result; a service without a name: no result',
  ],
])('the problem with status %j is %s', async (status, _what, details, more, problem) => {
  expect((await answerToReport(status, details, more)).problem).toBe(problem)
})

test.each([
  ['503 Service Unavailable', '{"status":"Ok"}', 'it is shutting down (503 Service Unavailable)'],
  ['503 Busy', '<html>', 'HTTP status 503 Busy, moved to http://there/'],
  ['500 Oh', '{"status":"Ok"}', 'HTTP status 500 Oh, moved to http://there/'],
  ['302 Found', '', 'HTTP status 302 Found, moved to http://there/'],
])('the problem with HTTP status %s and %s is: %s', async (status, body, problem) => {
  const answer = await answerTo(respond(body, status, 'Location: http://there/\r\n'))
  expect(answer.problem).toBe(problem)
})

test.each([
  ['text', 'OK'],
  ['nothing', ''],
  ['null', 'null'],
  ['a list', '["Ok"]'],
  ['a status that is a number', '{"status":1}'],
  ['depth', '['.repeat(500_000)],
  ['details that are not a list', '{"details":{"0":{"result":{"Err":"x"}}}}'],
])('%s is not a report', async (_name, body) => {
  expect(await answerTo(respond(body))).toMatchObject({
    status: null,
    services: [],
    problem: undefined,
  })
})

test('a thousand failing services are not all named', async () => {
  const details = Array.from({ length: 1_000 }, () => ({ result: { Err: 'x'.repeat(500) } }))
  const { services, problem } = await answerToReport('Error', details)
  expect(services).toHaveLength(1_000)
  expect(problem!.length).toBeLessThan(10 * 350)
})

test('a service that does not answer is a failure, whatever the reason', async () => {
  const failure = (asking: Promise<unknown>) =>
    asking.then(
      () => 'answered',
      (error) => (error instanceof ClientFailure ? error.kind : error),
    )
  using silent = await fakeHttpServer(() => {})
  expect(await failure(ask(silent.port, '127.0.0.1', 100))).toBe('timeout')
  using slow = await fakeHttpServer((_request, socket) => drip(socket, 'HTTP/1.1 200 OK\r\n\r\n{'))
  expect(await failure(ask(slow.port, '127.0.0.1', 100))).toBe('timeout')
  using endless = await httpServer(`HTTP/1.1 200 OK\r\n\r\n${' '.repeat(2 * 1024 * 1024)}`)
  expect(await failure(ask(endless.port))).toBe('garbage')
  const gone = await httpServer('')
  gone[Symbol.dispose]()
  expect(await failure(ask(gone.port))).toBe('connect')
  expect(await failure(ask(1, 'tracker.invalid'))).toBe('resolve')
})
