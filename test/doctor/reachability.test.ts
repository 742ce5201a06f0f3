/** What the doctor says about ports, public URLs, and what a running tracker says of itself (docs/behaviours.md T10). */
import { describe, expect, test } from 'bun:test'
import { ports, publicUrl } from '../../src/doctor/reachability.ts'
import { askTracker, health, requests } from '../../src/doctor/running-tracker.ts'
import { certify } from '../support/certificate.ts'
import { fakeHttpServer, respond } from '../support/client/fake-http.ts'
import { fakeUdpTracker } from '../support/client/fake-udp.ts'
import { configOf, findingsOn } from '../support/doctor/machines.ts'
import { freePort } from '../support/e2e/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const MILLISECONDS = 1_000
const TRACKER = 'd5:filesdee'

/** One finding. */
const said = (status: string, found: RegExp) => [status, expect.stringMatching(found)]

/** Status and text of the findings. The health API is asked as the command asks it. */
async function look(check: typeof ports, toml: string, milliseconds = MILLISECONDS) {
  const config = configOf(toml)
  const context = { milliseconds, tracker: () => askTracker(config, milliseconds) }
  const findings = await findingsOn([check], {}, { config: toml, context })
  return findings.map(({ status, found }) => [status, found])
}

const listen = (udp: number, http: number, health: number, api = '') => `
[[udp_trackers]]
bind_address = "127.0.0.1:${udp}"
[[http_trackers]]
bind_address = "127.0.0.1:${http}"
${api}
[health_check_api]
bind_address = "127.0.0.1:${health}"
`

const reportOf = (...services: string[]): string =>
  JSON.stringify({
    status: 'Ok',
    message: '',
    details: services.map((service_binding) => ({ service_binding, result: { Ok: 'Connected' } })),
  })

describe('ports', () => {
  test('that the system chooses cannot be checked', async () => {
    expect(await look(ports, listen(0, 0, 0))).toEqual([
      ['ok', 'every listener has port 0: the system chooses'],
    ])
  })

  test('in use are a problem, with a finding for each', async () => {
    using udp = await fakeUdpTracker('127.0.0.1', () => {})
    using http = await fakeHttpServer((_request, socket) => socket.end())
    const check = await freePort()
    expect(await look(ports, listen(udp.port, http.port, check))).toEqual([
      ['problem', `udp_trackers.0: port in use: udp 127.0.0.1:${udp.port}`],
      ['problem', `http_trackers.0: port in use: http 127.0.0.1:${http.port}`],
      ['ok', `free: http 127.0.0.1:${check}`],
    ])
  })

  test('of a WebSocket listener are looked at, once if HTTP has the same', async () => {
    const [shared, own] = [await freePort(), await freePort()]
    const websocket = (port: number) =>
      `[[websocket_trackers]]\nbind_address = "127.0.0.1:${port}"\n`
    const toml = listen(0, shared, 0, websocket(shared) + websocket(own))
    expect(await look(ports, toml)).toEqual([
      ['ok', `free: http 127.0.0.1:${shared}, ws 127.0.0.1:${own}`],
    ])
  })

  test('at an address of another machine cannot be opened', async () => {
    const toml =
      '[[udp_trackers]]\nbind_address = "192.0.2.1:6969"\n[health_check_api]\nbind_address = "127.0.0.1:0"'
    expect(await look(ports, toml)).toEqual([
      ['problem', 'udp_trackers.0: no such address on this machine: udp 192.0.2.1:6969'],
    ])
  })
})

describe('health', () => {
  const at = (port: number) => look(health, listen(1, 2, port))
  const SERVICES = ['udp://127.0.0.1:1', 'http://127.0.0.1:2/']
  const FULL = reportOf(...SERVICES).replace('{', '{"degraded":"memory is full",')
  const FAILED = JSON.stringify({
    status: 'Error',
    details: [{ service_binding: 'udp://127.0.0.1:1', result: { Err: 'Timed Out' } }],
  })

  test('is not looked at without a running tracker, or where only the log knows the port', async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/health_check`
    const found = `not looked at, because no tracker of this configuration runs: nothing answers at ${url}`
    expect(await at(port)).toEqual([['skipped', found]])
    expect(await look(health, listen(1, 2, 0))).toEqual([said('skipped', /has port 0/)])
  })

  test.each([
    ['ok', /^the tracker runs, and its 2 services answer$/, reportOf(...SERVICES)],
    ['problem', /is degraded: memory is full$/, FULL],
    ['problem', / udp:\/\/127\.0\.0\.1:1: Timed Out$/, FAILED],
    [
      'warning',
      / has none of the listeners .*, but udp:\/\/127\.0\.0\.1:3$/,
      reportOf('udp://127.0.0.1:3'),
    ],
    ['problem', /\/health_check: 200 OK, but no health report$/, 'hello'],
    ['problem', /\/health_check: 200 OK, but no health report$/, '{"status":[]}'],
  ])('is %s: %p', async (status, found, body) => {
    using server = await fakeHttpServer((_request, socket) => socket.write(respond(body)))
    expect(await at(server.port)).toEqual([said(status, found)])
  })

  test('takes any tracker for its own if the system chose all ports', async () => {
    using server = await fakeHttpServer((_request, socket) => {
      socket.write(respond(reportOf('udp://127.0.0.1:3')))
    })
    expect(await look(health, listen(0, 0, server.port))).toEqual([
      said('ok', /its 1 service answer/),
    ])
  })

  test('has a time limit', async () => {
    using server = await fakeHttpServer(() => {})
    expect(await look(health, listen(1, 2, server.port), 100)).toEqual([
      ['problem', `http://127.0.0.1:${server.port}/health_check: no answer within 0.1 s`],
    ])
  })
})

