/** `tracker check` and `tracker health` of the compiled program, against a whole tracker. */

import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { udpTracker } from '../support/check/targets.ts'
import { workspace } from '../support/cli/workspace.ts'
import { fakeHttpServer } from '../support/client/fake-http.ts'
import { actionOf } from '../support/client/fake-udp.ts'
import { configuration, listeners } from '../support/configuration.ts'
import { OPPONENTS } from '../support/e2e/opponents.ts'
import { compiled, freePort, launch } from '../support/e2e/program.ts'
import { runTracker } from '../support/e2e/tracker-process.ts'
import { hashOf, udpPeer } from '../support/udp-client.ts'
import { PATIENCE_MILLISECONDS, until } from '../support/until.ts'

const binary = compiled()

type Settings = Parameters<typeof launch>[1]

async function tracker(words: readonly string[], settings: Settings = {}, program = binary) {
  await using run = await launch(program, { words, ...settings })
  return await run.ended()
}
const check = (words: readonly string[], settings?: Settings, program?: typeof binary) =>
  tracker(['check', ...words], settings, program)

/** Kind and verdict of each result, in order. */
const verdicts = (out: string): string[] =>
  (JSON.parse(out) as object[]).map((element) => {
    const [[kind, report]] = Object.entries(element) as [[string, object]]
    return `${kind} ${Object.keys(report)[0]}`
  })

test('the services found in a log are a configuration of the check, from any source', async () => {
  await using run = await launch(binary, { toml: configuration() })
  const services = await run.services()
  const json = JSON.stringify(services)
  writeFileSync(join(run.cwd, 'checker.json'), json)
  const directory = run.cwd
  const well = ['Udp Ok', 'Http Ok', 'Health Ok']
  for (const [words, env] of [
    [[], { TORRUST_CHECKER_CONFIG: json }],
    [[], { TORRUST_CHECKER_CONFIG_PATH: 'checker.json', TORRUST_CHECKER_CONFIG: '{' }],
    [['--config-path', 'checker.json'], { TORRUST_CHECKER_CONFIG_PATH: 'none' }],
    [['-c', 'checker.json'], {}],
    [[json], {}],
    [[...services.udp_trackers, ...services.http_trackers, ...services.health_checks], {}],
  ] as const) {
    const { code, out, err } = await check(words, { directory, env })
    expect([code, verdicts(out), err]).toEqual([0, well, ''])
    // On one line, for pipes.
    expect(out).toMatch(/^[^\n]+\n$/)
  }
})

test('one tracker that is down makes it fail, and the others are still reported', async () => {
  await using run = await launch(binary, { toml: configuration() })
  const { udp_trackers, http_trackers } = await run.services()
  const dead = `127.0.0.1:${await freePort()}`
  const words = [`udp://${dead}`, `http://${dead}`, ...udp_trackers, ...http_trackers]
  const { code, out, err } = await check([...words, '--health', `http://${dead}/`])
  expect(code).toBe(1)
  expect(verdicts(out)).toEqual(['Udp Err', 'Http Err', 'Udp Ok', 'Http Ok', 'Health Err'])
  const why = 'nothing listens there (connection refused)'
  expect(err).toBe(
    [
      `tracker check: udp://${dead} (${dead}): Connect: ${why}`,
      `tracker check: http://${dead}/ (${dead}): Announce: ${why}; Scrape: ${why}`,
      `tracker check: http://${dead}/ (${dead}): ${why}`,
      '',
    ].join('\n'),
  )
  const text = await check([...words, '--format', 'text'])
  expect(text.err).toBe('')
  expect(text.out.replaceAll(/ +/g, ' ').replaceAll(/[\d.]+ ms/g, '1 ms')).toBe(
    `FAILED udp://${dead} ${dead} - Connect: ${why}
FAILED http://${dead}/ ${dead} - Announce: ${why}; Scrape: ${why}
ok udp://${udp_trackers[0]} ${udp_trackers[0]} 1 ms
ok ${http_trackers[0]}/ ${http_trackers[0]!.slice('http://'.length)} 1 ms
4 checks, 2 failed
`,
  )
})

