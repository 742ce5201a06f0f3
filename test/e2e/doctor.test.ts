/** `tracker doctor` of the compiled program, on this machine, with and without a running tracker. */

import { describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding, Status } from '../../src/doctor/finding.ts'
import { configuration, listeners } from '../support/configuration.ts'
import { OPPONENTS } from '../support/e2e/opponents.ts'
import { compiled, freePort, launch } from '../support/e2e/program.ts'
import { runTracker } from '../support/e2e/tracker-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const binary = compiled()

/** An empty directory that every user may enter, gone when the scope ends. */
function openDirectory() {
  const directory = temporaryDirectory()
  chmodSync(directory.path, 0o755)
  return directory
}

/** `program`: words in front of the binary. */
async function doctor(
  toml: string,
  { words = [] as string[], directory = '', program = [] as string[] } = {},
) {
  await using run = await launch(() => [...program, ...binary()], {
    words: ['doctor', ...words],
    toml,
    ...(directory !== '' && { directory }),
  })
  const { code, out, err } = await run.ended()
  return { code, out, err, left: readdirSync(run.cwd) }
}

/** The document; the exit code must agree with it. */
async function examine(...args: Parameters<typeof doctor>) {
  const { code, out, err, left } = await doctor(...args)
  expect(err).toBe('')
  // On one line, for pipes.
  expect(out).toMatch(/^[^\n]+\n$/)
  const { findings, summary } = JSON.parse(out) as {
    findings: Finding[]
    summary: Record<string, number>
  }
  const times = (status: Status) => findings.filter((one) => one.status === status).length
  expect(summary).toEqual({
    ok: times('ok'),
    warnings: times('warning'),
    problems: times('problem'),
    skipped: times('skipped'),
  })
  expect(code).toBe(times('problem') > 0 ? 1 : 0)
  return {
    code,
    findings,
    checks: [...new Set(findings.map(({ check }) => check))].sort(),
    left,
    of: (check: string) =>
      findings.filter((one) => one.check === check).map(({ status, found }) => [status, found]),
  }
}

const ALL = [
  ...['certificates', 'clock', 'conntrack', 'database', 'files', 'health', 'memory'],
  ...['ports', 'public-url', 'receive-buffer', 'receive-drops', 'requests'],
]

/** Listeners on free ports that are known beforehand. */
async function fixedPorts() {
  const [udp, http, health] = [await freePort(), await freePort(), await freePort()]
  const api = await freePort()
  const rest = `${listeners(udp, http, health)}
[http_api]
bind_address = "127.0.0.1:${api}"
[http_api.access_tokens]
admin = "a token"
`
    .replace(`:${udp}"`, `:${udp}"\npublic_url = "udp://127.0.0.1:${udp}/announce"`)
    .replace(`:${http}"`, `:${http}"\npublic_url = "http://127.0.0.1:${http}/announce"`)
  return { udp, http, health, api, toml: configuration({ core: DATABASE, rest }) }
}
const DATABASE = '[core.database]\npath = "tracker.db"\n'

test('runs every check, with the tracker up and down, and leaves nothing behind', async () => {
  const { udp, http, health, api, toml } = await fixedPorts()
  using room = openDirectory()
  const before = await examine(toml, { directory: room.path })
  expect(before.checks).toEqual(ALL)
  expect(before.of('health')).toEqual([['skipped', expect.stringContaining('nothing answers at')]])
  const free = `free: udp 127.0.0.1:${udp}, http 127.0.0.1:${http}, http 127.0.0.1:${api}, http 127.0.0.1:${health}`
  expect(before.of('ports')).toEqual([['ok', free]])
  expect(before.of('public-url').map(([status]) => status)).toEqual(['skipped', 'skipped'])
  expect(before.of('database')).toEqual([['ok', expect.stringContaining('will be created')]])
  expect(before.left).toEqual([])

  await using tracker = await launch(binary, { toml, directory: room.path })
  await tracker.services()
  const running = await examine(toml, { directory: room.path })
  expect(running.of('health')).toEqual([['ok', 'the tracker runs, and its 4 services answer']])
  const figures = '0 announces and scrapes since it started, for 0 torrents'
  expect(running.of('requests')).toEqual([['ok', figures]])
  expect(running.of('ports')).toEqual([
    ['ok', `the running tracker has ${free.replace('free: ', '')}`],
  ])
  expect(running.of('public-url')).toEqual([
    ['ok', expect.stringMatching(/^udp:.* answers$/)],
    ['ok', expect.stringMatching(/^http:.* answers$/)],
  ])
  expect(running.of('database')).toEqual([['ok', expect.stringContaining('can be written')]])
  if (process.platform === 'linux')
    expect(running.of('receive-drops')[0]![1]).toStartWith('0 datagrams lost since the ')
  expect((await tracker.stop()).code).toBe(0)
})

