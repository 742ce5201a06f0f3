/** The health API and its probes (docs/behaviours.md O2, O3), over services that answer, are silent, or answer wrongly. */
import { describe, expect, test } from 'bun:test'
import { HTTP_REQUEST } from '../../src/servers/garbage.ts'
import {
  type HealthDatabase,
  type HealthService,
  serveHealth,
} from '../../src/servers/health-api.ts'
import { probeHttp, probeUdp, type Verdict } from '../../src/servers/probe.ts'
import { joinPort } from '../../src/wire/address.ts'
import { CountedGarbage } from '../support/api/served-api.ts'
import { exchange, get, parseResponse } from '../support/http-client.ts'
import { serve } from '../support/servers/served-http.ts'

async function health(
  services: HealthService[] = [],
  draining = () => false,
  database: HealthDatabase | undefined = undefined,
) {
  const bind = { ip: '127.0.0.1', port: 0 }
  const garbage = new CountedGarbage()
  const state = { degraded: undefined as string | undefined }
  const server = await serveHealth({
    bind,
    services: () => services,
    database,
    memory: () => ({ used: 5, limit: 9 }),
    degraded: () => state.degraded,
    draining,
    garbage,
  })
  return {
    url: server.url,
    state,
    garbage,
    [Symbol.asyncDispose]: async () => {
      await server.stop(0)
      garbage[Symbol.dispose]()
    },
  }
}

const service = (
  type: HealthService['type'],
  address: { ip: string; port: number },
  publicUrl: string | null = null,
): HealthService => {
  const scheme = type === 'udp_tracker' ? 'udp' : 'http'
  return {
    type,
    scheme,
    address,
    url: `${scheme}://${joinPort(address.ip, address.port)}`,
    publicUrl,
  }
}
const httpService = (address: { ip: string; port: number }) => service('http_tracker', address)
const udpService = (address: { ip: string; port: number }) =>
  service('udp_tracker', address, 'udp://tracker.example:6969')

/** A UDP service that answers every datagram with `answer(datagram)`. */
async function udp(answer: (request: Uint8Array) => Uint8Array, hostname = '127.0.0.1') {
  const socket = await Bun.udpSocket({
    hostname,
    socket: { data: (from, bytes, port, ip) => void from.send(answer(bytes), port, ip) },
  })
  return {
    address: { ip: hostname, port: socket.port },
    [Symbol.dispose]: () => socket.close(),
  }
}

const connected = (request: Uint8Array) =>
  Uint8Array.of(0, 0, 0, 0, ...request.subarray(12, 16), 1, 2, 3, 4, 5, 6, 7, 8)

/** A TCP service that answers everything with `answer`, or ends the connection where that is empty. */
function tcp(answer: string) {
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: { data: (socket) => void (answer ? socket.write(answer) : socket.end()) },
  })
  return {
    address: { ip: '127.0.0.1', port: server.port },
    [Symbol.dispose]: () => server.stop(true),
  }
}

/** A port that was in use a moment ago. */
async function deadPort(): Promise<{ ip: string; port: number }> {
  using service = tcp('')
  return service.address
}

const report = async (url: string) => {
  const reply = await get(url, '/health_check')
  return { status: reply.status, report: JSON.parse(reply.body.toString()) }
}