test('all mistakes of a configuration are reported, and nothing is checked', async () => {
  using here = workspace({
    'bad.json': '{"udp_trackers": ["a:1", "b"], "http_trackers": ["c"], "health_check": []}',
  })
  const directory = here.path
  expect(await check(['-c', 'bad.json'], { directory })).toEqual({
    code: 2,
    out: '',
    err: `tracker check: bad.json: udp_trackers[1]: b: the port is missing
tracker check: bad.json: http_trackers[0]: c: expected http:// or https://
tracker check: bad.json: health_checks: missing; an empty list is "health_checks": []
`,
  })
  expect(await check(['bad.json'], { directory })).toMatchObject({
    code: 2,
    err: 'tracker check: bad.json: the port is missing, did you mean --config-path bad.json?\n',
  })
})

test.each([
  [[], 'needs something to check: a URL, --config-path or TORRUST_CHECKER_CONFIG_PATH'],
  [['a:1', '-4', '-6'], '--ipv4 and --ipv6 exclude each other'],
  [['a:1', '--interval', '5'], '--interval needs --watch'],
  [['{}', '{}'], 'the JSON argument is given twice'],
  [['a:1', '--timeout', 'soon'], '--timeout must be from 0.01 to 3600 seconds, not soon'],
  [
    ['a:1', '--info-hash', 'a'.repeat(39)],
    `--info-hash: info hash ${'a'.repeat(39)} has 39 digits instead of 40`,
  ],
])('wrong usage: %p', async (words, message) => {
  expect(await check(words)).toEqual({
    code: 2,
    out: '',
    err: `tracker check: ${message}. See tracker check --help\n`,
  })
})

test('an argument that is not read is named', async () => {
  const json = '{"udp_trackers": [], "http_trackers": [], "health_checks": []}'
  using here = workspace({ 'none.json': json })
  expect(await check(['-c', 'none.json', json], { directory: here.path })).toEqual({
    code: 2,
    out: '',
    err:
      'tracker check: the JSON argument is ignored: none.json is read instead\n' +
      'tracker check: the configuration has nothing to check\n',
  })
})

test('a private tracker passes with a key, and refuses without', async () => {
  await using run = await runTracker(binary, { mode: 'private' })
  const key = await run.addKey(null)
  const udp = `udp://127.0.0.1:${run.udp[0]}`
  const [http] = run.http
  const { code, out } = await check([
    udp,
    `${http}/announce`,
    `${udp}/announce/${key}`,
    `${http}/announce/${key}`,
  ])
  expect([code, verdicts(out)]).toEqual([1, ['Udp Err', 'Http Err', 'Udp Ok', 'Http Ok']])
  expect(out).toContain('{"Err":"refused by the tracker: Tracker authentication error: Missing ')
  await run.stop()
})

test('a listed torrent is checked by its hash, and its swarm is left empty', async () => {
  await using run = await runTracker(binary, { mode: 'listed' })
  const hash = Buffer.from(hashOf(9)).toString('hex')
  await run.call('POST', `whitelist/${hash}`)
  const urls = [`127.0.0.1:${run.udp[0]}`, run.http[0]!]
  expect((await check(urls)).code).toBe(1)
  const magnet = `magnet:?xt=urn:btih:${hash}`
  const { code, err } = await check([...urls, '--info-hash', magnet])
  expect([code, err]).toEqual([0, ''])
  const stats = await run.stats()
  expect([stats.seeders, stats.leechers, stats.completed]).toEqual([0, 0, 0])
  expect(stats.udp4_announces_handled).not.toBe(0)
  await run.stop()
})