describe('requests', () => {
  const STATS = {
    ...{ torrents: 3, udp4_announces_handled: 1_000, udp6_scrapes_handled: 20 },
    ...{ tcp4_announces_handled: 4, tcp4_connections_handled: 5, udp_requests_aborted: 0 },
  }
  /** A tracker with an API that answers with `body`; `asked`: what it was asked. */
  async function withApi(body: string, { token = 's3cret', shown = true, status = '200 OK' } = {}) {
    using api = await fakeHttpServer((_request, socket) => socket.write(respond(body, status)))
    using report = await fakeHttpServer((_request, socket) => {
      const services = ['udp://127.0.0.1:1', ...(shown ? [`http://127.0.0.1:${api.port}`] : [])]
      socket.write(respond(reportOf(...services)))
    })
    const tokens = token === '' ? '' : `[http_api.access_tokens]\nadmin = "${token}"\n`
    const toml = `[http_api]\nbind_address = "127.0.0.1:${api.port}"\n${tokens}`
    const found = await look(requests, listen(1, 2, report.port, toml))
    expect(JSON.stringify(found)).not.toContain('s3cret')
    return { found, asked: api.requests.map((request) => request.split(' ')[1]) }
  }

  test('are counted by the running tracker', async () => {
    const { found, asked } = await withApi(JSON.stringify(STATS))
    const text = '1,024 announces and scrapes since it started, for 3 torrents'
    expect(found).toEqual([['ok', text]])
    expect(asked).toEqual(['/api/v1/stats?token=s3cret'])
  })

  test('that it refuses or drops unread are warnings', async () => {
    const lost = { udp_requests_aborted: 7, announces_refused_full: 1 }
    const { found } = await withApi(JSON.stringify({ ...STATS, ...lost }))
    expect(found).toEqual([
      said('warning', /^1 announce refused or not remembered since/),
      said('warning', /^7 datagrams dropped unread since/),
    ])
  })

  test('that it does not tell are not known', async () => {
    const refused = await withApi('token not valid', { status: '500 Internal Server Error' })
    expect(refused.found).toEqual([said('warning', /with HTTP status 500$/)])
    for (const body of ['<html>', 'null']) {
      const { found } = await withApi(body)
      expect(found).toEqual([said('skipped', /does not answer with figures/)])
    }
  })

  test('are asked for only with a token, and only where the tracker has its API', async () => {
    expect((await withApi('', { token: '' })).asked).toEqual([])
    const { found, asked } = await withApi('', { shown: false })
    expect([found, asked]).toEqual([[said('skipped', /no running tracker is known to have/)], []])
    expect(await look(requests, listen(1, 2, 3))).toEqual([
      said('skipped', /has no http_api with a token/),
    ])
  })
})

describe('public-url', () => {
  const udp = (url: string, health = 0) => `[[udp_trackers]]
bind_address = "127.0.0.1:16969"
public_url = "${url}"
[health_check_api]
bind_address = "127.0.0.1:${health}"`
  const http = (url: string) => udp(url).replace('udp_trackers', 'http_trackers')

  test('is skipped if none is configured', async () => {
    expect(await look(publicUrl, '[[udp_trackers]]')).toMatchObject([
      ['skipped', expect.any(String)],
    ])
  })

  test.each([
    ['ok', / over IPv4 \(127\.0\.0\.1\) answers$/, respond(TRACKER)],
    // A refusal comes from a tracker.
    ['ok', / answers$/, respond('d14:failure reason2:noe')],
    ['problem', /: HTTP status 404 Not Found$/, respond('<html>', '404 Not Found')],
  ])('of HTTP is scraped for a random torrent: %s%p', async (status, found, answer) => {
    using tracker = await fakeHttpServer((_request, socket) => socket.write(answer))
    const url = http(`http://127.0.0.1:${tracker.port}/announce`)
    expect(await look(publicUrl, url)).toEqual([said(status, found)])
    expect(tracker.requests.join()).toMatch(/^GET \/scrape\?info_hash=\S+ HTTP\/1\.1\r\n/)
  })

  test('with a certificate that is not trusted is a problem', async () => {
    using here = temporaryDirectory({})
    const { cert, key } = await certify(here.path, 'tracker', { host: '127.0.0.1' })
    const tls = { cert: await Bun.file(cert).text(), key: await Bun.file(key).text() }
    using tracker = await fakeHttpServer((_request, socket) => socket.write(respond(TRACKER)), {
      tls,
    })
    expect(await look(publicUrl, http(`https://127.0.0.1:${tracker.port}/announce`))).toEqual([
      ['problem', expect.stringMatching(/self.signed/i)],
    ])
  })

  test('with an unknown host is a problem', async () => {
    const [found, ...more] = await look(publicUrl, udp('udp://nobody.invalid:6969/announce'))
    expect(more).toEqual([])
    expect(found).toEqual(['problem', expect.stringMatching(/nobody\.invalid/)])
  })

  test('that is silent is a warning while a tracker runs, for it may be a matter of the router', async () => {
    using silent = await fakeUdpTracker('127.0.0.1', () => {})
    const url = `udp://127.0.0.1:${silent.port}/announce`
    expect(await look(publicUrl, udp(url), 200)).toEqual([
      ['skipped', expect.stringContaining('no tracker of this configuration runs here')],
    ])
    using report = await fakeHttpServer((_request, socket) => {
      socket.write(respond(reportOf('udp://127.0.0.1:16969')))
    })
    expect(await look(publicUrl, udp(url, report.port), 200)).toEqual([
      said('warning', /: no answer within 0\.2 s$/),
    ])
  })
})
