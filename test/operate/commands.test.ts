/** The commands of an operator against a tracker that runs, which they find through its configuration. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { fakeHttpServer, respond } from '../support/client/fake-http.ts'
import { runCommand, runningTracker, TOKEN } from '../support/operate/running.ts'
import { announcePacket, connected, EVENT, hashOf } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const MAIN = join(import.meta.dir, '../../src/main.ts')
const hex = (byte: number): string => hashOf(byte).toHex()
const text = ['--format', 'text']
/** Ports and moments that differ from run to run. */
const plain = (out: string): string =>
  out
    .replaceAll(/127\.0\.0\.1:\d{5}/g, '127.0.0.1:=PORT')
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?/g, 'THE DATE AND SECOND')

type Tracker = Awaited<ReturnType<typeof runningTracker>>
/** What a command that succeeds prints: JSON as a value, or text. */
async function done({ run }: Tracker, ...words: string[]) {
  const { code, out, err } = await run(words)
  expect([code, err]).toEqual([0, ''])
  expect(out).toEndWith('\n')
  return words.includes('text') ? plain(out) : JSON.parse(out)
}

describe.each([false, true])('with TLS: %p', (secure) => {
  test('T11: status says that a tracker is well, and what it holds', async () => {
    await using tracker = await runningTracker({ secure, isPrivate: true })
    using peer = await connected(tracker.udp)
    peer.send(announcePacket(peer.id, { transaction: 1 }))
    await peer.receive()
    expect(await done(tracker, 'status')).toMatchObject({
      version: '0.0.0',
      alerts: [],
      listeners: [{ announce_url: `udp://127.0.0.1:${tracker.udp}/announce/KEY`, refused: 1 }],
      memory: { limit: 64 * 2 ** 20 },
      torrents: 0,
      database: { works: true },
    })
    const shown: string = await done(tracker, 'status', ...text)
    // The health API asks the listener as well.
    expect(shown.replace(/up for [^,]+/, 'up for TIME').replace(/\d+ served/, 'N served')).toBe(
      `Tracker 0.0.0, up for TIME, is well.

udp://127.0.0.1:=PORT/announce/KEY  N served  1 refused  0 dropped

torrents  0
peers     0 seeders, 0 leechers
memory    0 bytes of 64 MiB (0 %)
database  works
`,
    )
  })

  test('T11: stats are those of the API', async () => {
    await using tracker = await runningTracker({ secure })
    using peer = await connected(tracker.udp)
    await peer.announce({ left: 1 })
    const stats = await done(tracker, 'stats')
    expect(stats).toMatchObject({ torrents: 1, leechers: 1, completed_persisted_enabled: false })
    const lines: string[] = (await done(tracker, 'stats', ...text)).split('\n')
    expect(lines).toHaveLength(Object.keys(stats).length + 1)
    expect(lines[0]).toMatch(/^torrents +1$/)
    expect(new Set(lines.slice(0, -1).map((line) => line.length)).size).toBe(1)
  })
})