describe('the report', () => {
  test('is None without services', async () => {
    await using api = await health()
    const reply = await get(api.url, '/health_check')
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/json'])
    expect(reply.body.toString()).toBe(
      '{"status":"None","message":"","details":[],"memory":{"used":5,"limit":9}}',
    )
  })

  test('O2: has the fields of both generations, in their order', async () => {
    await using tracker = await serve()
    using fake = await udp(connected)
    await using api = await health([udpService(fake.address), httpService(tracker.address)])
    const udpAt = `127.0.0.1:${fake.address.port}`
    const httpAt = `127.0.0.1:${tracker.address.port}`
    const reply = await get(api.url, '/health_check')
    expect(reply.body.toString()).toBe(
      JSON.stringify({
        status: 'Ok',
        message: '',
        details: [
          {
            service_binding: `udp://${udpAt}`,
            binding: udpAt,
            service_type: 'udp_tracker',
            public_url: 'udp://tracker.example:6969',
            info: `checking the udp tracker health check at: ${udpAt}`,
            result: { Ok: 'Connected' },
          },
          {
            service_binding: `http://${httpAt}/`,
            binding: httpAt,
            service_type: 'http_tracker',
            public_url: null,
            info: `checking http tracker health check at: http://${httpAt}/health_check`,
            result: { Ok: '200 OK' },
          },
        ],
        memory: { used: 5, limit: 9 },
      }),
    )
  })

  test('has the database beside the listeners, and its status is theirs and the database’s', async () => {
    let verdict: Verdict = { Ok: 'Connected' }
    using fake = await udp(connected)
    const database = { driver: 'mysql', verdict: () => verdict }
    await using api = await health([udpService(fake.address)], undefined, database)
    const well = (await report(api.url)).report
    expect(well).toMatchObject({ status: 'Ok', message: '' })
    expect(well.database).toEqual({ driver: 'mysql', result: { Ok: 'Connected' } })
    verdict = { Err: 'gone' }
    const ill = (await report(api.url)).report
    expect(ill).toMatchObject({ status: 'Error', message: 'health check failed' })
    expect(ill.database).toEqual({ driver: 'mysql', result: { Err: 'gone' } })
    // Typed clients parse every binding as a socket address, and reject a report that has another.
    for (const { details } of [well, ill])
      expect(details.map(({ binding }: { binding: string }) => binding)).toEqual([
        `127.0.0.1:${fake.address.port}`,
      ])
  })

  test.each([{ Ok: 'Connected' }, { Err: 'gone' }])(
    'of a database alone is None: %p',
    async (verdict) => {
      const database = { driver: 'sqlite3', verdict: () => verdict }
      await using api = await health([], undefined, database)
      expect((await report(api.url)).report).toEqual({
        status: 'None',
        message: '',
        details: [],
        database: { driver: 'sqlite3', result: verdict },
        memory: { used: 5, limit: 9 },
      })
    },
  )

  test('O2: says why clients are not served as they should be, and stays Ok', async () => {
    using fake = await udp(connected)
    await using api = await health([udpService(fake.address)])
    expect((await report(api.url)).report).not.toHaveProperty('degraded')
    api.state.degraded = 'memory is full'
    expect(await report(api.url)).toMatchObject({
      status: 200,
      report: { status: 'Ok', memory: { used: 5, limit: 9 }, degraded: 'memory is full' },
    })
  })

  test('asks the API at its own path', async () => {
    using api = tcp('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    await using server = await health([service('tracker_rest_api', api.address)])
    const { details } = (await report(server.url)).report
    const url = `http://127.0.0.1:${api.address.port}/api/health_check`
    expect(details[0]).toMatchObject({
      service_type: 'tracker_rest_api',
      info: `checking api health check at: ${url}`,
      result: { Ok: '200 OK' },
    })
  })

  test('O2: is an Error when one service was stopped, and still 200', async () => {
    using alive = await udp(connected)
    await using api = await health([udpService(alive.address), httpService(await deadPort())])
    const { status, report: said } = await report(api.url)
    expect([status, said.status, said.message]).toEqual([200, 'Error', 'health check failed'])
    expect(said.details[0].result).toEqual({ Ok: 'Connected' })
    expect(said.details[1].result.Err).toContain('error sending request for url (http://127.0.0.1:')
  })

  test('comes with 503 while the tracker stops', async () => {
    let draining = false
    await using api = await health([], () => draining)
    expect((await report(api.url)).status).toBe(200)
    draining = true
    expect((await report(api.url)).status).toBe(503)
  })

  test('is shared by requests that arrive while it is made, and made anew for later ones', async () => {
    let asked = 0
    const held: (() => void)[] = []
    const seen = Promise.withResolvers<void>()
    const server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        data(socket) {
          asked++
          held.push(() => void socket.write('HTTP/1.1 200 OK\r\n\r\n'))
          seen.resolve()
        },
      },
    })
    await using api = await health([httpService({ ip: '127.0.0.1', port: server.port })])
    const reports = [report(api.url), report(api.url), report(api.url)]
    await seen.promise
    // When a later request on another route is answered, the other two have been read.
    await get(api.url, '/')
    for (const release of held) release()
    for (const { report: said } of await Promise.all(reports)) expect(said.status).toBe('Ok')
    expect(asked).toBe(1)
    server.stop(true)
    expect((await report(api.url)).report.status).toBe('Error')
  })
})

