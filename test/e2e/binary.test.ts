/** The compiled program as its user has it: one file, a directory to run in, and signals. */

import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sourceCommit } from '../../build.ts'
import { version } from '../../package.json' with { type: 'json' }
import { workspace } from '../support/cli/workspace.ts'
import { configuration, listeners } from '../support/configuration.ts'
import { compiled, freePort, launch } from '../support/e2e/program.ts'
import { sample } from '../support/thorough.ts'
import { announcePacket, connected, connectPacket, hashOf, udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

// Several processes are started, and a client that does not finish costs a grace period of five seconds.
const binary = compiled()
const OVERRIDE = 'TORRUST_TRACKER_CONFIG_OVERRIDE_'
/** The ports of the built-in default may be taken on the machine that runs the tests. */
const ANY_PORTS = {
  [`${OVERRIDE}UDP_TRACKERS__0__BIND_ADDRESS`]: '127.0.0.1:0',
  [`${OVERRIDE}HTTP_TRACKERS__0__BIND_ADDRESS`]: '127.0.0.1:0',
  [`${OVERRIDE}HTTP_API__BIND_ADDRESS`]: '127.0.0.1:0',
  [`${OVERRIDE}HEALTH_CHECK_API__BIND_ADDRESS`]: '127.0.0.1:0',
}
const LAST_LINE = / INFO TRACKER: Tracker successfully shutdown\.\n$/

test('prints its version, and the commit if the build knew it', async () => {
  await using run = await launch(binary, { words: ['--version'] })
  const commit = sourceCommit()?.slice(0, 12)
  const out = commit ? `tracker ${version} (${commit})\n` : `tracker ${version}\n`
  expect(await run.ended()).toEqual({ code: 0, out, err: '' })
})

test('prints its help', async () => {
  await using run = await launch(binary, { words: ['--help'] })
  const { code, out, err } = await run.ended()
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('Usage: tracker [options]')
})

test('serves in an empty directory, logs where, and leaves its database there', async () => {
  await using run = await launch(binary, { env: ANY_PORTS })
  const { udp_trackers, http_trackers, health_checks } = await run.services()
  expect([udp_trackers.length, http_trackers.length, health_checks.length]).toEqual([1, 1, 1])
  expect((await fetch(`${http_trackers[0]}/health_check`)).status).toBe(200)
  const report = (await (await fetch(health_checks[0]!)).json()) as { details: object[] }
  expect(report).toMatchObject({ status: 'Ok', database: { driver: 'sqlite3' } })
  expect(report.details).toHaveLength(3)
  const [, api] = await run.says(/INFO API:\S* Started on: (http\S+)/)
  // Generated for this run; printed to the operator, not to the log.
  const [, token] = /^The API's token for this run: ([0-9a-f]{32})\n$/.exec(run.text.err)!
  expect((await fetch(`${api}/api/v1/stats?token=${token}`)).status).toBe(200)
  const { code, out } = await run.stop('SIGINT')
  expect(code).toBe(0)
  expect(out).toMatch(LAST_LINE)
  expect(out).not.toContain(token!)
  expect(out).not.toContain(' WARN CONFIGURATION')
  expect(readdirSync(run.cwd)).toEqual(['storage'])
  expect(readdirSync(join(run.cwd, 'storage/tracker/lib/database'))).toEqual(['sqlite3.db'])
})

test('serves with the file that init wrote, named or found, and logs no secret', async () => {
  using here = workspace()
  const directory = here.path
  await using init = await launch(binary, { directory, words: ['init'] })
  expect((await init.ended()).code).toBe(0)
  const token = /"([0-9a-f]{32})"/.exec(readFileSync(join(directory, 'tracker.toml'), 'utf8'))![1]!
  for (const words of [['--config', 'tracker.toml'], []]) {
    await using run = await launch(binary, { directory, words, env: ANY_PORTS })
    expect((await run.services()).http_trackers).toHaveLength(1)
    const { code, out, err } = await run.stop()
    expect([code, err]).toEqual([0, ''])
    expect(out).not.toContain(token)
  }
  expect(readdirSync(directory).sort()).toEqual(['storage', 'tracker.toml'])
})

test('prints every mistake of its configuration on a line of its own and starts nothing', async () => {
  const toml = configuration().replace('private = false', 'private = "no"\nlsted = true')
  await using run = await launch(binary, { toml })
  const { code, out, err } = await run.ended()
  expect([code, out]).toEqual([78, ''])
  expect(err).toMatch(
    /^tracker: 2 mistakes in [^\n]+\n[^\n]+core\.private: [^\n]+\n[^\n]+core\.lsted: [^\n]+\n$/,
  )
  expect(readdirSync(run.cwd)).toEqual([])
})

describe.each(sample([1, 2]))('with %d serving threads', (workers) => {
  const toml = (rest = listeners()) => configuration({ rest, workers })

  const takeUdp = async () => {
    const socket = await Bun.udpSocket({ hostname: '127.0.0.1' })
    return { port: socket.port, release: () => socket.close() }
  }
  const takeTcp = async () => {
    const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    return { port: server.port, release: () => server.stop(true) }
  }
  test.each([
    ['udp', takeUdp, (port: number) => listeners(port, 0, 0)],
    ['http', takeTcp, (port: number) => listeners(0, port, 0)],
    ['http', takeTcp, (port: number) => listeners(0, 0, port)],
  ])('ends with one line when its %s port is in use', async (scheme, take, rest) => {
    const { port, release } = await take()
    try {
      await using run = await launch(binary, { toml: toml(rest(port)) })
      const { code, err } = await run.ended()
      expect({ code, err }).toEqual({
        code: 1,
        err: `tracker: port in use: ${scheme} 127.0.0.1:${port}\n`,
      })
    } finally {
      release()
    }
  })

  test('does not share its ports with a tracker that runs already', async () => {
    const rest = listeners(await freePort(), await freePort(), await freePort())
    await using first = await launch(binary, { toml: toml(rest) })
    const { udp_trackers } = await first.services()
    await using second = await launch(binary, { toml: toml(rest) })
    const { code, err } = await second.ended()
    expect([code, err]).toEqual([1, `tracker: port in use: udp ${udp_trackers[0]}\n`])
    expect((await first.stop()).code).toBe(0)
  })

  test('can be started again on the same ports, however it ended', async () => {
    const rest = listeners(await freePort(), await freePort(), await freePort())
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGINT'] as const) {
      await using run = await launch(binary, { toml: toml(rest) })
      const { udp_trackers, http_trackers } = await run.services()
      // A connection that is open when the tracker ends must not keep its port.
      expect((await fetch(`${http_trackers[0]}/health_check`)).status).toBe(200)
      using peer = await udpPeer(Number(udp_trackers[0]!.split(':')[1]))
      expect((await peer.announce(hashOf(1))).seeders).toBe(1)
      run.child.kill(signal)
      expect((await run.ended()).code).toBe(signal === 'SIGKILL' ? 137 : 0)
    }
  })

  test('A13: lists a swarm that a thread of its own puts in order', async () => {
    const api = '[http_api]\nbind_address = "127.0.0.1:0"\naccess_tokens = { admin = "token" }'
    await using run = await launch(binary, { toml: toml(`${listeners()}\n${api}`) })
    const { udp_trackers } = await run.services()
    const [, url] = await run.says(/INFO API:\S* Started on: (http\S+)/)
    using peer = await connected(Number(udp_trackers[0]!.split(':')[1]))
    const hashes = Array.from({ length: 9_000 }, (_, n) => Bun.SHA1.hash(`${n}`, 'hex'))
    for (let at = 0; at < hashes.length; at += 50) {
      for (const hash of hashes.slice(at, at + 50))
        peer.send(announcePacket(peer.id, { infoHash: Buffer.from(hash, 'hex') }))
      for (let i = 0; i < 50; i++) await peer.receive()
    }
    const page = await fetch(`${url}/api/v1/torrents?token=token&offset=100&limit=5000`)
    const shown = (await page.json()) as { info_hash: string }[]
    expect(shown.map(({ info_hash }) => info_hash)).toEqual(hashes.sort().slice(100, 5_100))
  })

  test.concurrent.each(['SIGINT', 'SIGTERM'] as const)(
    'ends in time on %s with idle, slow and flooding clients',
    async (signal) => {
      await using run = await launch(binary, { toml: toml() })
      const { udp_trackers, http_trackers } = await run.services()
      const idle = await connection(
        http_trackers[0]!,
        'GET /health_check HTTP/1.1\r\nHost: a\r\n\r\n',
      )
      await until('an answer on the idle connection', () => idle.received().includes('200 OK'))
      const slow = await connection(http_trackers[0]!, 'GET /announce?info_ha')
      using flooding = await flood(Number(udp_trackers[0]!.split(':')[1]))
      await until('an answer to the flood', () => flooding.answers() > 100)
      const { code, out, err } = await run.stop(signal)
      expect([code, err]).toEqual([0, ''])
      expect(out).toContain(`Tracker shutting down (${signal}) ...\n`)
      expect(out).toMatch(LAST_LINE)
      await until('the connections to be closed', () => idle.closed() && slow.closed())
    },
  )
})

