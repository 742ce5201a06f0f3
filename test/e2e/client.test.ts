/**
 * `tracker client` of the compiled program against this tracker and two others, over UDP, HTTP and HTTPS, both address
 * families, and with the key of a private tracker.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { certify } from '../support/certificate.ts'
import { configuration, listeners, secureListeners } from '../support/configuration.ts'
import { writeTorrent } from '../support/e2e/aria2.ts'
import { OPPONENTS, type Opponent } from '../support/e2e/opponents.ts'
import { compiled, launch } from '../support/e2e/program.ts'
import { runTracker, TOLD } from '../support/e2e/tracker-process.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'
import { hashOf } from '../support/udp-client.ts'

const binary = compiled()

const room = sharedDirectory()

const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex')

/** The result of a run; `document` is its standard output, if that is JSON. */
async function client(...words: readonly (string | number)[]) {
  await using run = await launch(binary, {
    words: ['client', ...words.map(String)],
    directory: room.path,
  })
  const { code, out, err } = await run.ended()
  return { code, out, err, document: out.startsWith('{') ? JSON.parse(out) : undefined }
}

/** The document of a run that succeeds without messages. */
async function answer(...words: readonly (string | number)[]) {
  const { code, err, document } = await client(...words)
  expect([code, err]).toEqual([0, ''])
  return document
}

/** Two peers with different ports and ids, so that no tracker takes them for one. */
const SEEDER = ['--port', 5001, '--peer-id=-TK0100-000000000001']
const LEECHER = ['--port', 5002, '--peer-id=-TK0100-000000000002', '--left', 1]

/** Seeders, leechers and peers of a UDP or HTTP answer. */
function swarmOf(document: Record<string, unknown>) {
  const udp = document.AnnounceIpv4 as { seeders: number; leechers: number; peers: string[] }
  if (udp) return [udp.seeders, udp.leechers, udp.peers]
  const { complete, incomplete, peers } = document
  const endpoints = (peers as { ip: string; port: number }[]).map(({ ip, port }) => `${ip}:${port}`)
  return [complete, incomplete, endpoints]
}

/** Seeders, completions and leechers of one torrent in a UDP or HTTP scrape. */
function statsOf(document: Record<string, unknown>, hash: Uint8Array) {
  const udp = document.Scrape as { torrent_stats: Record<string, number>[] }
  if (udp) {
    const { seeders, completed, leechers } = udp.torrent_stats[0]!
    return [seeders, completed, leechers]
  }
  const { complete, downloaded, incomplete } = document[hex(hash)] as Record<string, number>
  return [complete, downloaded, incomplete]
}

