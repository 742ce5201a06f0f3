/** WebSocket listeners of a whole tracker: on the port of an HTTP tracker, in the health report, through a reload, at the end. */
import { expect, test } from 'bun:test'
import { certify } from '../support/certificate.ts'
import { freePort } from '../support/e2e/program.ts'
import { percent } from '../support/http-client.ts'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { announce, id, offers, Speaker, scrape } from '../support/webtorrent/speaker.ts'

const UNCHECKED = { tls: { rejectUnauthorized: false } }
const HEALTH = '[health_check_api]\nbind_address = "127.0.0.1:0"\n'
const web = (port = 0, more = '') =>
  `[[websocket_trackers]]\nbind_address = "127.0.0.1:${port}"\n${more}`
const http = (port = 0, more = '') =>
  `[[http_trackers]]\nbind_address = "127.0.0.1:${port}"\n${more}`

const urlOf = ({ ports }: TestTracker, path = '/announce') =>
  `ws://127.0.0.1:${ports.webSocket[0]}${path}`

async function announceOverHttp(url: string, hash: string, port: number): Promise<string> {
  const query = `info_hash=${percent(Buffer.from(id(hash)))}&peer_id=-TT0001-abcdefghijkl&port=${port}&left=0`
  const answer = await fetch(`${url}/announce?${query}`, {
    headers: { connection: 'close' },
    ...UNCHECKED,
  })
  return await answer.text()
}

/** The configuration of the tracker becomes this one. */
async function reload(tracker: TestTracker, rest: string, before: string) {
  tracker.toml = tracker.toml.replace(before, rest)
  return await tracker.reload('test')
}

for (const workers of [1, 2])
  test(`W64: one port and path for HTTP announces and WebSockets (${workers} threads)`, async () => {
    const port = await freePort()
    await using tracker = await startTracker({ workers, rest: http(port) + web(port) + HEALTH })
    expect([tracker.ports.http, tracker.ports.webSocket]).toEqual([[port], [port]])
    for (const path of ['/announce', '/', '/scrape', '/elsewhere']) {
      using peer = await Speaker.open(urlOf(tracker, path))
      expect(await peer.ask(announce(path, 'peer', { left: 1 }))).toMatchObject({ incomplete: 1 })
    }
    using peer = await Speaker.open(urlOf(tracker))
    await peer.ask(announce('one', 'peer', { left: 1 }))
    const answer = await announceOverHttp(`http://127.0.0.1:${port}`, 'one', 7001)
    expect(answer).toContain('8:completei1e')
    expect(answer).toContain('10:incompletei1e')
    expect(answer).toContain('5:peers0:')
    // No browser is offered what comes over HTTP.
    const again = await peer.ask(announce('one', 'peer', { left: 1, ...offers('a') }))
    expect(again).toMatchObject({ complete: 1, incomplete: 1 })
    expect(await peer.rest()).toEqual([])
    expect((await fetch(`http://127.0.0.1:${port}/elsewhere`)).status).toBe(404)
  })

test('W67: at the end sockets are told so, and a client reconnects to the next start', async () => {
  const port = await freePort()
  const settings = { workers: 2, rest: http(port) + web(port) + HEALTH }
  const first = await startTracker(settings)
  const speakers = await Promise.all(Array.from({ length: 8 }, () => Speaker.open(urlOf(first))))
  first.drain()
  const health = await fetch(`http://127.0.0.1:${first.healthPort}/health_check`)
  expect(health.status).toBe(503)
  const stopped = first[Symbol.asyncDispose]()
  for (const { closed } of speakers)
    expect(await closed).toEqual({ code: 1001, reason: 'Server closed' })
  await stopped
  await using second = await startTracker(settings)
  using again = await Speaker.open(urlOf(second))
  expect(await again.ask(announce('one', 'peer', { left: 1 }))).toMatchObject({ incomplete: 1 })
})

test('W68: the health report asks each WebSocket listener', async () => {
  const port = await freePort()
  await using tracker = await startTracker({
    workers: 1,
    rest: http(port) + web(port) + web() + HEALTH,
  })
  const report = await fetch(`http://127.0.0.1:${tracker.healthPort}/health_check`)
  const { status, details } = (await report.json()) as { status: string; details: object[] }
  expect(status).toBe('Ok')
  expect(details).toMatchObject([
    { service_type: 'http_tracker' },
    ...tracker.ports.webSocket.map((at) => ({
      service_type: 'websocket_tracker',
      service_binding: `ws://127.0.0.1:${at}/`,
      binding: `127.0.0.1:${at}`,
      result: { Ok: 'Answered' },
    })),
  ])
})