test.concurrent('ends at once on a second signal', async () => {
  await using run = await launch(binary, { toml: configuration() })
  const { http_trackers } = await run.services()
  // An unfinished request delays the stop.
  await connection(http_trackers[0]!, 'GET /announce?info_ha')
  run.child.kill('SIGTERM')
  await run.says(/shutting down/)
  // Signals that arrive together with the first count as the first.
  const code = await until('it to end', () => {
    run.child.kill('SIGINT')
    return run.child.exitCode ?? undefined
  })
  const { out } = await run.ended()
  expect(code).toBe(130)
  expect(out).not.toMatch(LAST_LINE)
})

test.concurrent('answers health checks with 200 once all services are up, and with 503 while it stops', async () => {
  const health = await freePort()
  await using run = await launch(binary, { toml: configuration({ rest: listeners(0, 0, health) }) })
  const ask = () => fetch(`http://127.0.0.1:${health}/health_check`).catch(() => undefined)
  const first = await until('an answer of the health check', ask)
  expect(first.status).toBe(200)
  expect(await first.json()).toMatchObject({
    status: 'Ok',
    details: [
      { service_type: 'udp_tracker', result: { Ok: 'Connected' } },
      { service_type: 'http_tracker', result: { Ok: '200 OK' } },
    ],
  })
  const { http_trackers } = await run.services()
  await connection(http_trackers[0]!, 'GET /announce?info_ha')
  run.child.kill('SIGTERM')
  await until('the health check to say that it ends', async () => (await ask())?.status === 503)
  expect((await run.ended()).code).toBe(0)
})