describe.each(OPPONENTS)('$name', ({ available, hasWebSocket, start }) => {
  describe.skipIf(!available)('if installed', () => {
    /** Three with ASCII info hashes, one for each test that counts, and one of a torrent file with any bytes. */
    const hashes = { udp: hashOf(1), http: hashOf(2), text: hashOf(3), websocket: hashOf(4) }
    let inFile: Uint8Array
    let opponent: Opponent
    beforeAll(async () => {
      inFile = writeTorrent(room.at('a.torrent'), '', 'a', new Uint8Array(20_000))
      opponent = await start([...Object.values(hashes), inFile])
    })
    afterAll(() => opponent?.[Symbol.asyncDispose]())

    test.each(['udp', 'http'] as const)('a life of two peers over %s', async (transport) => {
      const url = opponent[transport]
      const hash = hashes[transport]
      const announce = async (...words: readonly (string | number)[]) =>
        swarmOf(await answer('announce', url, hex(hash), ...words))
      const scrape = async () => statsOf(await answer('scrape', url, hex(hash)), hash)

      expect((await announce(...SEEDER)).slice(0, 2)).toEqual([1, 0])
      const [seeders, leechers, peers] = await announce(...LEECHER)
      expect([seeders, leechers]).toEqual([1, 1])
      expect(peers).toContain('127.0.0.1:5001')
      const [, completed, ...others] = await scrape()
      expect(others).toEqual([1])

      await announce(...LEECHER.slice(0, 3), '--event', 'completed')
      expect(await scrape()).toEqual([2, completed! + 1, 0])
      await announce(...SEEDER, '--event', 'stopped')
      // The npm package reports the present seeders as completions.
      expect(await scrape()).toEqual([1, expect.any(Number), 0])
    })

    test.skipIf(!hasWebSocket)('a visit over a WebSocket, which sees all peers', async () => {
      const { websocket, udp } = opponent
      const hash = hex(hashes.websocket)
      await answer('announce', udp, hash, ...SEEDER)
      for (let visit = 0; visit < 2; visit++)
        expect(await answer('announce', websocket, hash, ...LEECHER)).toEqual({
          complete: 1,
          incomplete: 1,
          interval: expect.any(Number),
          'min interval': null,
          peers: [],
        })
      const [seeders, , leechers] = statsOf(
        await answer('scrape', websocket, hash),
        hashes.websocket,
      )
      expect([seeders, leechers]).toEqual([1, 0])
    })

    test('a file, a magnet link and digits are one torrent', async () => {
      const magnet = `magnet:?xt=urn:btih:${hex(inFile)}&dn=a`
      for (const [i, word] of ['a.torrent', magnet, hex(inFile)].entries())
        for (const [j, url] of [opponent.udp, opponent.http].entries()) {
          const id = `--peer-id=-TK0100-00000000000${i}`
          const announced = await answer('announce', url, word, '--port', 5001 + i, id)
          // Both transports share one swarm.
          expect([i, j, swarmOf(announced)[0]]).toEqual([i, j, i + 1])
        }
    })

    test.each(['udp', 'http'] as const)(
      'several torrents over %s, for people',
      async (transport) => {
        const url = opponent[transport]
        const place = url.replace('/announce', '')
        const { text, udp } = hashes
        const words = [hex(text), hex(udp), '--format', 'text']
        const announced = await client('announce', url, '--left', 1, '--port', 5003, ...words)
        expect([announced.code, announced.err]).toEqual([0, ''])
        for (const hash of [text, udp])
          expect(announced.out).toMatch(
            new RegExp(`^${place} over IPv4\ntorrent +${hex(hash)}\nannounced +port 5003, `, 'm'),
          )
        const scraped = await client('scrape', url, ...words)
        expect([scraped.code, scraped.err]).toEqual([0, ''])
        const lines = scraped.out.split('\n').map((line) => line.split(/ {2,}/))
        expect(lines[0]).toEqual([`${place} over IPv4`])
        expect(lines[1]).toEqual(['torrent', 'seeders', 'downloaded', 'leechers'])
        expect(lines[2]).toEqual([hex(text), '0', expect.stringMatching(/^\d+$/), '1'])
        expect(lines.slice(3).map(([hash]) => hash)).toEqual([hex(udp), ''])
      },
    )
  })
})

test('numwant, compact and the other options of an announce', async () => {
  await using tracker = await runTracker(binary)
  const [http] = tracker.http
  const words = [http!, hex(hashOf(1)), '--left', 1]
  for (const port of [5001, 5002, 5003])
    await answer('announce', ...words, '--port', port, '--peer-id', '41'.repeat(20))
  const { peers } = await answer('announce', ...words, '--numwant=1', '--compact=0')
  expect(peers).toEqual([
    { ip: '127.0.0.1', 'peer id': Array(20).fill(0x41), port: expect.any(Number) },
  ])
  const none = await answer('announce', ...words, '--peers-wanted', 0)
  expect([none.incomplete, none.peers]).toEqual([4, []])
  // By default it announces a seeder that starts.
  const seeder = await answer('announce', http!, hex(hashOf(1)), '--port', 5004)
  expect([seeder.complete, seeder.incomplete]).toEqual([1, 4])
})

test('over IPv6, and only over the family asked for', async () => {
  const rest = listeners().replaceAll('127.0.0.1', '[::1]')
  await using run = await launch(binary, { toml: configuration({ rest }) })
  await run.says(/HEALTH CHECK API: Started/)
  const [, udp] = await run.says(/UDP TRACKER: Started on: (udp:\/\/\[::1\]:\d+)/)
  const [, http] = await run.says(/HTTP TRACKER: Started on: (http:\/\/\[::1\]:\d+)/)
  const hash = hex(hashOf(1))
  await answer('announce', udp!, hash, '--port', 5001)
  const { AnnounceIpv6 } = await answer('announce', udp!, hash, '--port', 5002)
  expect(AnnounceIpv6.peers).toEqual(['[::1]:5001'])
  const { peers } = await answer('announce', `${http}/announce`, hash, '-6', '--port', 5003)
  expect(peers).toContainEqual({ ip: '::1', 'peer id': null, port: 5002 })
  const text = await client('scrape', '--ipv6', http!, hash, '--format=text')
  expect(text.out).toStartWith(`${http} over IPv6\n`)

  const port = new URL(http!).port
  const refused = await client('announce', `http://127.0.0.1:${port}`, hash)
  expect(refused).toMatchObject({ code: 1, out: '' })
  const wrong = await client('scrape', '-4', udp!, hash)
  expect([wrong.code, wrong.err]).toEqual([
    1,
    'tracker client scrape: ::1 is not an IPv4 address\n',
  ])
})

