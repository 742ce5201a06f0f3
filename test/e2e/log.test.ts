/** What a running tracker prints, read the way the reference's own tools read it. */

import { describe, expect, test } from 'bun:test'
import { configuration, listeners } from '../support/configuration.ts'
import { parseLog } from '../support/e2e/log-parser.ts'
import { compiled, freePort, launch } from '../support/e2e/program.ts'
import { announcePacket, udpSocket } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const binary = compiled()

const ESCAPE = '\x1b['
const started = (target: string, url: string): string =>
  `2024-10-17T16:07:39.989540Z  INFO ${target}: Started on: ${url}`
const painted = (target: string, url: string): string =>
  `\x1b[2m2024-10-17T16:07:39.989540Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2m${target}\x1b[0m\x1b[2m:\x1b[0m Started on: ${url}`

describe("the reference's parser", () => {
  const SAMPLE: [string, string][] = [
    ['UDP TRACKER', 'udp://0.0.0.0:6969'],
    ['UDP TRACKER', 'udp://127.0.0.1:6868'],
    ['HTTP TRACKER', 'http://0.0.0.0:7070'],
    ['WEBSOCKET TRACKER', 'ws://0.0.0.0:8000'],
    ['API', 'http://0.0.0.0:1212'],
    ['HEALTH CHECK API', 'http://127.0.0.1:1313'],
  ]
  test.each([
    ['plain', started],
    ['painted', painted],
  ])('O5: reads %s lines', (_name, line) => {
    expect(parseLog(SAMPLE.map(([target, url]) => line(target, url)).join('\n'))).toEqual({
      udp_trackers: ['127.0.0.1:6969', '127.0.0.1:6868'],
      http_trackers: ['http://127.0.0.1:7070'],
      websocket_trackers: ['ws://127.0.0.1:8000'],
      health_checks: ['http://127.0.0.1:1313/health_check'],
    })
  })
})

const REST = `
[[udp_trackers]]
bind_address = "0.0.0.0:0"
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[[http_trackers]]
bind_address = "0.0.0.0:0"
[health_check_api]
bind_address = "127.0.0.1:0"
`

describe.each([
  ['a pipe', false],
  ['a terminal', true],
])('the log of a tracker that writes to %s', (_name, terminal) => {
  test('O5: names its services, in the order of the configuration', async () => {
    await using run = await launch(binary, { toml: configuration({ rest: REST }), terminal })
    const { udp_trackers, http_trackers, health_checks } = await run.services()
    expect(udp_trackers).toHaveLength(2)
    expect(http_trackers).toHaveLength(1)
    for (const url of [`${http_trackers[0]}/health_check`, health_checks[0]!])
      expect((await fetch(url)).status).toBe(200)
    const report = await (await fetch(health_checks[0]!)).json()
    expect(
      (report as { details: { binding: string }[] }).details.map(({ binding }) =>
        binding.replace('0.0.0.0', '127.0.0.1'),
      ),
    ).toEqual([...udp_trackers, http_trackers[0]!.slice('http://'.length)])
    const { out } = await run.stop()
    expect(out.includes(ESCAPE)).toBe(terminal)
    expect(out).not.toMatch(/ panicked at |RUST_BACKTRACE=1/)
    expect(out.replaceAll('\r', '')).toContain('Tracker successfully shutdown.\n')
  })
})

test('O4: a terminal with NO_COLOR gets no colours', async () => {
  await using run = await launch(binary, {
    toml: configuration(),
    terminal: true,
    env: { NO_COLOR: '1' },
  })
  expect((await run.services()).udp_trackers).toHaveLength(1)
  expect((await run.stop()).out).not.toContain(ESCAPE)
})

test('O4: every line of the json style is an object, from all threads', async () => {
  const toml = configuration({ filter: 'trace"\ntrace_style = "json' })
  await using run = await launch(binary, { toml })
  await run.says(/HEALTH CHECK API/)
  const { out } = await run.stop()
  const events = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string; target: string })
  expect(new Set(events.map(({ target }) => target))).toEqual(
    new Set(['TRACKER', 'CONFIGURATION', 'UDP TRACKER', 'HTTP TRACKER', 'HEALTH CHECK API']),
  )
})