test('the other routes are {} and 404', async () => {
  await using api = await health()
  expect((await get(api.url, '/')).body.toString()).toBe('{}')
  for (const path of ['/health_check/', '/api/health_check', '/nowhere', '//'])
    expect((await get(api.url, path)).status).toBe(404)
  const posted = 'POST /health_check HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  expect(parseResponse(await exchange(api.url, posted)).status).toBe(404)
})

test('a request is counted as garbage, more for a longer target', async () => {
  await using api = await health()
  for (const path of ['/', '/health_check', '/nowhere']) {
    const before = api.garbage.counted
    await get(api.url, path)
    const short = api.garbage.counted - before
    await get(api.url, `${path}?${'a'.repeat(9_999)}`)
    expect(short).toBeGreaterThan(HTTP_REQUEST)
    expect(api.garbage.counted - before - 2 * short).toBe(10_000)
  }
})

describe('a UDP probe', () => {
  test('asks with transaction id 123', async () => {
    let request: Uint8Array | undefined
    using service = await udp((bytes) => {
      request = new Uint8Array(bytes)
      return connected(bytes)
    })
    expect(await probeUdp(service.address)).toEqual({ Ok: 'Connected' })
    expect(Buffer.from(request!).toString('hex')).toBe('0000041727101980000000000000007b')
  })

  test.each([
    ['an error', () => Uint8Array.of(0, 0, 0, 3, 0, 0, 0, 123, 0x6e, 0x6f)],
    ['another transaction', () => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 124, 1, 2, 3, 4, 5, 6, 7, 8)],
    ['garbage', () => Uint8Array.of(1)],
  ])('that is answered with %s did not connect', async (_what, answer) => {
    using service = await udp(answer)
    expect(await probeUdp(service.address)).toEqual({ Err: 'Did not Connect' })
  })

  test('of a closed port timed out', async () => {
    const gone = await udp(connected)
    gone[Symbol.dispose]()
    expect(await probeUdp(gone.address)).toEqual({ Err: 'Timed Out' })
  })

  test('of a silent service ends', async () => {
    const socket = await Bun.udpSocket({ hostname: '127.0.0.1', socket: { data() {} } })
    expect(await probeUdp({ ip: '127.0.0.1', port: socket.port })).toEqual({ Err: 'Timed Out' })
    socket.close()
  })

  test.each(['0.0.0.0', '::'])('of a service on %s goes to loopback', async (ip) => {
    using service = await udp(connected, ip)
    expect(await probeUdp(service.address)).toEqual({ Ok: 'Connected' })
  })
})

describe('an HTTP probe', () => {
  test.each([
    ['HTTP/1.1 204 No Content\r\n\r\n', { Ok: '204 No Content' }],
    ['HTTP/1.1 503 Service Unavailable\r\n\r\n', { Err: '503 Service Unavailable' }],
    ['HTTP/1.0 302 Found\r\n\r\n', { Err: '302 Found' }],
  ])('answered %p is judged by its status', async (answer, verdict) => {
    using service = tcp(answer)
    expect(await probeHttp('http', service.address, '/health_check')).toEqual(verdict)
  })

  test.each([
    ['hello\r\n'.repeat(200), 'not an HTTP answer'],
    ['', 'connection closed before message completed'],
  ])('answered with no HTTP is an error', async (answer, why) => {
    using service = tcp(answer)
    expect(await probeHttp('http', service.address, '/x')).toEqual({
      Err: `error sending request for url (http://127.0.0.1:${service.address.port}/x): ${why}`,
    })
  })

  test.each(['0.0.0.0', '::'])('of a tracker on %s goes to loopback', async (ip) => {
    await using tracker = await serve({ bind_address: { ip, port: 0 } })
    expect(await probeHttp('http', tracker.address, '/health_check')).toEqual({ Ok: '200 OK' })
  })

  test('of a port without TLS where TLS was promised is an error', async () => {
    await using tracker = await serve()
    const verdict = await probeHttp('https', tracker.address, '/health_check')
    expect(verdict).toEqual({
      Err: expect.stringContaining('error sending request for url (https://127.0.0.1:'),
    })
  })
})