test('over HTTPS, with an untrusted certificate only if --insecure is given', async () => {
  const rest = secureListeners(await certify(room.path, 'tracker', { host: '127.0.0.1' }))
  await using run = await launch(binary, { toml: configuration({ rest }) })
  await run.says(/HEALTH CHECK API: Started/)
  const [, url] = await run.says(/HTTP TRACKER: Started on: (https\S+)/)
  const hash = hex(hashOf(1))
  for (const what of ['announce', 'scrape']) {
    const { code, out, err } = await client(what, url!, hash)
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(
      /^tracker client \w+: https:\S+: self signed certificate \(DEPTH_ZERO_SELF_SIGNED_CERT\); --insecure accepts any certificate\n$/,
    )
  }
  const announced = await answer('announce', '--insecure', url!, hash)
  expect(announced).toMatchObject({ complete: 1, incomplete: 0 })
  expect(await answer('scrape', '--insecure', `${url}/announce`, hash)).toEqual({
    [hash]: { complete: 1, downloaded: 0, incomplete: 0 },
  })
  const plain = await client('scrape', url!.replace('https', 'http'), hash)
  expect(plain).toMatchObject({ code: 1, out: '' })
})

test('a private tracker needs the key in the URL, over HTTP and UDP, and its refusal is printed', async () => {
  await using tracker = await runTracker(binary, { mode: 'private' })
  const key = await tracker.addKey(600)
  const hash = hex(hashOf(1))
  const http = tracker.http[0]!
  const udp = `udp://127.0.0.1:${tracker.udp[0]}`

  const seeded = await answer('announce', `${http}/announce/${key}`, hash, '--port', 5001)
  expect(swarmOf(seeded)).toEqual([1, 0, []])
  const found = await answer('announce', `${udp}/announce/${key}`, hash, '--port', 5002)
  expect(swarmOf(found)).toEqual([2, 0, ['127.0.0.1:5001']])
  const leeching = await answer(
    'announce',
    `${udp}/announce/${key}`,
    hash,
    '--port',
    5003,
    '--left',
    1,
  )
  expect(swarmOf(leeching)).toEqual([
    2,
    1,
    expect.arrayContaining(['127.0.0.1:5001', '127.0.0.1:5002']),
  ])
  expect(await answer('scrape', `${http}/announce/${key}`, hash)).toEqual({
    [hash]: { complete: 2, downloaded: 0, incomplete: 1 },
  })

  const kept = await client('announce', http, hash)
  expect([kept.code, kept.document]).toEqual([1, { 'failure reason': TOLD.missing }])
  expect(kept.err).toBe(`tracker client announce: ${http}: the tracker refuses: ${TOLD.missing}\n`)
  const refused = await client('announce', udp, hash)
  expect([refused.code, refused.document]).toEqual([
    1,
    { Error: { transaction_id: expect.any(Number), message: TOLD.missing } },
  ])
  const text = await client('announce', `${http}/announce/${key}x`, hash, '--format', 'text')
  expect([text.code, text.out]).toEqual([1, ''])
  expect(text.err).toBe(
    `tracker client announce: ${http}: the tracker refuses: ${TOLD.malformed}\n`,
  )
})

test('of several torrents each is announced, even if others fail', async () => {
  await using tracker = await runTracker(binary, { mode: 'listed' })
  const [listed, other] = [hex(hashOf(1)), hex(hashOf(2))]
  await tracker.call('POST', `whitelist/${listed}`)
  const [url] = tracker.http
  const { code, err, document } = await client('announce', url!, other, listed, listed)
  expect(code).toBe(1)
  expect(err).toBe(
    `tracker client announce: ${url}: the tracker refuses: ${TOLD.unlisted(hashOf(2))} (${other})\n`,
  )
  expect(Object.entries(document)).toEqual([
    [other, { 'failure reason': TOLD.unlisted(hashOf(2)) }],
    [listed, { complete: 1, incomplete: 0, interval: 120, 'min interval': 120, peers: [] }],
  ])
})