test('a reload opens, closes and moves WebSocket listeners, and changes their options', async () => {
  const port = await freePort()
  const before = web()
  await using tracker = await startTracker({ workers: 2, rest: before + HEALTH })
  using staying = await Speaker.open(urlOf(tracker))
  await staying.ask(announce('one', 'staying', { left: 1 }))

  const second = `${web(0, 'announce_interval = 60\n')}${http(port)}${web(port)}`
  const added = await reload(tracker, second, before)
  expect(added).toMatchObject({ mistakes: [], restart: [] })
  expect(await staying.ask(announce('one', 'staying', { left: 1 }))).toMatchObject({ interval: 60 })
  using hosted = await Speaker.open(`ws://127.0.0.1:${port}/announce`)
  expect(await hosted.ask(announce('one', 'hosted', { left: 1 }))).toMatchObject({ incomplete: 2 })

  // The HTTP listener goes: the WebSockets get a server of their own on the same port.
  const third = `${web(0, 'announce_interval = 60\n')}${web(port)}`
  expect(await reload(tracker, third, second)).toMatchObject({ mistakes: [], restart: [] })
  expect(await hosted.closed).toEqual({ code: 1001, reason: 'Server closed' })
  using moved = await Speaker.open(`ws://127.0.0.1:${port}/announce`)
  expect(await moved.ask(announce('one', 'moved', { left: 1 }))).toMatchObject({ incomplete: 2 })
  expect((await fetch(`http://127.0.0.1:${port}/scrape`)).status).toBe(404)

  expect(await reload(tracker, web(port), third)).toMatchObject({ mistakes: [], restart: [] })
  expect((await staying.closed).code).toBe(1001)
  expect(await moved.rest()).toEqual([])
})

test('WebSockets leave the port of an HTTP tracker, which goes on', async () => {
  const port = await freePort()
  const before = http(port) + web(port)
  await using tracker = await startTracker({ workers: 2, rest: before + HEALTH })
  using hosted = await Speaker.open(urlOf(tracker))
  const url = `http://127.0.0.1:${port}`
  const after = http(port) + web()
  expect(await reload(tracker, after, before)).toMatchObject({ mistakes: [], restart: [] })
  expect(await announceOverHttp(url, 'one', 7001)).toContain('8:completei1e')
  expect((await hosted.closed).code).toBe(1001)
  expect(await announceOverHttp(url, 'one', 7002)).toContain('8:completei2e')
  await until('no WebSocket is opened there', async () => {
    const opened = await Speaker.open(`ws://127.0.0.1:${port}/`).catch(() => undefined)
    opened?.close()
    return opened === undefined
  })
  // And they come back.
  expect(await reload(tracker, before, after)).toMatchObject({ mistakes: [], restart: [] })
  using back = await Speaker.open(urlOf(tracker))
  expect(await back.ask(announce('one', 'back', { left: 1 }))).toMatchObject({ complete: 2 })
})

test('a first WebSocket listener needs a restart', async () => {
  const before = http()
  await using tracker = await startTracker({ workers: 1, rest: before + HEALTH })
  const result = await reload(tracker, before + web(), before)
  expect(result.mistakes).toEqual([])
  expect(result.restart.join()).toContain('websocket_trackers')
  expect(tracker.ports.webSocket).toEqual([])
})

test('a certificate that is renewed is that of WebSockets on the same port, too', async () => {
  using directory = temporaryDirectory()
  const { cert, key } = await certify(directory.path, 'a', { days: 2 })
  const tls = `[http_trackers.tls_config]\nssl_cert_path = "${cert}"\nssl_key_path = "${key}"\n`
  const port = await freePort()
  await using tracker = await startTracker({
    workers: 2,
    rest: http(port, tls) + web(port) + HEALTH,
  })
  const url = `wss://127.0.0.1:${port}/announce`
  using before = await Speaker.open(url, UNCHECKED)
  await before.ask(announce('one', 'before', { left: 1 }))
  await certify(directory.path, 'a', { days: 9 })
  const result = await tracker.reload('test')
  expect(result).toMatchObject({
    mistakes: [],
    applied: [`another certificate for 127.0.0.1:${port}`],
  })
  using after = await Speaker.open(url, UNCHECKED)
  expect(await after.ask(announce('one', 'after', { left: 1 }))).toHaveProperty('interval')
  expect((await before.closed).code).toBe(1001)
  const counts = async () => (await after.ask(scrape('one'))).files[id('one')]
  await until('only one is left', async () => (await counts()).incomplete === 1)
  expect(await announceOverHttp(`https://127.0.0.1:${port}`, 'one', 7001)).toContain(
    '10:incompletei1e',
  )
})
