/**
 * A community's tracker, used by real clients: with a key over HTTP and UDP, with a listed torrent, and
 * refused without; a restart keeps keys, whitelist and counts. From the source and compiled.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeBencode } from '../../src/wire/bencode.ts'
import { ARIA2C, startAria2, writeTorrent } from '../support/e2e/aria2.ts'
import { PYTHON, startLibtorrent } from '../support/e2e/libtorrent.ts'
import { compiled, configuration, launch, type Program, source } from '../support/e2e/program.ts'
import { percent } from '../support/servers/served-http.ts'
import { until } from '../support/until.ts'

const TOKEN = 'a token of this test'
const NAME = 'a file.bin'
const UNKNOWN_KEY = '0123456789abcdefghijABCDEFGHIJ01'

const PROGRAMS: Readonly<Record<string, Program>> = {
  'the source': source,
  'the compiled program': compiled(),
}

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tracker-private-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** A tracker with an API, on the database of `room`. */
async function community(program: Program, room: string, isPrivate: boolean, listed: boolean) {
  const toml = configuration({
    core: `
[core.database]
path = "tracker.db"
[core.announce_policy]
interval = 600
interval_min = 600
[core.tracker_policy]
persistent_torrent_completed_stat = true
`,
    rest: `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[[http_trackers]]
bind_address = "127.0.0.1:0"
[http_api]
bind_address = "127.0.0.1:0"
access_tokens = { admin = "${TOKEN}" }
[health_check_api]
bind_address = "127.0.0.1:0"
`,
  })
    .replace('private = false', `private = ${isPrivate}`)
    .replace('listed = false', `listed = ${listed}`)
  const run = await launch(program, { toml, directory: room })
  const { udp_trackers, http_trackers } = await run.services()
  const [, api] = await run.says(/INFO API:\S* Started on: (http\S+)/)
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${api}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return JSON.parse(text)
  }
  const scrape = async (infoHash: Uint8Array, key?: string) => {
    const path = key === undefined ? '/scrape' : `/scrape/${key}`
    const answer = await fetch(`${http_trackers[0]}${path}?info_hash=${percent(infoHash)}`)
    const files = decodeBencode(new Uint8Array(await answer.arrayBuffer())) as Map<
      string,
      Map<string, Map<string, number>>
    >
    const [counts] = [...files.get('files')!.values()]
    return ['complete', 'downloaded', 'incomplete'].map((name) => counts!.get(name))
  }
  return {
    run,
    call,
    scrape,
    http: `${http_trackers[0]}/announce`,
    udp: `udp://${udp_trackers[0]}/announce`,
    [Symbol.asyncDispose]: () => run[Symbol.asyncDispose](),
  }
}

