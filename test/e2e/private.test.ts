/**
 * A community's tracker and real clients: served with a key, over HTTP and UDP, or with a listed torrent, and refused
 * without; a restart keeps keys, whitelist and counts. From the source and compiled.
 */

import { describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ARIA2C, startAria2, writeTorrent } from '../support/e2e/aria2.ts'
import { PYTHON, startLibtorrent } from '../support/e2e/libtorrent.ts'
import { bothPrograms, type Program } from '../support/e2e/program.ts'
import { type Mode, runTracker } from '../support/e2e/tracker-process.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

const NAME = 'a file.bin'
const UNKNOWN_KEY = '0123456789abcdefghijABCDEFGHIJ01'

const PROGRAMS = bothPrograms()

const directory = sharedDirectory()

/** A tracker with an API, on the database of `room`. */
async function community(program: Program, room: string, mode: Mode) {
  const tables = `
[core.announce_policy]
interval = 600
interval_min = 600
[core.tracker_policy]
persistent_torrent_completed_stat = true
`
  const tracker = await runTracker(program, { mode, room, tables })
  return {
    ...tracker,
    httpUrl: `${tracker.http[0]}/announce`,
    udpUrl: `udp://127.0.0.1:${tracker.udp[0]}/announce`,
  }
}

/** A torrent of random content, so with a unique info hash, at `url`. */
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

describe.skipIf(PYTHON === null || ARIA2C === null).each(PROGRAMS)('%s', (name, program) => {
  const roomOf = (what: string) => {
    const room = directory.at(`${name} ${what}`)
    mkdirSync(room, { recursive: true })
    return room
  }

  test.concurrent('serves libtorrent over UDP with the key in the URL, and refuses it without a good one', async () => {
    const room = roomOf('udp')
    let key: string
    let file: ReturnType<typeof publish>
    {
      await using tracker = await community(program, room, 'private')
      key = (await tracker.call('POST', 'keys', { key: null, seconds_valid: 3600 })).key
      file = publish(room, `${tracker.udpUrl}/${key}`)
      const { infoHash } = file
      const told = async (url: string, torrent: string) => {
        await using client = startLibtorrent(join(room, torrent), file.at(url, torrent))
        return (await client.hears('error', 'reply')).event
      }
      // This client does not report the reason of a UDP tracker.
      const answers = Promise.all([
        told(tracker.udpUrl, 'without'),
        told(`${tracker.udpUrl}/${UNKNOWN_KEY}`, 'unknown'),
        told(`${tracker.udpUrl}/short`, 'malformed'),
      ])
      expect(await answers).toEqual(['error', 'error', 'error'])
      expect(await tracker.scrape([infoHash], key)).toEqual([[0, 0, 0]])

      await using seeder = startLibtorrent(file.seed, file.torrent)
      expect(await seeder.hears('reply', 'error')).toMatchObject({ event: 'reply' })
      await using leecher = startLibtorrent(file.leech, file.torrent)
      await leecher.hears('finished')
      expect(file.arrived()).toBe(true)
      await until('the completion', async () =>
        Bun.deepEquals(await tracker.scrape([infoHash], key), [[2, 1, 0]]),
      )
      // Without the key a scrape tells nothing.
      expect(await tracker.scrape([infoHash])).toEqual([[0, 0, 0]])
      await Promise.all([seeder.stop(), leecher.stop()])
      await tracker.stop()
    }
    await using again = await community(program, room, 'private')
    await using seeder = startLibtorrent(file.seed, file.at(`${again.udpUrl}/${key}`, 'again'))
    expect(await seeder.hears('reply', 'error')).toMatchObject({ event: 'reply' })
    await until('the count of before the restart', async () =>
      Bun.deepEquals(await again.scrape([file.infoHash], key), [[1, 1, 0]]),
    )
    await again.call('DELETE', `key/${key}`)
    const torrent = file.at(`${again.udpUrl}/${key}`, 'late')
    await using late = startLibtorrent(join(room, 'late client'), torrent)
    expect(await late.hears('error', 'reply')).toMatchObject({ event: 'error' })
  })

  test.concurrent('serves aria2 over HTTP with the key in the URL, and refuses it without', async () => {
    const room = roomOf('http')
    await using tracker = await community(program, room, 'private')
    const { key } = await tracker.call('POST', 'keys', { key: null, seconds_valid: null })
    const file = publish(room, `${tracker.httpUrl}/${key}`)
    const stranger = await startAria2(
      join(room, 'stranger'),
      file.at(tracker.httpUrl, 'bare'),
      false,
    )
    await until('the stranger to be refused', async () => {
      const { tcp4_announces_handled, tcp4_connections_handled } = await tracker.stats()
      expect([tcp4_announces_handled, tcp4_connections_handled]).toEqual([0, 0])
      return stranger.text().includes('Missing authentication key')
    })
    await stranger.stop()
    await using seeder = await startAria2(file.seed, file.torrent, false)
    await until('the seeder', async () =>
      Bun.deepEquals(await tracker.scrape([file.infoHash], key), [[1, 0, 0]]),
    )
    await using leecher = await startAria2(file.leech, file.torrent, false)
    await until('the exchange', async () =>
      Bun.deepEquals(await tracker.scrape([file.infoHash], key), [[2, 1, 0]]),
    )
    await Promise.all([seeder.stop(), leecher.stop()])
    expect(file.arrived()).toBe(true)
  })

  test.concurrent('serves only a listed torrent, and still after a restart', async () => {
    const room = roomOf('listed')
    let infoHash: Uint8Array
    {
      await using tracker = await community(program, room, 'listed')
      const file = publish(room, tracker.udpUrl)
      infoHash = file.infoHash
      const ask = async (url: string, torrent: string) => {
        await using client = startLibtorrent(join(room, torrent), file.at(url, torrent))
        return await client.hears('error', 'reply')
      }
      const reason = `Tracker whitelist error: The torrent: ${hex(infoHash)}, is not whitelisted`
      expect(await ask(tracker.udpUrl, 'udp')).toMatchObject({ event: 'error' })
      expect(await ask(tracker.httpUrl, 'http')).toEqual({
        event: 'error',
        message: expect.stringContaining(reason),
      })
      await tracker.call('POST', `whitelist/${hex(infoHash)}`)
      expect(await ask(tracker.udpUrl, 'udp again')).toMatchObject({ event: 'reply' })
      expect(await ask(tracker.httpUrl, 'http again')).toMatchObject({ event: 'reply' })
      await tracker.stop()
    }
    await using again = await community(program, room, 'listed')
    const file = publish(room, again.udpUrl)
    await using other = startLibtorrent(file.seed, file.torrent)
    expect(await other.hears('error', 'reply')).toMatchObject({ event: 'error' })
    await again.call('POST', `whitelist/${hex(file.infoHash)}`)
    expect(await again.call('GET', 'whitelist')).toEqual([hex(infoHash), hex(file.infoHash)].sort())
    await again.call('DELETE', `whitelist/${hex(infoHash)}`)
    expect(await again.call('GET', 'whitelist')).toEqual([hex(file.infoHash)])
  })
})