test.concurrent('goes on serving when its log has no reader any more', async () => {
  const port = await freePort()
  const rest = listeners(port)
  await using run = await launch(binary, { toml: configuration({ rest }), deaf: true })
  using peer = await udpPeer(port)
  await until('an answer', () => peer.announce(hashOf(2)).catch(() => undefined))
  run.child.kill('SIGTERM')
  expect(await run.child.exited).toBe(0)
})

/** A TCP connection that sent `text` and reads what comes. */
async function connection(url: string, text: string) {
  const { hostname, port } = new URL(url)
  let received = ''
  let closed = false
  await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(text),
      data: (_socket, bytes) => {
        received += bytes.toString('latin1')
      },
      close: () => {
        closed = true
      },
      error: () => {},
    },
  })
  return { received: () => received, closed: () => closed }
}

/** Endless connect requests: two for each answer, and two more every 10 ms. */
async function flood(port: number) {
  let answers = 0
  const connect = connectPacket()
  const send = () => {
    try {
      socket.sendMany([connect, connect])
    } catch {
      // The tracker is gone.
    }
  }
  const socket = await Bun.udpSocket({
    connect: { hostname: '127.0.0.1', port },
    socket: {
      data: () => {
        answers++
        send()
      },
      error: () => {},
    },
  })
  // Every answer causes two requests, so the tracker gets as many as it can handle.
  const kick = setInterval(send, 10)
  return {
    answers: () => answers,
    [Symbol.dispose]() {
      clearInterval(kick)
      socket.close()
    },
  }
}