test('nothing is logged when the log is off', async () => {
  const health = await freePort()
  const toml = configuration({ filter: 'off', rest: listeners(0, 0, health) })
  await using run = await launch(binary, { toml })
  await until('it to serve', () =>
    fetch(`http://127.0.0.1:${health}/health_check`).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  expect(await run.stop()).toEqual({ code: 0, out: '', err: '' })
})

test('wrong connection ids are not logged, nor the addresses suppressed for them', async () => {
  await using run = await launch(binary, { toml: configuration() })
  const { udp_trackers } = await run.services()
  await run.says(/signal handlers installed/)
  const before = run.text.out
  using client = await udpSocket(Number(udp_trackers[0]!.split(':')[1]))
  // The tracker never gave out this connection id; the default limit is ten of them.
  for (let i = 0; i < 20; i++) client.send(announcePacket(0n))
  expect(Buffer.from(await client.receive(60_000)).toString('latin1')).toContain(
    'Connection cookie error',
  )
  const { out, err } = await run.stop()
  expect(err).toBe('')
  expect(out.slice(before.length)).not.toMatch(/UDP TRACKER|cookie|connection id|\bban/i)
})

test('O4: requests are not logged', async () => {
  await using run = await launch(binary, { toml: configuration() })
  const { http_trackers } = await run.services()
  // The last line of a start, behind that of the health API; scripts wait for both.
  await run.says(
    /HEALTH CHECK API: Started on: .*\n.* INFO .*Tracker shutdown signal handlers installed\.\n/,
  )
  const before = run.text.out
  for (const path of ['/announce?info_hash=%', '/scrape', '/%f2%s%d', '/health_check'])
    await fetch(`${http_trackers[0]}${path}`)
  const { out, err } = await run.stop()
  expect(err).toBe('')
  expect(out.slice(before.length).split('\n')).toEqual([
    expect.stringContaining('Tracker shutting down (SIGTERM) ...'),
    expect.stringContaining('Tracker successfully shutdown.'),
    '',
  ])
})

const API_TOKEN = 'correct-horse-battery-staple'
const WITH_API = `${listeners()}
[http_api]
bind_address = "127.0.0.1:0"
access_tokens = { admin = "${API_TOKEN}" }
`

test('A36, A37: a stream shows the lines of all threads, and a stop does not wait for it', async () => {
  const toml = configuration({
    filter: 'debug"\ntrace_style = "json',
    core: '[core.database]\ndriver = "sqlite3"\npath = "./tracker.db"\n',
    rest: WITH_API,
  })
  await using run = await launch(binary, { toml })
  const [, api] = await run.says(/"message":"Started on: [^"]*","url":"([^"]+)"},"target":"API"/)
  const [, udp] = await run.says(/"url":"udp:\/\/127\.0\.0\.1:(\d+)"/)
  await run.says(/signal handlers installed/)
  const headers = { authorization: `Bearer ${API_TOKEN}` }
  const url = `${api}/api/v1`
  const stream = await fetch(`${url}/log?follow=true`, { headers })
  let text = ''
  const read = (async () => {
    for await (const part of stream.body!) text += Buffer.from(part).toString()
  })()
  const hash = '3b'.repeat(20)
  expect((await fetch(`${url}/whitelist/${hash}`, { method: 'POST', headers })).status).toBe(200)
  using client = await udpSocket(Number(udp))
  await client.ask(announcePacket(0n))
  await until('both lines', () => text.includes('announce_unproven') && text.includes('AUDIT'))
  const { code } = await run.stop()
  await read
  expect(code).toBe(0)
  const events = text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)))
  expect(events.find(({ target }) => target === 'AUDIT')).toMatchObject({
    level: 'INFO',
    fields: { action: 'addToWhitelist', what: hash, token: 'admin', from: '127.0.0.1' },
  })
  expect(events.find(({ fields }) => fields.outcome === 'announce_unproven')).toMatchObject({
    level: 'DEBUG',
    target: 'UDP TRACKER',
    fields: { kind: 'announce', client: '127.0.0.1', thread: expect.any(Number) },
  })
  expect(events.some(({ fields }) => fields.signal === 'SIGTERM')).toBe(true)
  expect(run.text.out + text).not.toContain(API_TOKEN)
})

test('O4: a flood of refusals at debug has few lines, and they say how many are missing', async () => {
  const toml = configuration({ workers: 1, filter: 'debug', rest: listeners() })
  await using run = await launch(binary, { toml })
  const { udp_trackers } = await run.services()
  await run.says(/signal handlers installed/)
  using client = await udpSocket(Number(udp_trackers[0]!.split(':')[1]))
  const began = performance.now()
  const most = () => 10 * (2 + Math.floor((performance.now() - began) / 1000))
  const lines = () => run.text.out.match(/outcome=malformed/g)?.length ?? 0
  await until('a line that counts', () => {
    for (let i = 0; i < 100; i++) client.send(new Uint8Array(3))
    return /outcome=malformed client=127\.0\.0\.1 suppressed=\d+\n/.test(run.text.out)
  })
  expect(lines()).toBeLessThanOrEqual(most())
})