test('leaves no peer at a public_url', async () => {
  await using tracker = await runTracker(binary)
  const rest = `${listeners(1, 2, 3)}`
    .replace('127.0.0.1:1"', `127.0.0.1:1"\npublic_url = "udp://127.0.0.1:${tracker.udp[0]}"`)
    .replace('127.0.0.1:2"', `127.0.0.1:2"\npublic_url = "${tracker.http[0]}/announce"`)
  const { of } = await examine(configuration({ rest }))
  expect(of('public-url').map(([status]) => status)).toEqual(['ok', 'ok'])
  expect(await tracker.stats()).toMatchObject({
    torrents: 0,
    tcp4_scrapes_handled: 1,
    udp4_connections_handled: 1,
    udp4_scrapes_handled: 1,
    udp4_requests: 2,
  })
})

describe('a public_url', () => {
  for (const { name, available, hasWebSocket, start } of OPPONENTS)
    test.skipIf(!available)(`of ${name} is checked`, async () => {
      await using opponent = await start()
      const rest = listeners(0, 0, 0)
        .replace(':0"', `:0"\npublic_url = "${opponent.udp}/announce"`)
        .replace(/(http_trackers\]\]\n.*)/, `$1\npublic_url = "${opponent.http}"`)
      const web = `[[websocket_trackers]]\nbind_address = "127.0.0.1:0"\npublic_url = "${opponent.websocket}"\n`
      const { of } = await examine(configuration({ rest: hasWebSocket ? rest + web : rest }))
      const answers = ['ok', expect.stringMatching(/ answers$/)]
      expect(of('public-url')).toEqual(Array(hasWebSocket ? 3 : 2).fill(answers))
    })
})

describe('a problem', () => {
  test('makes the exit code 1, and is printed with a remedy', async () => {
    const rest = listeners(0, 0, 0).replace(
      /(http_trackers\]\]\n.*)/,
      '$1\ntls_config = { ssl_cert_path = "gone.pem", ssl_key_path = "gone.key" }',
    )
    const { code, of } = await examine(configuration({ rest }))
    expect(code).toBe(1)
    expect(of('certificates').map(([status]) => status)).toEqual(['problem', 'problem'])
    const people = await doctor(configuration({ rest }), { words: ['--format', 'text'] })
    expect([people.code, people.err]).toEqual([1, ''])
    expect(people.out).toMatch(/^2 problems, \d+ warnings? \(\d+ ok, \d+ skipped\)\n\n✗ problem /)
    expect(people.out).toMatch(
      /problem {2}certificates {4}http_trackers\.0: \S+gone\.pem: no such file or directory\n {27}.*\n {27}→ /,
    )
    // The output is not a terminal: no colours.
    expect(people.out).not.toContain('\x1b')
  })

  test('is printed in colours on a terminal', async () => {
    await using run = await launch(binary, {
      words: ['doctor', '--format', 'text'],
      toml: configuration(),
      terminal: true,
    })
    const { out } = await run.ended()
    expect(out).toContain('\x1b[32m✓ ok     \x1b[39m  ports ')
  })
})

/** Runs a program as the user nobody, in a network namespace with nothing but the kernel's defaults. */
const NOBODY = ['unshare', '--net', 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
const canBeNobody =
  process.getuid?.() === 0 &&
  Bun.which('unshare') !== null &&
  Bun.which('setpriv') !== null &&
  Bun.spawnSync([...NOBODY, 'true'], { stdout: 'ignore', stderr: 'ignore' }).exitCode === 0

describe.skipIf(!canBeNobody)('as the user nobody, without a network', () => {
  // `launch` has no PATH, so the tools need their full paths.
  const program = NOBODY.map((word, i) => (i === 0 || i === 2 ? Bun.which(word)! : word))

  test('it works, and reports what this user may not do', async () => {
    using room = openDirectory()
    mkdirSync(join(room.path, 'storage'), { mode: 0o755 })
    writeFileSync(join(room.path, 'tracker.key'), '', { mode: 0o600 })
    const toml = configuration({
      core: '[core.database]\npath = "storage/tracker.db"\n',
      rest: `
[[udp_trackers]]
bind_address = "0.0.0.0:80"
public_url = "udp://tracker.example:80/announce"
[[http_trackers]]
bind_address = "0.0.0.0:7070"
tls_config = { ssl_cert_path = "tracker.key", ssl_key_path = "tracker.key" }
`,
    })
    const { of, checks, left } = await examine(toml, { directory: room.path, program })
    expect(checks).toEqual(ALL)
    expect(of('ports')).toEqual([
      ['problem', expect.stringContaining('not permitted: udp 0.0.0.0:80')],
      ['ok', 'free: https 0.0.0.0:7070, http 127.0.0.1:1313'],
    ])
    expect(of('public-url')).toEqual([['problem', expect.stringContaining('tracker.example')]])
    expect(of('database')).toEqual([
      ['problem', expect.stringContaining(`this user may not write in ${room.path}/storage`)],
    ])
    expect(of('certificates')[0]).toEqual([
      'problem',
      `http_trackers.0: ${room.path}/tracker.key: permission denied`,
    ])
    expect(of('receive-drops')).toEqual([['skipped', expect.stringContaining('nothing listens')]])
    expect(left.sort()).toEqual(['storage', 'tracker.key'])
    expect(readdirSync(join(room.path, 'storage'))).toEqual([])
  })
})
