/** Health reports of both generations, of single services, false ones, and answers that are no report (docs/behaviours.md O2). */
import { describe, expect, test } from 'bun:test'
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

const detail = (result: object, more: object = {}) => ({
  binding: '0.0.0.0:6969',
  info: 'checking …',
  result,
  ...more,
})
const NEW = { service_binding: 'udp://0.0.0.0:6969', service_type: 'udp_tracker', public_url: null }
const report = (status: string, ...details: object[]) =>
  respond(JSON.stringify({ status, message: '', details }))

test('a report of the newest generation', async () => {
  const answer = await answerTo(report('Ok', detail({ Ok: 'Connected' }, NEW)))
  expect(answer).toMatchObject({
    httpStatus: 200,
    statusLine: '200 OK',
    status: 'Ok',
    services: [
      { service: 'udp://0.0.0.0:6969', type: 'udp_tracker', status: 'Ok', message: 'Connected' },
    ],
    problem: undefined,
  })
  expect(answer.remote).toMatch(/^127\.0\.0\.1:\d+$/)
})

test('a tracker that runs short of something says so beside its status', async () => {
  const said = (more: object) => answerTo(respond(JSON.stringify({ status: 'Ok', ...more })))
  const memory = { used: 95, limit: 100 }
  expect(await said({ memory, degraded: 'memory is\nfull' })).toMatchObject({
    memory,
    degraded: 'memory is full',
    problem: undefined,
  })
  expect(await said({ memory: { used: '1' }, degraded: [] })).toMatchObject({
    memory: undefined,
    degraded: undefined,
  })
})

test('a service of the older generation has no type', async () => {
  const { services, problem } = await answerTo(report('Error', detail({ Err: 'Timed Out' })))
  expect(services).toEqual([{ service: '0.0.0.0:6969', status: 'Error', message: 'Timed Out' }])
  expect(problem).toBe('0.0.0.0:6969: Timed Out')
})

test('the database beside the listeners is one of the services', async () => {
  const body = (result: object) =>
    respond(
      JSON.stringify({
        status: 'Error',
        details: [detail({ Ok: 'Connected' }, NEW)],
        database: { driver: 'mysql', result },
      }),
    )
  const well = await answerTo(body({ Ok: 'Connected' }))
  expect(well.services.at(-1)).toEqual({
    service: 'mysql',
    type: 'database',
    status: 'Ok',
    message: 'Connected',
  })
  const ill = await answerTo(body({ Err: 'gone' }))
  expect(ill.services).toHaveLength(2)
  expect(ill.problem).toBe('database mysql: gone')
})

test("a report of this tracker's first versions lists the database among its details", async () => {
  const among = { service_binding: 'sqlite3:/var/a.db', service_type: 'database', public_url: null }
  const { services, problem } = await answerTo(report('Error', detail({ Err: 'gone' }, among)))
  expect(services).toHaveLength(1)
  expect(problem).toBe('database sqlite3:/var/a.db: gone')
})

test.each([
  [
    'a database that is text',
    '{"status":"Error","database":"x"}',
    'database without a name: no result',
  ],
  ['a list', '{"status":"Error","database":[1]}', 'database without a name: no result'],
])('%s harms nothing', async (_name, body, problem) => {
  expect((await answerTo(respond(body))).problem).toBe(problem)
})

test.each([
  [
    'two services fail',
    report('Error', detail({ Err: 'a' }, NEW), detail({ Ok: 'b' }), detail({ Err: 'c' })),
    'udp_tracker udp://0.0.0.0:6969: a; 0.0.0.0:6969: c',
  ],
  ['no service runs', report('None'), 'no service is running: none is configured'],
  ['the report does not say which', report('Error'), 'it says status Error'],
  ['the status is a new one', report('Tired\x1b[2J'), 'it says status Tired [2J'],
  [
    'it is shutting down',
    respond('{"status":"Ok","details":[]}', '503 Service Unavailable'),
    'it is shutting down (503 Service Unavailable)',
  ],
  [
    'a proxy answers instead',
    respond('<html>', '503 Service Unavailable'),
    'HTTP status 503 Service Unavailable',
  ],
  [
    'it has moved',
    respond('', '302 Found', 'Location: /there\r\n'),
    /^HTTP status 302 Found, moved to http:\/\/127\.0\.0\.1:\d+\/there$/,
  ],
  [
    'a report comes with status 500',
    respond('{"status":"Ok"}', '500 Internal Server Error'),
    'HTTP status 500 Internal Server Error',
  ],
  [
    'a service has no result',
    report('Error', detail([]), { service_binding: 5 }),
    '0.0.0.0:6969: no result; a service without a name: no result',
  ],
] as const)('%s', async (_name, response, problem) => {
  const answer = await answerTo(response)
  if (typeof problem === 'string') expect(answer.problem).toBe(problem)
  else expect(answer.problem!).toMatch(problem)
})

test('the report of a single service lists no others', async () => {
  expect(await answerTo(respond('{"status":"Ok"}'))).toMatchObject({
    status: 'Ok',
    services: [],
    problem: undefined,
  })
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
  const details = Array.from({ length: 1_000 }, () => detail({ Err: 'x'.repeat(500) }))
  const { services, problem } = await answerTo(report('Error', ...details))
  expect(services).toHaveLength(1_000)
  expect(problem!.length).toBeLessThan(10 * 350)
})

describe('a service that does not answer', () => {
  const failure = (asking: Promise<unknown>) =>
    asking.then(
      () => 'answered',
      (error) => (error instanceof ClientFailure ? error.kind : error),
    )

  test('is a failure, whatever the reason', async () => {
    using silent = await fakeHttpServer(() => {})
    expect(await failure(ask(silent.port, '127.0.0.1', 100))).toBe('timeout')
    using slow = await fakeHttpServer((_request, socket) =>
      drip(socket, 'HTTP/1.1 200 OK\r\n\r\n{'),
    )
    expect(await failure(ask(slow.port, '127.0.0.1', 100))).toBe('timeout')
    using endless = await httpServer(`HTTP/1.1 200 OK\r\n\r\n${' '.repeat(2 * 1024 * 1024)}`)
    expect(await failure(ask(endless.port))).toBe('garbage')
    const gone = await httpServer('')
    gone[Symbol.dispose]()
    expect(await failure(ask(gone.port))).toBe('connect')
    expect(await failure(ask(1, 'tracker.invalid'))).toBe('resolve')
  })
})