describe.each(OPPONENTS)('$name', ({ available, hasWebSocket, start }) => {
  test.skipIf(!available)(
    'passes over both transports, and its swarms are left as they were',
    async () => {
      const infoHash = hashOf(0xa7)
      const hash = Buffer.from(infoHash).toString('hex')
      await using other = await start([infoHash])
      const { code, out, err } = await check([other.udp, other.http, '--info-hash', hash])
      expect([code, verdicts(out), err]).toEqual([0, ['Udp Ok', 'Http Ok'], ''])
      using peer = await udpPeer(Number(new URL(other.udp).port))
      expect(await peer.scrape(infoHash)).toEqual({ seeders: 0, leechers: 0, downloaded: 0 })
    },
  )

  test.skipIf(!available || !hasWebSocket)('passes over a WebSocket, too', async () => {
    await using other = await start([])
    const infoHash = hashOf(0xa9)
    const hash = Buffer.from(infoHash).toString('hex')
    const once = await check([other.websocket, '--info-hash', hash])
    expect([once.code, verdicts(once.out), once.err]).toEqual([0, ['WebSocket Ok'], ''])
    const times = ['--watch', '--interval=0.1', '--duration=0.3']
    const watched = await check([...times, other.websocket, '--info-hash', hash])
    expect(watched.code).toBe(0)
    expect(JSON.parse(watched.out)).toMatchObject({
      websocket_trackers: [{ url: other.websocket, status: { code: 'ok' } }],
    })
    using peer = await udpPeer(Number(new URL(other.udp).port))
    expect(await peer.scrape(infoHash)).toEqual({ seeders: 0, leechers: 0, downloaded: 0 })
  })

  test.skipIf(!available)('can be watched', async () => {
    await using other = await start([])
    const hash = Buffer.from(hashOf(0xa8)).toString('hex')
    const times = ['--watch', '--interval=0.1', '--duration=0.3']
    const { code, out } = await check([...times, '--info-hash', hash, other.udp, other.http])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      udp_trackers: [{ url: other.udp, status: { code: 'ok', stats: { loss_percent: 0 } } }],
      http_trackers: [{ url: other.http, status: { code: 'ok', stats: { loss_percent: 0 } } }],
    })
  })
})

describe('both address families', () => {
  /** Runs in a mount namespace in which localhost has both addresses. */
  const bothLocal =
    (hosts: string): typeof binary =>
    () => {
      const script = '/bin/mount --bind "$0" /etc/hosts && exec "$@"'
      return ['/usr/bin/unshare', '-m', '/bin/sh', '-c', script, hosts, ...binary()]
    }
  const canMount = (() => {
    try {
      return Bun.spawnSync(['/usr/bin/unshare', '-m', '/bin/mount', '--bind', '/', '/mnt']).success
    } catch {
      return false
    }
  })()

  test('an IPv6 address', async () => {
    const rest = listeners().replaceAll('127.0.0.1', '[::1]')
    await using run = await launch(binary, { toml: configuration({ rest }) })
    await run.services()
    const [, port] = await run.says(/UDP TRACKER: Started on: udp:\/\/\[::1\]:(\d+)/)
    const [, http] = await run.says(/HTTP TRACKER: Started on: (http\S+)/)
    const [, health] = await run.says(/HEALTH CHECK API: Started on: (http\S+)/)
    const { code, out } = await check([`[::1]:${port}`, http!, `${health}/health_check`])
    expect([code, verdicts(out)]).toEqual([0, ['Udp Ok', 'Http Ok', 'Health Ok']])
    expect(out).toContain(`"remote_addr":"[::1]:${port}"`)
  })

  test.skipIf(!canMount)(
    'a name with both addresses is checked at both, or at one if asked',
    async () => {
      using here = workspace({ hosts: '127.0.0.1 localhost\n::1 localhost\n' })
      const program = bothLocal(join(here.path, 'hosts'))
      await using run = await launch(binary, { toml: configuration() })
      const { udp_trackers, health_checks } = await run.services()
      const port = udp_trackers[0]!.split(':')[1]!
      const url = `localhost:${port}`
      const both = await check([url, '--format', 'text'], {}, program)
      expect(both.code).toBe(1)
      expect(both.out).toMatch(new RegExp(`^ok .* 127\\.0\\.0\\.1:${port} `, 'm'))
      expect(both.out).toMatch(
        new RegExp(`^FAILED .* \\[::1\\]:${port} .* Connect: nothing listens`, 'm'),
      )
      expect((await check([url, '-4'], {}, program)).code).toBe(0)
      expect((await check([url, '--ipv6'], {}, program)).code).toBe(1)
      // The health check tries both addresses.
      const health = health_checks[0]!.replace('127.0.0.1', 'localhost')
      expect(await check([health], {}, program)).toMatchObject({ code: 0, err: '' })
      expect(await tracker(['health', health], {}, program)).toMatchObject({ code: 0, err: '' })
      const words = ['--watch', '--interval=0.1', '--duration=0.1', url]
      const watched = await check(words, {}, program)
      expect(watched.code).toBe(1)
      const { udp_trackers: series } = JSON.parse(watched.out)
      expect(series.map((one: { remote_addr: string }) => one.remote_addr).sort()).toEqual([
        `127.0.0.1:${port}`,
        `[::1]:${port}`,
      ])
    },
  )

  test.skipIf(!canMount)(
    'a silent address of a name leaves time for the next address',
    async () => {
      using here = workspace({ hosts: '127.0.0.1 localhost\n::1 localhost\n' })
      using silent = await fakeHttpServer(() => {}, { hostname: '::1' })
      const rest = listeners(0, 0, silent.port)
      await using run = await launch(binary, { toml: configuration({ rest }) })
      await run.services()
      const words = ['health', `http://localhost:${silent.port}`, '--timeout=2']
      const { code, err } = await tracker(words, {}, bothLocal(join(here.path, 'hosts')))
      expect([code, err]).toEqual([0, ''])
      expect(silent.requests).toHaveLength(1)
    },
  )
})

