/** A running tracker follows its configuration: everything or nothing, on all threads, and no client notices. */
import { beforeAll, describe, expect, spyOn, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { certify } from '../support/certificate.ts'
import { configuration } from '../support/configuration.ts'
import { freePort } from '../support/e2e/program.ts'
import { ask, get } from '../support/http-client.ts'
import { captureWorkers } from '../support/run/captured-workers.ts'
import { steadyLoad } from '../support/run/steady-load.ts'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { faults } from '../support/swarm/whole.ts'
import { sharedDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { repeated } from '../support/thorough.ts'
import { announcePacket, connected, hashOf, udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

type Settings = NonNullable<Parameters<typeof configuration>[0]>

const directory = sharedDirectory()
const { at } = directory
beforeAll(async () => {
  await Promise.all([certify(directory.path, 'one'), certify(directory.path, 'other')])
})

const TOKEN = 'token'
const udp = (port = 0, more = '') => `[[udp_trackers]]\nbind_address = "127.0.0.1:${port}"\n${more}`
const http = (port = 0, more = '') =>
  `[[http_trackers]]\nbind_address = "127.0.0.1:${port}"\n${more}`
const tls = (name: string) =>
  `tls_config = { ssl_cert_path = "${at(`${name}.pem`)}", ssl_key_path = "${at(`${name}.key`)}" }\n`
const api = (port = 0, more = '') =>
  `[http_api]\nbind_address = "127.0.0.1:${port}"\n${more}[http_api.access_tokens]\nadmin = "${TOKEN}"\n`
const health = (port = 0) => `[health_check_api]\nbind_address = "127.0.0.1:${port}"\n`
const usual = udp() + http() + api() + health()

const reload = (tracker: TestTracker, settings: Settings) => {
  tracker.toml = configuration({ workers: 1, rest: usual, ...settings })
  return tracker.reload('a test')
}
const post = (tracker: TestTracker, path: string, token = TOKEN) =>
  ask(`http://127.0.0.1:${tracker.apiPort}`, {
    method: 'POST',
    path: `/api/v1/${path}?token=${token}`,
  })
const report = async (tracker: TestTracker) => {
  const { body } = await get(`http://127.0.0.1:${tracker.healthPort}`, '/health_check')
  return JSON.parse(`${body}`)
}
/** Name in the certificate of a new connection. */
const certificateAt = (port: number): Promise<string> => {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  socket.on('error', reject)
  socket.on('secureConnect', () => {
    resolve(socket.getPeerCertificate().fingerprint256)
    socket.destroy()
  })
  return promise
}

describe('under load nothing is lost', () => {
  test.each([1, 2])(
    'whatever changes (threads: %d)',
    async (workers) => {
      using own = temporaryDirectory()
      const ports = await Promise.all(Array.from({ length: 4 }, freePort))
      const [moreUdp, moreHttp, otherApi, otherHealth] = ports
      const settings = (i: number): Settings => ({
        workers,
        isPrivate: i % 4 === 1,
        listed: i % 4 === 2,
        schema: '3.0.0',
        core: `
inactive_peer_cleanup_interval = ${i % 2 === 0 ? 600 : 60}
tracker_usage_statistics = ${i % 3 !== 0}
[core.announce_policy]
interval = ${1_000 + i}
interval_min = ${500 + i}
max_peers_per_announce = ${10 + i}
${i % 8 === 1 ? '[core.private_mode]\ncheck_keys_expiration = false' : ''}
[core.tracker_policy]
max_peer_timeout = ${5_000 + i}
remove_peerless_torrents = ${i % 2 === 0}
[core.database]
path = "${own.at('tracker.db')}"
`,
        rest: `
${i % 3 === 1 ? udp(moreUdp) + http(moreHttp) : ''}
${udp(0, `cookie_lifetime = { secs = ${300 + i}, nanos = 0 }\ntracker_usage_statistics = true\n${i % 2 === 0 ? '' : 'public_url = "udp://tracker.invalid/announce"\n[udp_trackers.network]\nexternal_ip = "203.0.113.7"\n'}`)}
${http(0, `tracker_usage_statistics = ${i % 2 === 0}\n${tls(i % 2 === 0 ? 'one' : 'other')}`)}
${api(i % 5 === 1 ? otherApi : 0, i % 7 === 3 ? tls('one') : '')}more${i} = "token${i}"
${health(i % 5 === 2 ? otherHealth : 0)}
[udp_tracker_server]
ip_bans_reset_interval_in_secs = ${4_000 + i}
max_connection_id_errors_per_ip = ${20 + i}
connection_id_validation = "${i % 6 === 5 ? 'disabled' : 'strict'}"
[abuse]
id_errors = "${i % 2 === 0 ? 'ban' : 'suppress'}"
max_connections_per_address = ${i % 2 === 0 ? 0 : 512}
max_new_rows_per_second = ${i}
`,
      })
      using workersOf = captureWorkers()
      await using tracker = await startTracker(settings(0))
      expect((await post(tracker, `whitelist/${'11'.repeat(20)}`)).status).toBe(200)
      const { key } = JSON.parse(`${(await post(tracker, 'key/1000')).body}`)
      const [udpPort, httpPort] = [tracker.ports.udp[0]!, tracker.ports.http[0]!]
      using early = await udpPeer(udpPort)
      await early.announce(hashOf(0x11), { port: 7_777 })
      await using load = steadyLoad({ udpPort, httpPort, infoHash: hashOf(0x11), key })

      let certificate = await certificateAt(httpPort)
      for (let i = 1; i <= repeated(50); i++) {
        tracker.toml = configuration(settings(i))
        const { mistakes, restart, applied } = await tracker.reload(`number ${i}`)
        expect([i, mistakes, restart]).toEqual([i, [], []])
        expect(applied).toContain(`core.announce_policy.interval: ${999 + i} → ${1_000 + i}`)
        const next = await certificateAt(httpPort)
        expect(next).not.toBe(certificate)
        certificate = next
        expect(tracker.ports.udp).toEqual(i % 3 === 1 ? [moreUdp!, udpPort] : [udpPort])
        expect(tracker.ports.http).toEqual(i % 3 === 1 ? [moreHttp!, httpPort] : [httpPort])
        if (i % 3 === 1) {
          using peer = await udpPeer(moreUdp!)
          // A private tracker has something against a peer without a key, but the listener is there.
          const scraped = await peer.scrape(hashOf(0x11))
          expect(scraped.seeders).toBe(i % 4 === 1 ? 0 : scraped.seeders || -1)
        }
        expect((await report(tracker)).status).toBe('Ok')
        await load.everyoneServed()
        expect([i, load.faults]).toEqual([i, []])
      }
      await load.stop()
      expect(load.faults).toEqual([])
      if (workers > 1) {
        const { swarm } = workersOf.of(1).setup
        expect(faults(swarm)).toEqual([])
      }
      using late = await udpPeer(udpPort)
      tracker.toml = configuration(settings(0))
      await tracker.reload('the last')
      // The swarm is what it was.
      expect((await late.announce(hashOf(0x11), { left: 1 })).peers).toContain('7f0000011e61')
    },
    600_000,
  )
})

describe('a mistake', () => {
  test('is reported with all others, and nothing changes', async () => {
    await using tracker = await startTracker({ rest: usual })
    const before = tracker.ports
    const { applied, restart, mistakes } = await reload(tracker, {
      core: '[core.announce_policy]\ninterval = 7\n',
      rest: `${udp()}cookie_lifetime = "long"\n${http(0, tls('missing'))}${api()}${health()}`,
    })
    expect([applied, restart]).toEqual([[], []])
    expect(mistakes).toHaveLength(3)
    expect(mistakes.join('\n')).toMatch(/cookie_lifetime.*tls config missing/s)
    for (const mistake of mistakes) expect(tracker.lines.join('')).toContain(mistake)
    expect(tracker.lines.join('')).toContain(
      'ERROR CONFIGURATION: Not reloaded: nothing was changed',
    )
    expect(tracker.ports).toEqual(before)
    const { body } = await get(`http://127.0.0.1:${before.http[0]}`, `/announce?${QUERY}`)
    expect(`${body}`).toContain('8:intervali120e')
    // And it can be put right.
    expect((await reload(tracker, {})).mistakes).toEqual([])
  })

  test.each([1, 2])('of a port that is taken changes nothing (threads: %d)', async (workers) => {
    using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const free = await freePort()
    const rest = http(0, tls('one')) + udp() + api() + health()
    await using tracker = await startTracker({ workers, rest })
    const [port] = tracker.ports.http
    const certificate = await certificateAt(port!)
    const { mistakes } = await reload(tracker, {
      workers,
      core: '[core.announce_policy]\ninterval = 7\n',
      rest: http(0, tls('other')) + udp() + udp(free) + http(taken.port) + api() + health(),
    })
    expect(mistakes).toEqual([`port in use: http 127.0.0.1:${taken.port}`])
    expect([tracker.ports.http, tracker.ports.udp.length]).toEqual([[port!], 1])
    expect(await certificateAt(port!)).toBe(certificate)
    // What had been opened already is closed.
    const socket = await Bun.udpSocket({ hostname: '127.0.0.1', port: free })
    socket.close()
    const again = await reload(tracker, { workers, rest })
    expect(again).toEqual({ applied: [], restart: [], mistakes: [] })
  })

  test('of a port that is taken is found before a successor shares a port with another', async () => {
    using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const rest = udp() + api() + health()
    await using tracker = await startTracker({ rest: http(0, tls('one')) + rest })
    const open = spyOn(Bun, 'serve')
    try {
      const wanted = http(0, tls('other')) + http(taken.port) + rest
      const { mistakes } = await reload(tracker, { rest: wanted })
      expect(mistakes).toEqual([`port in use: http 127.0.0.1:${taken.port}`])
      expect(open).not.toHaveBeenCalled()
    } finally {
      open.mockRestore()
    }
  })

  test('of a certificate that does not fit its key is found before anything changes', async () => {
    await using tracker = await startTracker({ rest: http(0, tls('one')) + health() })
    const [port] = tracker.ports.http
    const certificate = await certificateAt(port!)
    const { mistakes } = await reload(tracker, {
      rest: http(0, tls('one').replace('one.key', 'other.key')) + health(),
    })
    expect(mistakes).toEqual([expect.stringContaining('is not the key of')])
    expect(await certificateAt(port!)).toBe(certificate)
  })
})

const QUERY = `info_hash=${'%11'.repeat(20)}&peer_id=-TT0001-abcdefghijkl&port=6881&left=0&uploaded=0&downloaded=0`

test('what is not different is said', async () => {
  await using tracker = await startTracker({ rest: usual })
  const result = await reload(tracker, {})
  expect(result).toEqual({ applied: [], restart: [], mistakes: [] })
  expect(tracker.lines.join('')).toContain('INFO CONFIGURATION: Reloaded: nothing is different')
})

test('what needs a restart is named, and the rest is followed', async () => {
  await using tracker = await startTracker({ rest: usual })
  const { applied, restart } = await reload(tracker, {
    workers: 2,
    isPrivate: true,
    core: '[core.announce_policy]\ninterval = 777\n[core.database]\npath = "other.db"\n',
  })
  // It has no database that could hold keys.
  expect(restart).toEqual([
    'core.database: added',
    'core.private: false → true',
    'runtime.workers: 1 → 2',
  ])
  expect(applied).toEqual(['core.announce_policy.interval: 120 → 777'])
  expect(tracker.lines.join('')).toContain(
    'WARN CONFIGURATION: Needs a restart: core.database: added; core.private: false → true; runtime.workers: 1 → 2',
  )
  const { body } = await get(`http://127.0.0.1:${tracker.ports.http[0]}`, `/announce?${QUERY}`)
  expect(`${body}`).toContain('8:intervali777e')
})

test.each([1, 2])('options of listeners follow where they are (threads: %d)', async (workers) => {
  await using tracker = await startTracker({ workers, rest: usual })
  const [[udpPort], [httpPort]] = [tracker.ports.udp, tracker.ports.http]
  const announce = async (more = '', headers = {}) =>
    (await get(`http://127.0.0.1:${httpPort}`, `/announce?${QUERY}${more}`, headers)).failure
  using peer = await udpPeer(udpPort!)
  await peer.announce(hashOf(0x11), { port: 7_777 })
  const network = (of: string, line: string) => `[${of}.network]\n${line}\n`
  const result = await reload(tracker, {
    workers,
    rest: `${udp(0, `cookie_lifetime = { secs = 0, nanos = 1 }\n${network('udp_trackers', 'external_ip = "203.0.113.7"')}`)}
${http(0, `use_ip_from_query_string = true\n${network('http_trackers', 'on_reverse_proxy = true')}`)}
${api()}${health()}`,
  })
  expect(result.mistakes).toEqual([])
  expect([tracker.ports.udp, tracker.ports.http]).toEqual([[udpPort!], [httpPort!]])
  // Asked often, because any of the threads may answer.
  for (let i = 0; i < 8; i++) {
    expect(await announce()).toContain('X-Forwarded-For')
    expect(await announce(`&ip=192.0.2.${i}`, { 'x-forwarded-for': '192.0.2.99' })).toBeUndefined()
    using another = await udpPeer(udpPort!)
    await another.announce(hashOf(0x11), { port: 8_000 + i })
  }
  using leecher = await udpPeer(udpPort!)
  const { peers } = await leecher.announce(hashOf(0x11), { left: 1, want: 74 })
  expect(peers).toContain('cb0071071f40')
  expect(peers).toContain('c00002071ae1')
  expect(peers).toContain('7f0000011e61')
  // A whole second after it was issued, an id is too old now.
  await until('the connection id to expire', () =>
    peer.announce(hashOf(0x11)).then(
      () => false,
      (error: Error) => error.message.includes('expired') || error.message.length > 0,
    ),
  )
})

test('wrong connection ids that were counted stay so', async () => {
  await using tracker = await startTracker({ rest: usual })
  using client = await connected(tracker.ports.udp[0]!)
  const wrong = announcePacket(client.id + 1n)
  // So many are answered.
  for (let i = 0; i < 11; i++) await client.ask(wrong)
  client.send(wrong)
  expect((await client.announce()).action).toBe(1)
  const banned = async () => {
    const { body } = await get(
      `http://127.0.0.1:${tracker.apiPort}`,
      `/api/v1/stats?token=${TOKEN}`,
    )
    return JSON.parse(`${body}`).udp_banned_ips_total
  }
  expect(await banned()).toBe(1)
  await reload(tracker, { core: '[core.announce_policy]\ninterval = 7\n' })
  expect(await banned()).toBe(1)
  // And the policy about them follows.
  expect((await client.announce()).action).toBe(1)
  await reload(tracker, { rest: `${usual}[abuse]\nid_errors = "ban"\n` })
  client.send(announcePacket(client.id))
  await expect(client.receive(200)).rejects.toThrow('no answer')
})

test.each([1, 2])('listeners come, move and go (threads: %d)', async (workers) => {
  using workersOf = captureWorkers()
  await using tracker = await startTracker({ workers, rest: usual })
  const [udpPort] = tracker.ports.udp
  const [fresh, other] = [await freePort(), await freePort()]
  using peer = await udpPeer(udpPort!)
  await peer.announce(hashOf(1))
  const added = await reload(tracker, { workers, rest: udp(fresh) + usual + http(other) })
  expect(added.applied).toEqual([
    `udp_trackers: added 127.0.0.1:${fresh}`,
    `http_trackers: added 127.0.0.1:${other}`,
  ])
  using guest = await udpPeer(fresh)
  expect((await guest.announce(hashOf(1), { left: 1 })).seeders).toBe(1)
  const addresses = async () =>
    (await report(tracker)).details.map((one: { binding: string }) => one.binding)
  expect(await addresses()).toContain(`127.0.0.1:${fresh}`)

  // The first listener moves to the other port; the one that was added goes.
  const moved = await reload(tracker, { workers, rest: udp(other) + http() + api() + health() })
  expect(moved.applied).toEqual([
    `udp_trackers: added 127.0.0.1:${other}`,
    `udp_trackers: removed 127.0.0.1:${fresh}`,
    'udp_trackers: removed 127.0.0.1:0',
    `http_trackers: removed 127.0.0.1:${other}`,
  ])
  expect([tracker.ports.udp, tracker.ports.http.length]).toEqual([[other], 1])
  expect(await addresses()).not.toContain(`127.0.0.1:${fresh}`)
  await until('the old ports to be free', async () => {
    try {
      for (const port of [fresh, udpPort]) {
        const socket = await Bun.udpSocket({ hostname: '127.0.0.1', port: port! })
        socket.close()
      }
      Bun.listen({ hostname: '127.0.0.1', port: other, socket: { data() {} } }).stop(true)
      return true
    } catch {
      return false
    }
  })
  using moving = await udpPeer(other)
  expect((await moving.announce(hashOf(1), { left: 1 })).seeders).toBe(1)
  // What a listener counted stays, and goes on where it was when it comes back.
  const counted = async () => {
    const path = `/metrics?token=${TOKEN}`
    const { body } = await get(`http://127.0.0.1:${tracker.apiPort}`, path)
    const lines = `${body}`.split('\n').filter((line) => line.includes(`127.0.0.1:${fresh}"`))
    return lines.filter((line) => /requests_total.*ipv4.*announce.*served/.test(line))
  }
  expect(await counted()).toEqual([expect.stringMatching(/ 1$/)])
  await reload(tracker, { workers, rest: udp(fresh) + udp(other) + http() + api() + health() })
  using returning = await udpPeer(fresh)
  await returning.announce(hashOf(1), { left: 1 })
  expect(await counted()).toEqual([expect.stringMatching(/ 2$/)])
  if (workers > 1) expect(faults(workersOf.of(1).setup.swarm)).toEqual([])
})

test.each([1, 2])('a listener takes over the port of another (threads: %d)', async (workers) => {
  const port = await freePort()
  const on = (ip: string) =>
    `[[udp_trackers]]\nbind_address = "${ip}:${port}"\n[[http_trackers]]\nbind_address = "${ip}:${port}"\n`
  await using tracker = await startTracker({ workers, rest: on('0.0.0.0') + api() + health() })
  const { mistakes } = await reload(tracker, { workers, rest: on('[::]') + api() + health() })
  expect(mistakes).toEqual([])
  using six = await udpPeer(port, '::1')
  await six.announce(hashOf(1))
  using four = await udpPeer(port)
  await four.announce(hashOf(1))
  await until('the old socket to be closed', async () => {
    const reply = await get(`http://[::1]:${port}`, '/health_check')
    return reply.status === 200
  })
  expect((await get(`http://127.0.0.1:${port}`, '/health_check')).status).toBe(200)
})

test('a listener that goes takes none of the other protocol with it, at the same address', async () => {
  const port = await freePort()
  const rest = api() + health()
  await using tracker = await startTracker({ rest: udp(port) + http(port) + rest })
  await reload(tracker, { rest: http(port) + rest })
  expect((await get(`http://127.0.0.1:${port}`, '/health_check')).status).toBe(200)
  await reload(tracker, { rest: udp(port) + http(port) + rest })
  await reload(tracker, { rest: udp(port) + rest })
  using peer = await udpPeer(port)
  await peer.announce(hashOf(1))
})

test.each([1, 2])(
  'access settings follow, with what the database holds (threads: %d)',
  async (workers) => {
    using own = temporaryDirectory()
    const core = `[core.database]\npath = "${own.at('tracker.db')}"\n`
    const mode = (settings: Settings) => ({ workers, core, rest: usual, ...settings })
    await using tracker = await startTracker(mode({}))
    const { key } = JSON.parse(`${(await post(tracker, 'key/1000')).body}`)
    await post(tracker, `whitelist/${'01'.repeat(20)}`)
    const [port] = tracker.ports.http
    const failure = async (path: string) => {
      const reply = await get(
        `http://127.0.0.1:${port}`,
        `${path}?${QUERY.replaceAll('%11', '%02')}`,
      )
      return reply.failure
    }
    expect(await failure('/announce')).toBeUndefined()

    expect((await reload(tracker, mode({ isPrivate: true }))).mistakes).toEqual([])
    // Asked often, because any of the threads may answer.
    for (let i = 0; i < 8; i++) {
      expect(await failure('/announce')).toContain('key')
      expect(await failure(`/announce/${key}`)).toBeUndefined()
    }
    const { key: later } = JSON.parse(`${(await post(tracker, 'key/1000')).body}`)
    expect(await failure(`/announce/${later}`)).toBeUndefined()

    await reload(tracker, mode({ listed: true }))
    for (let i = 0; i < 8; i++) expect(await failure('/announce')).toContain('not whitelisted')
    await post(tracker, `whitelist/${'02'.repeat(20)}`)
    expect(await failure('/announce')).toBeUndefined()

    await reload(tracker, mode({}))
    for (let i = 0; i < 8; i++) expect(await failure('/announce')).toBeUndefined()

    // What was removed meanwhile is not there when its table is needed again.
    const path = `/api/v1/key/${later}?token=${TOKEN}`
    const removed = { method: 'DELETE', path }
    expect((await ask(`http://127.0.0.1:${tracker.apiPort}`, removed)).status).toBe(200)
    await reload(tracker, mode({ isPrivate: true }))
    expect(await failure(`/announce/${later}`)).toContain('key')
    expect(await failure(`/announce/${key}`)).toBeUndefined()
  },
)

test.skipIf(process.platform !== 'linux').each([1, 2])(
  'again and again leaves nothing behind (threads: %d)',
  async (workers) => {
    using own = temporaryDirectory()
    const core = `[core.database]\npath = "${own.at('tracker.db')}"\n`
    const port = await freePort()
    const settings = (i: number): Settings => ({
      workers,
      core,
      isPrivate: i % 2 === 1,
      listed: i % 3 === 1,
      rest:
        (i % 2 === 1 ? udp(port) : '') +
        udp() +
        http(0, i % 4 === 1 ? tls('one') : '') +
        api() +
        health(),
    })
    await using tracker = await startTracker(settings(0))
    const addressSpace = () => {
      const status = readFileSync('/proc/self/status', 'latin1')
      return Number(/VmSize:\s*(\d+)/.exec(status)![1]) / 2 ** 20
    }
    const files = () => readdirSync('/proc/self/fd').length
    let before = { files: 0, addressSpace: 0 }
    for (let i = 1; i <= 24; i++) {
      expect((await reload(tracker, settings(i))).mistakes).toEqual([])
      if (i % 12 !== 0) continue
      // Begins when all that was closed before is closed.
      await reload(tracker, settings(i))
      // By then each table was there once.
      if (i === 12) before = { files: files(), addressSpace: addressSpace() }
    }
    expect(files()).toBe(before.files)
    // In gibibytes: one table reserves one.
    expect(addressSpace() - before.addressSpace).toBeLessThan(1)
  },
)

test('the level of the log follows on all threads', async () => {
  await using tracker = await startTracker({ workers: 2, rest: usual })
  await reload(tracker, { workers: 2, filter: 'debug' })
  const asked = async () => {
    using client = await connected(tracker.ports.udp[0]!)
    await client.ask(announcePacket(client.id + 1n))
  }
  await until('lines of both threads', async () => {
    await asked()
    const lines = tracker.log.history.last(1_000, 'debug').map(({ json }) => JSON.parse(json))
    const refused = lines.filter(({ fields }) => fields.message === 'request not served')
    return new Set(refused.map(({ fields }) => fields.thread)).size === 2
  })
  await reload(tracker, { workers: 2, filter: 'error' })
  expect(tracker.log.filter).toBe('error')
})

test('tokens follow at once, and no secret is shown', async () => {
  await using tracker = await startTracker({ rest: usual })
  const { applied } = await reload(tracker, { rest: usual.replace(`"${TOKEN}"`, '"another"') })
  expect(applied).toEqual(['http_api.access_tokens.admin.token: "***" → "***"'])
  expect((await post(tracker, 'reload')).status).toBe(500)
  const reply = await post(tracker, 'reload', 'another')
  expect([reply.status, JSON.parse(`${reply.body}`)]).toEqual([
    200,
    { applied: [], restart: [], mistakes: [] },
  ])
  expect(tracker.lines.join('')).not.toContain('another"')
})

test('the API answers the reload that moves it', async () => {
  await using tracker = await startTracker({ rest: usual })
  const port = await freePort()
  tracker.toml = configuration({
    workers: 1,
    rest: udp() + http() + api(port, tls('one')) + health(),
  })
  const reply = await post(tracker, 'reload')
  expect(reply.status).toBe(200)
  expect(tracker.apiPort).toBe(port)
  expect((await get(`https://127.0.0.1:${port}`, '/api/health_check')).status).toBe(200)
})

test('mistakes are the answer of the API, with another status', async () => {
  await using tracker = await startTracker({ rest: usual })
  tracker.toml = 'broken'
  const reply = await post(tracker, 'reload')
  expect(reply.status).toBe(422)
  expect(JSON.parse(`${reply.body}`)).toMatchObject({
    applied: [],
    restart: [],
    mistakes: [expect.stringContaining('TORRUST_TRACKER_CONFIG_TOML:1')],
  })
})

test('reloads that are asked for at once are one after the other, and those that wait are one', async () => {
  await using tracker = await startTracker({ rest: usual })
  const intervals = (interval: number) => ({
    core: `[core.announce_policy]\ninterval = ${interval}\n`,
  })
  const first = reload(tracker, intervals(200))
  await first
  const all = [201, 202, 203].map((interval) => reload(tracker, intervals(interval)))
  const results = await Promise.all(all)
  for (const { mistakes } of results) expect(mistakes).toEqual([])
  const { body } = await get(`http://127.0.0.1:${tracker.ports.http[0]}`, `/announce?${QUERY}`)
  expect(`${body}`).toContain('8:intervali203e')
  const begun = tracker.lines.filter((line) => line.includes('Reloading (a test)'))
  expect(begun.length).toBeLessThan(5)
})

test('a tracker that stops refuses', async () => {
  const tracker = await startTracker({ rest: usual })
  tracker.drain()
  const refused = { applied: [], restart: [], mistakes: ['the tracker is stopping'] }
  expect(await reload(tracker, { workers: 2 })).toEqual(refused)
  await tracker[Symbol.asyncDispose]()
  expect(await reload(tracker, { workers: 2 })).toEqual(refused)
})

test('a tracker that stops in the middle of a reload stops', async () => {
  const port = await freePort()
  const tracker = await startTracker({ workers: 2, rest: http(0, tls('one')) + health() })
  const reloading = reload(tracker, { workers: 2, rest: http(port, tls('other')) + health() })
  await tracker[Symbol.asyncDispose]()
  const { mistakes, applied } = await reloading
  expect(mistakes.length + applied.length).toBeGreaterThan(0)
  Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true)
})

test('a thread that dies while everything changes comes back with what the others have', async () => {
  using workersOf = captureWorkers()
  await using tracker = await startTracker({ workers: 2, rest: usual })
  const ports = await Promise.all(Array.from({ length: 6 }, freePort))
  for (const [i, port] of ports.entries()) {
    const reloading = reload(tracker, { workers: 2, rest: udp(port) + usual })
    if (i % 2 === 0) workersOf.of(2).worker.terminate()
    else await Promise.resolve().then(() => workersOf.of(1).worker.terminate())
    const { mistakes } = await reloading
    if (mistakes.length > 0) expect(mistakes).toEqual([expect.stringContaining('no thread serves')])
    await until('both threads to serve', async () => {
      const alive = workersOf.all.filter(({ ended }) => !ended)
      return alive.length === 2 && alive.every(({ setup }) => setup !== undefined)
    })
    if (mistakes.length > 0) continue
    await until('the new port to be served by both', () => {
      const { listeners } = workersOf.of(i % 2 === 0 ? 2 : 1).setup
      return listeners.some(({ listener }) => listener.bind_address.port === port)
    })
    using peer = await udpPeer(port)
    await peer.announce(hashOf(1))
  }
  expect(faults(workersOf.of(1).setup.swarm)).toEqual([])
})

test('a thread that fails to follow is replaced when it dies all the same', async () => {
  using workersOf = captureWorkers()
  await using tracker = await startTracker({ workers: 2, rest: usual })
  const { worker, setup } = workersOf.of(1)
  const send = worker.postMessage.bind(worker)
  const broken = { listeners: [{ id: setup.listeners[0]!.id, listener: {} }] }
  worker.postMessage = (message) =>
    send(message.kind === 'commit' ? { ...message, change: broken } : message)
  await reload(tracker, { workers: 2, core: '[core.announce_policy]\ninterval = 7\n' })
  expect(tracker.lines.join('')).toContain('internal error: reload: ')
  worker.terminate()
  await until('the thread to be replaced', () =>
    tracker.lines.some((line) => line.includes('serving thread 1 is replaced')),
  )
})

describe('a certificate that is renewed', () => {
  const copy = async (from: string, to: string, kinds = ['pem', 'key']) => {
    for (const kind of kinds) await Bun.write(at(`${to}.${kind}`), Bun.file(at(`${from}.${kind}`)))
  }

  test.each([1, 2])('is served by itself, and a bad pair never (threads: %d)', async (workers) => {
    await copy('one', 'live')
    const rest = http(0, tls('live')) + api(0, tls('live')) + health()
    await using tracker = await startTracker({ workers, rest })
    const [port] = tracker.ports.http
    const old = await certificateAt(port!)
    const warnings = () => tracker.lines.filter((line) => line.includes('Certificates stay')).length
    await tracker.lookAtCertificates()

    await copy('other', 'live', ['pem'])
    for (let look = 0; look < 5; look++) await tracker.lookAtCertificates()
    expect([await certificateAt(port!), warnings()]).toEqual([old, 1])

    await copy('other', 'live')
    await tracker.lookAtCertificates()
    // It may still be written.
    expect(await certificateAt(port!)).toBe(old)
    await tracker.lookAtCertificates()
    const renewed = await certificateAt(port!)
    expect(renewed).not.toBe(old)
    expect(await certificateAt(tracker.apiPort!)).toBe(renewed)
    expect(warnings()).toBe(1)
    expect(tracker.lines.join('')).toContain(
      `INFO CONFIGURATION: Changed: another certificate for 127.0.0.1:${port}`,
    )
    for (let look = 0; look < 3; look++) await tracker.lookAtCertificates()
    expect(tracker.lines.filter((line) => line.includes('Changed: ')).length).toBe(2)
  })

  test('is served by a reload as well', async () => {
    await copy('one', 'live')
    const rest = http(0, tls('live')) + health()
    await using tracker = await startTracker({ rest })
    const [port] = tracker.ports.http
    await copy('other', 'live')
    const { applied } = await reload(tracker, { rest })
    expect(applied).toEqual([`another certificate for 127.0.0.1:${port}`])
  })
})