/** A torrent with content of its own, so with an info hash of its own, at `url`. */
function publish(room: string, url: string) {
  const seed = join(room, 'seeder')
  mkdirSync(seed, { recursive: true })
  const content = crypto.getRandomValues(new Uint8Array(60_000))
  writeFileSync(join(seed, NAME), content)
  const torrent = join(room, 'file.torrent')
  const infoHash = writeTorrent(torrent, url, NAME, content)
  const at = (other: string, name: string) => {
    const path = join(room, `${name}.torrent`)
    writeTorrent(path, other, NAME, content)
    return path
  }
  const arrived = () => Buffer.compare(readFileSync(join(room, 'leecher', NAME)), content) === 0
  return { seed, torrent, infoHash, at, arrived, leech: join(room, 'leecher') }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe.skipIf(PYTHON === null || ARIA2C === null).each(Object.entries(PROGRAMS))(
  '%s',
  (name, program) => {
    const roomOf = (what: string) => {
      const room = join(directory, `${name} ${what}`)
      mkdirSync(room, { recursive: true })
      return room
    }

    test.concurrent('serves libtorrent over UDP with the key in the URL, and nobody without a good one', async () => {
      const room = roomOf('udp')
      let key: string
      let file: ReturnType<typeof publish>
      {
        await using tracker = await community(program, room, true, false)
        key = (await tracker.call('POST', 'keys', { key: null, seconds_valid: 3600 })).key
        file = publish(room, `${tracker.udp}/${key}`)
        const { infoHash } = file
        const told = async (url: string, torrent: string) => {
          await using client = startLibtorrent(join(room, torrent), file.at(url, torrent))
          return (await client.hears('error', 'reply')).event
        }
        // This client forgets the reason that a UDP tracker gives.
        const answers = Promise.all([
          told(tracker.udp, 'without'),
          told(`${tracker.udp}/${UNKNOWN_KEY}`, 'unknown'),
          told(`${tracker.udp}/short`, 'malformed'),
        ])
        expect(await answers).toEqual(['error', 'error', 'error'])
        expect(await tracker.scrape(infoHash, key)).toEqual([0, 0, 0])

        await using seeder = startLibtorrent(file.seed, file.torrent)
        expect(await seeder.hears('reply', 'error')).toMatchObject({ event: 'reply' })
        await using leecher = startLibtorrent(file.leech, file.torrent)
        await leecher.hears('finished')
        expect(file.arrived()).toBe(true)
        await until('the completion', async () =>
          Bun.deepEquals(await tracker.scrape(infoHash, key), [2, 1, 0]),
        )
        // Nobody learns anything without the key.
        expect(await tracker.scrape(infoHash)).toEqual([0, 0, 0])
        await Promise.all([seeder.stop(), leecher.stop()])
        const { code, out, err } = await tracker.run.stop()
        expect([code, err]).toEqual([0, ''])
        expect(out).not.toContain(key)
      }
      await using again = await community(program, room, true, false)
      await using seeder = startLibtorrent(file.seed, file.at(`${again.udp}/${key}`, 'again'))
      expect(await seeder.hears('reply', 'error')).toMatchObject({ event: 'reply' })
      await until('the count of before the restart', async () =>
        Bun.deepEquals(await again.scrape(file.infoHash, key), [1, 1, 0]),
      )
      await again.call('DELETE', `key/${key}`)
      const torrent = file.at(`${again.udp}/${key}`, 'late')
      await using late = startLibtorrent(join(room, 'late client'), torrent)
      expect(await late.hears('error', 'reply')).toMatchObject({ event: 'error' })
    })

    test.concurrent('serves aria2 over HTTP with the key in the URL, and nobody without', async () => {
      const room = roomOf('http')
      await using tracker = await community(program, room, true, false)
      const { key } = await tracker.call('POST', 'keys', { key: null, seconds_valid: null })
      const file = publish(room, `${tracker.http}/${key}`)
      const stranger = await startAria2(
        join(room, 'stranger'),
        file.at(tracker.http, 'bare'),
        false,
      )
      await until('the stranger to be refused', async () => {
        const { tcp4_announces_handled, tcp4_connections_handled } = await tracker.call(
          'GET',
          'stats',
        )
        expect([tcp4_announces_handled, tcp4_connections_handled]).toEqual([0, 0])
        return stranger.text().includes('Missing authentication key')
      })
      await stranger.stop()
      await using seeder = await startAria2(file.seed, file.torrent, false)
      await until('the seeder', async () =>
        Bun.deepEquals(await tracker.scrape(file.infoHash, key), [1, 0, 0]),
      )
      await using leecher = await startAria2(file.leech, file.torrent, false)
      await until('the exchange', async () =>
        Bun.deepEquals(await tracker.scrape(file.infoHash, key), [2, 1, 0]),
      )
      await Promise.all([seeder.stop(), leecher.stop()])
      expect(file.arrived()).toBe(true)
    })

    test.concurrent('serves a listed torrent only, and still after a restart', async () => {
      const room = roomOf('listed')
      let infoHash: Uint8Array
      {
        await using tracker = await community(program, room, false, true)
        const file = publish(room, tracker.udp)
        infoHash = file.infoHash
        const ask = async (url: string, torrent: string) => {
          await using client = startLibtorrent(join(room, torrent), file.at(url, torrent))
          return await client.hears('error', 'reply')
        }
        const reason = `Tracker whitelist error: The torrent: ${hex(infoHash)}, is not whitelisted`
        expect(await ask(tracker.udp, 'udp')).toMatchObject({ event: 'error' })
        expect(await ask(tracker.http, 'http')).toEqual({
          event: 'error',
          message: expect.stringContaining(reason),
        })
        await tracker.call('POST', `whitelist/${hex(infoHash)}`)
        expect(await ask(tracker.udp, 'udp again')).toMatchObject({ event: 'reply' })
        expect(await ask(tracker.http, 'http again')).toMatchObject({ event: 'reply' })
        expect((await tracker.run.stop()).code).toBe(0)
      }
      await using again = await community(program, room, false, true)
      const file = publish(room, again.udp)
      await using other = startLibtorrent(file.seed, file.torrent)
      expect(await other.hears('error', 'reply')).toMatchObject({ event: 'error' })
      await again.call('POST', `whitelist/${hex(file.infoHash)}`)
      expect(await again.call('GET', 'whitelist')).toEqual(
        [hex(infoHash), hex(file.infoHash)].sort(),
      )
      await again.call('DELETE', `whitelist/${hex(infoHash)}`)
      expect(await again.call('GET', 'whitelist')).toEqual([hex(file.infoHash)])
    })
  },
)