describe('--watch', () => {
  test('reports each probe, and the statistics at the end', async () => {
    await using run = await launch(binary, { toml: configuration() })
    const services = await run.services()
    const words = ['--watch', '--interval', '0.2', '--duration', '0.5', JSON.stringify(services)]
    const { code, out, err } = await check(words)
    expect(code).toBe(0)
    const report = JSON.parse(out)
    for (const list of ['udp_trackers', 'http_trackers', 'health_checks']) {
      const [{ url, status }] = report[list]
      expect(status).toMatchObject({ code: 'ok', message: 'monitor completed' })
      const probes = err
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
        .filter((probe) => probe.url === url)
      expect(probes).toHaveLength(status.stats.total)
      expect(probes[0]).toEqual({
        event: 'probe',
        sequence: 1,
        url,
        remote_addr: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        status: 'ok',
        elapsed_ms: expect.any(Number),
      })
    }
  })

  test('Ctrl-C ends it with the statistics so far', async () => {
    using lossy = await udpTracker((request) => actionOf(request) !== 0)
    const words = ['check', '--watch', '--interval', '0.05', `127.0.0.1:${lossy.port}`]
    await using run = await launch(binary, { words })
    await until('three probes', () => run.text.err.split('\n').length > 3)
    const { code, out, err } = await run.stop('SIGINT')
    expect(code).toBe(0)
    const [{ status }] = JSON.parse(out).udp_trackers
    expect(status.message).toBe('monitor interrupted')
    expect(status.stats.total).toBe(err.trimEnd().split('\n').length)
  })

  test('one probe that failed makes it fail', async () => {
    let asked = 0
    using lossy = await udpTracker(() => asked++ === 1)
    const target = `127.0.0.1:${lossy.port}`
    const words = ['check', '--watch', '--format=text', '--interval=0.05', '--timeout=0.3', target]
    await using run = await launch(binary, { words })
    await until('three probes', () => run.text.err.split('\n').length > 3)
    const { code, out, err } = await run.stop('SIGTERM')
    expect(code).toBe(1)
    expect(err).toMatch(/ #2: timeout, \d+ ms: no answer within 0\.3 s\n/)
    expect(out).toMatch(/^target +address +probes +loss +last +min +average +p50 +p90 +p99 +max\n/)
    expect(out.split('\n')[1]).toStartWith(`udp://${target}`)
    expect(out).toContain('no answer within 0.3 s')
  })

  test('ends when its output has no reader', async () => {
    using well = await udpTracker()
    const script = '"$0" check --watch --interval 0.05 "$1" 2>&1 | read -r line; echo "$PIPESTATUS"'
    const child = Bun.spawn(['bash', '-c', script, ...binary(), `127.0.0.1:${well.port}`], {
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: PATIENCE_MILLISECONDS,
    })
    expect(await new Response(child.stdout).text()).toBe('0\n')
    expect(await new Response(child.stderr).text()).toBe('')
  })
})