test('T11: torrents are listed in the order that is asked for, and one is shown with its peers', async () => {
  await using tracker = await runningTracker()
  using peer = await connected(tracker.udp)
  for (const [byte, port, left] of [
    [1, 11001, 5],
    [2, 11001, 1],
    [2, 11002, 0],
    [3, 11001, 0],
    [3, 11002, 0],
  ] as const)
    await peer.announce({
      infoHash: hashOf(byte),
      port,
      left,
      peerId: Buffer.from('-TR4000-0123456789ab'),
    })
  await peer.announce({ infoHash: hashOf(1), port: 11001, left: 0, event: EVENT.completed })
  await peer.announce({ infoHash: hashOf(1), port: 11003, left: 7 })
  await peer.announce({ infoHash: hashOf(1), port: 11004, left: 7 })

  const hashes = async (...words: string[]) =>
    (await done(tracker, 'torrents', ...words)).map((one: { info_hash: string }) => one.info_hash)
  expect(await hashes()).toEqual([hex(1), hex(2), hex(3)])
  expect(await hashes('--sort', 'hash', '--limit', '2')).toEqual([hex(1), hex(2)])
  expect(await hashes('--sort', 'seeders', '--limit', '1')).toEqual([hex(3)])
  expect(await hashes('--sort', 'leechers')).toEqual([hex(1), hex(2), hex(3)])
  expect(await hashes('--sort', 'completed', '--limit', '1')).toEqual([hex(1)])
  expect(await hashes('--sort', 'peers')).toEqual([hex(1), hex(2), hex(3)])
  expect(await done(tracker, 'torrents', ...text)).toBe(
    `info hash                                 seeders  leechers  completed
${hex(1)}        1         2          1
${hex(2)}        1         1          0
${hex(3)}        2         0          0
`,
  )

  const one = await done(tracker, 'torrents', hex(2).toUpperCase())
  expect(one).toMatchObject({ info_hash: hex(2), seeders: 1, leechers: 1, completed: 0 })
  expect(await done(tracker, 'torrents', hex(2), ...text)).toBe(
    `${hex(2)}
1 seeder, 1 leecher, 0 completed

peer             client        seen                       left
127.0.0.1:=PORT  Transmission  THE DATE AND SECOND UTC  1 byte
127.0.0.1:=PORT  Transmission  THE DATE AND SECOND UTC  seeder
`,
  )
  const unknown = await tracker.run(['torrents', hex(9), ...text])
  expect(unknown).toEqual({ code: 1, out: `${hex(9)} is not known here.\n`, err: '' })
  expect(await tracker.run(['torrents', hex(9)])).toEqual({
    code: 1,
    out: '"torrent not known"\n',
    err: '',
  })
})

test('T11: keys are added, listed and removed', async () => {
  await using tracker = await runningTracker({ isPrivate: true })
  const key = 'k'.repeat(32)
  expect(await done(tracker, 'keys', 'list', ...text)).toBe('There are no keys.\n')
  expect(await done(tracker, 'keys', 'list')).toEqual([])
  expect(await done(tracker, 'keys', 'add', key, '--never')).toEqual({
    key,
    valid_until: null,
    expiry_time: null,
  })
  const made: string = await done(tracker, 'keys', 'add', '--seconds', '60', ...text)
  expect(made).toMatch(/^\w{32} {2}until THE DATE AND SECOND UTC\n$/)
  const [other = ''] = made.split(' ')
  expect((await done(tracker, 'keys', 'list')).map((one: { key: string }) => one.key)).toEqual(
    [key, other].sort(),
  )
  expect(await done(tracker, 'keys', 'list', ...text)).toContain(`${key}  never expires\n`)
  expect(await tracker.run(['keys', 'remove', other, '0'.repeat(32), ...text])).toEqual({
    code: 1,
    out: '1 key removed; 1 other did not exist.\n',
    err: '',
  })
  expect(await done(tracker, 'keys', 'remove', key)).toEqual({ status: 'ok', count: 1 })
  expect(await done(tracker, 'keys', 'list')).toEqual([])
  const twice = [
    await tracker.run(['keys', 'add', key, '--never']),
    await tracker.run(['keys', 'add', key, '--never']),
  ]
  expect(twice.map(({ code }) => code)).toEqual([0, 1])
  expect(twice[1]!.err).toStartWith(`tracker keys add: ${tracker.url}: failed to add key: `)
})

describe('the whitelist', () => {
  const torrent = 'd4:infod6:lengthi1e4:name1:a12:piece lengthi1e6:pieces20:aaaaaaaaaaaaaaaaaaaaee'

  test('T11: takes hashes, magnet links and .torrent files', async () => {
    await using tracker = await runningTracker({ listed: true, files: { 'a.torrent': torrent } })
    const magnet = `magnet:?xt=urn:btih:${hex(2)}`
    const base32 = 'AMBQGAYDAMBQGAYDAMBQGAYDAMBQGAYD'
    expect(await done(tracker, 'whitelist', 'list', ...text)).toBe('The whitelist is empty.\n')
    const words = [hex(1), hex(1).toUpperCase(), magnet, base32, 'a.torrent']
    expect(await done(tracker, 'whitelist', 'add', ...words)).toEqual({ status: 'ok', count: 4 })
    const file = new Bun.CryptoHasher('sha1').update(torrent.slice(7, -1)).digest('hex')
    const all = [hex(1), hex(2), hex(3), file].sort()
    expect(await done(tracker, 'whitelist', 'list')).toEqual(all)
    expect(await done(tracker, 'whitelist', 'remove', magnet, 'a.torrent', ...text)).toBe(
      '2 torrents removed.\n',
    )
    expect(await done(tracker, 'whitelist', 'list', ...text)).toBe(`${hex(1)}\n${hex(3)}\n`)
    using peer = await connected(tracker.udp)
    expect((await peer.announce({ infoHash: hashOf(3) })).seeders).toBe(1)
  })

  /** The real program with that on its standard input. */
  async function piped({ directory }: Tracker, words: readonly string[], input: string) {
    const child = Bun.spawn([process.execPath, MAIN, ...words], {
      cwd: directory.path,
      env: { PATH: process.env.PATH ?? '' },
      stdin: Buffer.from(input),
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
    return { code: await child.exited, out, err }
  }

  test('T11: takes tens of thousands of lines, and lists them all', async () => {
    await using tracker = await runningTracker({ listed: true })
    const hashes = Array.from({ length: 50_000 }, (_, n) => n.toString(16).padStart(40, '0'))
    const input = ['# ours', '', ...hashes.map((hash) => `${hash} # comment\r`)].join('\n')
    expect(await piped(tracker, ['whitelist', 'add', '-'], input)).toEqual({
      code: 0,
      out: '{"status":"ok","count":50000}\n',
      err: '',
    })
    expect(await done(tracker, 'whitelist', 'list')).toEqual(hashes)
    expect(await done(tracker, 'whitelist', 'list', ...text)).toBe(`${hashes.join('\n')}\n`)
  })

  test('T11: does nothing when a line has a mistake, and names it', async () => {
    await using tracker = await runningTracker({ listed: true })
    const input = `${hex(1)}\n\x1b[2Jx\n${'9'.repeat(39)}\n`
    expect(await piped(tracker, ['whitelist', 'add', '-'], input)).toEqual({
      code: 1,
      out: '',
      err: `tracker whitelist add: nothing was done: 2 mistakes in the standard input
  line 2: ?[2Jx is neither an info hash (40 hexadecimal digits, such as 9c38422213e30bff212b30c360d26f9a02136422) nor a magnet link, and no file has that name
  line 3: info hash ${'9'.repeat(39)} has 39 digits instead of 40
`,
    })
    const many = await piped(tracker, ['whitelist', 'add', '-'], 'x\n'.repeat(25))
    expect(many.err.split('\n')).toHaveLength(23)
    expect(many.err).toEndWith('\n  and 5 more\n')
    expect(await done(tracker, 'whitelist', 'list')).toEqual([])
  })
})

test('T11: bans are listed and lifted', async () => {
  await using tracker = await runningTracker()
  expect(await done(tracker, 'bans', 'list', ...text)).toBe(
    'No address sent a wrong connection id since the last reset.\n',
  )
  using peer = await connected(tracker.udp)
  for (let n = 0; n < 12; n++) peer.send(announcePacket(1n))
  const banned = { address: '127.0.0.1', family: 'ipv4', errors: 11, banned: true }
  await until('the address to be banned', async () => {
    const [first] = await done(tracker, 'bans', 'list')
    return first?.banned
  })
  expect(await done(tracker, 'bans', 'list')).toEqual([banned])
  expect(await done(tracker, 'bans', 'list', ...text)).toBe('127.0.0.1  11 errors  banned\n')
  expect(await done(tracker, 'bans', 'lift', '127.0.0.1', '2001:db8::/64', ...text)).toBe(
    'The errors of 1 address are forgotten. 1 other had none.\n',
  )
  peer.send(announcePacket(1n))
  await until('another error', async () => (await done(tracker, 'bans', 'list')).length === 1)
  expect(await done(tracker, 'bans', 'lift', '--all')).toEqual({ status: 'ok', count: 1 })
  expect(await done(tracker, 'bans', 'list')).toEqual([])
})

test('T11: a tracker is found by its URL and a token, from options, files and variables', async () => {
  await using tracker = await runningTracker({ files: { token: `${TOKEN}\n` } })
  const elsewhere = { cwd: '/' }
  const { url, directory } = tracker
  const ways: [string[], Record<string, string>][] = [
    [['--url', url, '--token', TOKEN], {}],
    [['--url', `${url}/`, '--token-file', directory.at('token')], { TRACKER_TOKEN: 'wrong' }],
    [['--url', `${url}/api/v1`], { TRACKER_TOKEN: TOKEN }],
    [
      ['--url', url.replace('http://', '')],
      { TRACKER_TOKEN: TOKEN, TRACKER_URL: 'http://x.invalid' },
    ],
    [[], { TRACKER_URL: url, TRACKER_TOKEN: TOKEN }],
    [['--config', directory.at('tracker.toml')], { TRACKER_URL: 'http://x.invalid' }],
    [[], { TORRUST_TRACKER_CONFIG_TOML_PATH: directory.at('tracker.toml') }],
  ]
  for (const [words, env] of ways) {
    const { code, err } = await runCommand(['stats', ...words], { ...elsewhere, env })
    expect([words, code, err]).toEqual([words, 0, ''])
  }
})

test('T11: a tracker that is not well says why, and the exit code is 1', async () => {
  await using tracker = await runningTracker()
  tracker.drain()
  const { code, out, err } = await tracker.run(['status', ...text])
  expect([code, err, out.split('\n').slice(0, 2)]).toEqual([
    1,
    '',
    [
      expect.stringMatching(/^Tracker 0\.0\.0, up for .*, is NOT well:$/),
      '  it is shutting down (503 Service Unavailable)',
    ],
  ])
  expect(await tracker.run(['status'])).toMatchObject({
    code: 1,
    err: 'tracker status: it is shutting down (503 Service Unavailable)\n',
  })
})

test.each([
  ['critical', 1, 'is NOT well:'],
  ['warning', 0, 'works, but:'],
])('T11: a %s alert is told', async (level, code, state) => {
  const overview = {
    version: '1',
    started: 1_000,
    now: 1_000 + 3 * 86_400 + 4 * 3_600,
    alerts: [{ level, name: 'full', text: 'Memory is full.\x1b[2J' }],
    listeners: [],
    torrents: 1_234_567,
    seeders: 1,
    leechers: 0,
    memory: { used: 3 * 2 ** 20, limit: 4 * 2 ** 20 },
    database: { works: false, owed: 7 },
  }
  using server = await fakeHttpServer((_request, socket) => {
    socket.write(respond(JSON.stringify(overview)))
  })
  const words = ['status', '--url', `http://127.0.0.1:${server.port}`, '--token', TOKEN]
  expect(await runCommand(words, { outIsTerminal: true })).toEqual({
    code,
    out: `Tracker 1, up for 3 d 4 h, ${state}
  Memory is full. [2J


torrents  1,234,567
peers     1 seeder, 0 leechers
memory    3 MiB of 4 MiB (75 %)
database  does NOT work; 7 completed downloads not stored yet
`,
    err: '',
  })
  expect(await runCommand(words)).toMatchObject({
    code,
    err: 'tracker status: Memory is full. [2J\n',
  })
})
