/** One torrent with its peers, out of a real swarm (docs/behaviours.md A11). */
import { describe, expect, test } from 'bun:test'
import { byPeerId } from '../../src/api/torrent-routes.ts'
import {
  Announce,
  type AnnounceEvent,
  Answer,
  COUNT,
  EVENT,
  SEAT,
  SeatAnnounce,
  WEB,
} from '../../src/bittorrent.ts'
import { FAMILIES, WEB_ROW } from '../../src/swarm/layout.ts'
import { createSwarmMemory, Swarm } from '../../src/swarm/swarm.ts'
import { readStatistics } from '../../src/view/statistics.ts'
import type { InspectedPeer } from '../../src/view/torrents.ts'
import { torrentView } from '../../src/view/torrents.ts'
import { parseIp } from '../../src/wire/address.ts'
import { askWithToken, listing, serve } from '../support/api/served-api.ts'
import { dice, seed } from '../support/random.ts'
import { anyone, policy, trackerOver } from '../support/servers/served-http.ts'

const HASH = '3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0'
/** What the tracker's clock says, in seconds. */
const NOW = 1_700_000_000

type Peer = {
  hash?: string
  id: string
  ip: string
  port: number
  left: bigint
  event?: AnnounceEvent
  uploaded?: bigint
  downloaded?: bigint
}

async function withPeers(peers: readonly Peer[]) {
  const swarm = new Swarm(createSwarmMemory(16 * 1024 * 1024, Int32Array.of(1)), 1, 1)
  const clock = { seconds: () => NOW, milliseconds: () => NOW * 1_000 }
  const tracker = trackerOver(swarm, clock)
  for (const {
    hash = HASH,
    id,
    ip,
    port,
    left,
    event = EVENT.started,
    uploaded = 0n,
    downloaded = 0n,
  } of peers) {
    const announce = new Announce()
    announce.infoHash.set(Buffer.from(hash, 'hex'))
    announce.peerId.set(Buffer.from(id.padEnd(20, '0'), 'latin1'))
    const address = parseIp(ip)!
    announce.family = address.length === 4 ? 4 : 6
    announce.endpoint.set(address)
    announce.port = port
    ;[uploaded, downloaded, left].forEach((count, i) => {
      announce.counts[i * 2] = Number(BigInt.asIntN(32, count >> 32n))
      announce.counts[i * 2 + 1] = Number(BigInt.asIntN(32, count))
    })
    announce.event = event
    const outcome = tracker.announce(anyone, announce, { externalIp: undefined }, new Answer([]))
    if (outcome !== 'served') throw new Error(outcome)
  }
  const torrents = torrentView(swarm, () => tracker.cutoffs(NOW))
  return await serve({ torrents })
}

describe('a torrent', () => {
  test('A11: has its peer, every field in order and of both generations', async () => {
    await using api = await withPeers([
      {
        id: '-qB4500-abcdefghijkl',
        ip: '203.0.113.9',
        port: 51413,
        left: 0n,
        event: EVENT.completed,
        uploaded: 1024n,
        downloaded: 2048n,
      },
    ])
    const reply = await askWithToken(api.url, { path: `/api/v1/torrent/${HASH.toUpperCase()}` })
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/json'])
    expect(reply.body.toString()).toBe(
      `{"info_hash":"${HASH}","seeders":1,"completed":0,"leechers":0,"peers":[{"peer_id":{"id":"0x2d7142343530302d6162636465666768696a6b6c","client":"qBittorrent"},"peer_addr":"203.0.113.9:51413","updated":1700000000000,"updated_milliseconds_ago":1700000000000,"updated_at_ms":1700000000000,"uploaded":1024,"downloaded":2048,"left":0,"event":"Completed"}]}`,
    )
  })

  test('has its peers of both families by their ids, and counts to 64 bits exactly', async () => {
    await using api = await withPeers([
      { id: 'b', ip: '2001:db8::1', port: 6881, left: 2n ** 63n - 1n, downloaded: 2n ** 53n + 1n },
      { id: '\xff', ip: '127.0.0.1', port: 1, left: 1n, event: EVENT.none },
      { id: 'a"\\', ip: '::ffff:10.0.0.1', port: 65535, left: 0n, uploaded: 2n ** 64n - 1n },
    ])
    const body = (await askWithToken(api.url, { path: `/api/v1/torrent/${HASH}` })).body.toString()
    expect(JSON.parse(body)).toMatchObject({ seeders: 1, leechers: 2, completed: 0 })
    expect(body.match(/"(id|peer_addr|client|uploaded|downloaded|left|event)":[^,}]+/g)).toEqual([
      '"id":"0x61225c3030303030303030303030303030303030"',
      '"client":null',
      '"peer_addr":"10.0.0.1:65535"',
      '"uploaded":-1',
      '"downloaded":0',
      '"left":0',
      '"event":"Started"',
      '"id":"0x6230303030303030303030303030303030303030"',
      '"client":null',
      '"peer_addr":"[2001:db8::1]:6881"',
      '"uploaded":0',
      '"downloaded":9007199254740993',
      '"left":9223372036854775807',
      '"event":"Started"',
      '"id":"0xff30303030303030303030303030303030303030"',
      '"client":null',
      '"peer_addr":"127.0.0.1:1"',
      '"uploaded":0',
      '"downloaded":0',
      '"left":1',
      '"event":"None"',
    ])
  })

  test('W51: shows a WebTorrent peer by the address of its WebSocket, and says what it is', async () => {
    const peer = {
      seen: NOW,
      peerId: new Uint8Array(Buffer.from('-WW0300-abcdefghijkl')),
      uploaded: 1n,
      downloaded: 2n,
      left: 3n,
      event: EVENT.started,
    }
    /** In the seat of thread 2 with number 259. */
    const webPeer = (ip: string, port: number): InspectedPeer => {
      const address = parseIp(ip)!
      const mapped = address.length === 4 ? [...Array(10).fill(0), 0xff, 0xff] : []
      const endpoint = Uint8Array.of(...mapped, ...address, port >> 8, port, 2, 0, 0, 0, 3, 1)
      return { ...peer, family: WEB, endpoint }
    }
    const address = Uint8Array.of(203, 0, 113, 9, 1, 2)
    const peers = [
      webPeer('203.0.113.9', 51413),
      webPeer('2001:db8::9', 80),
      { ...peer, family: 4, endpoint: address },
    ]
    await using api = await serve({
      torrents: {
        ...listing(async function* () {}),
        one: async () => ({ seeders: 0, leechers: 3, downloaded: 0, peers }),
      },
    })
    const reply = await askWithToken(api.url, { path: `/api/v1/torrent/${HASH}` })
    const shown = (peer_addr: string, more = '') =>
      `{"peer_id":{"id":"0x2d5757303330302d6162636465666768696a6b6c","client":"WebTorrent"},"peer_addr":"${peer_addr}","updated":1700000000000,"updated_milliseconds_ago":1700000000000,"updated_at_ms":1700000000000,"uploaded":1,"downloaded":2,"left":3,"event":"Started"${more}}`
    const web = ',"protocol":"webtorrent"'
    expect(reply.body.toString()).toBe(
      `{"info_hash":"${HASH}","seeders":0,"completed":0,"leechers":3,"peers":[${shown('203.0.113.9:51413', web)},${shown('[2001:db8::9]:80', web)},${shown('203.0.113.9:258')}]}`,
    )
  })

  test('has all of five thousand peers', async () => {
    const peers = Array.from({ length: 5_000 }, (_, n) => ({
      id: `-TR3000-${String((n * 7_919) % 5_000).padStart(12, '0')}`,
      ip: `10.0.${n >> 8}.${n & 255}`,
      port: 6881,
      left: BigInt(n % 2),
    }))
    await using api = await withPeers(peers)
    // With fetch, which reassembles a body in chunks.
    const reply = await fetch(`${api.url}/api/v1/torrent/${HASH}?token=MyAccessToken`)
    const torrent = (await reply.json()) as { peers: { peer_id: { id: string } }[] }
    expect(torrent).toMatchObject({ seeders: 2_500, leechers: 2_500 })
    expect(torrent.peers.map(({ peer_id }) => peer_id.id)).toEqual(
      peers.map(({ id }) => `0x${Buffer.from(id).toString('hex')}`).sort(),
    )
  })
})

test('W51: WebTorrent peers count in lists and statistics, and are shown with the others', async () => {
  const rows = [...FAMILIES, WEB_ROW]
  const swarm = new Swarm(createSwarmMemory(16 * 1024 * 1024, Int32Array.of(1), false, rows), 1, 1)
  const tracker = trackerOver(swarm, { seconds: () => NOW, milliseconds: () => NOW * 1_000 })
  const answer = new Answer([])
  const name = (peer: Announce | SeatAnnounce, id: string) => {
    peer.infoHash.set(Buffer.from(HASH, 'hex'))
    peer.peerId.set(Buffer.from(id))
    peer.event = EVENT.started
  }
  const seat = new SeatAnnounce()
  const endpoint = new Uint8Array(seat.endpointHalves.buffer)
  endpoint.set(parseIp('2001:db8::9')!)
  endpoint.set([51413 >> 8, 51413 & 255], SEAT.port * 2)
  seat.endpointHalves[SEAT.thread] = 1
  const since = NOW - policy.webPeerTimeoutSeconds
  for (const [number, [left, seen]] of [
    [0, since + 1] as const,
    [9, NOW] as const,
    [0, NOW] as const,
    // Gone.
    [0, since] as const,
  ].entries()) {
    seat.endpointHalves[SEAT.seat + 1] = number
    seat.counts[COUNT.left + 1] = left
    name(seat, `-WW0300-00000000000${number}`)
    expect(tracker.announceSeat(anyone, seat, answer, seen)).toBe('served')
  }
  const other = new Announce()
  other.endpoint.set([203, 0, 113, 9])
  other.port = 6881
  other.counts[COUNT.left + 1] = 5
  name(other, '-TR3000-000000000000')
  // Peers of other kinds live longer.
  tracker.announce(anyone, other, { externalIp: undefined }, answer, since)

  const torrents = torrentView(swarm, () => tracker.cutoffs())
  await using api = await serve({
    torrents,
    stats: () =>
      readStatistics({
        udp: [],
        http: [],
        webSocket: [],
        totals: swarm.totals(),
        bannedIps: 0,
        persistedDownloads: undefined,
      }),
  })
  const ask = async (path: string) =>
    JSON.parse(`${(await askWithToken(api.url, { path: `/api/v1/${path}` })).body}`)
  const counts = { seeders: 2, completed: 0, leechers: 2 }
  expect(await ask('torrents')).toEqual([{ info_hash: HASH, ...counts }])
  expect(await ask(`torrents?info_hash=${HASH}`)).toEqual([{ info_hash: HASH, ...counts }])
  expect(await ask('torrents?sort=peers')).toEqual([{ info_hash: HASH, ...counts }])
  // Those that are gone are removed by the next announce or sweep.
  expect(await ask('stats')).toMatchObject({ seeders: 3, leechers: 2, ws_peers: 4 })
  const { peers, ...torrent } = await ask(`torrent/${HASH}`)
  expect(torrent).toEqual({ info_hash: HASH, ...counts })
  type Shown = { peer_addr: string; protocol?: string; left: number; updated_at_ms: number }
  expect(
    peers.map((peer: Shown) => [peer.peer_addr, peer.protocol, peer.left, peer.updated_at_ms]),
  ).toEqual([
    ['203.0.113.9:6881', undefined, 5, since * 1_000],
    ['[2001:db8::9]:51413', 'webtorrent', 0, (since + 1) * 1_000],
    ['[2001:db8::9]:51413', 'webtorrent', 9, NOW * 1_000],
    ['[2001:db8::9]:51413', 'webtorrent', 0, NOW * 1_000],
  ])
})

test('A13, A14: a real swarm is listed by info hash, in pages, or as named', async () => {
  const other = '9c38422213e30bff212b30c360d26f9a02136422'
  const peer = { id: 'a', ip: '1.2.3.4', port: 1, left: 0n }
  await using api = await withPeers([{ ...peer, hash: other, left: 1n }, peer])
  const list = async (query: string) =>
    (await askWithToken(api.url, { path: `/api/v1/torrents${query}` })).body.toString()
  const seeded = `{"info_hash":"${HASH}","seeders":1,"completed":0,"leechers":0}`
  const leeched = `{"info_hash":"${other}","seeders":0,"completed":0,"leechers":1}`
  expect(await list('')).toBe(`[${seeded},${leeched}]`)
  expect(await list('?limit=1')).toBe(`[${seeded}]`)
  expect(await list('?limit=0')).toBe('[]')
  expect(await list('?offset=1')).toBe(`[${leeched}]`)
  const unknown = '0'.repeat(40)
  const named = [other, unknown, HASH, other.toUpperCase()].map((hash) => `info_hash=${hash}`)
  expect(await list(`?limit=0&${named.join('&')}`)).toBe(`[${leeched},${seeded},${leeched}]`)
})

test('peers are sorted as by a simple sort, with turns of the event loop between', async () => {
  const roll = dice()
  for (const length of [0, 1, 2_047, 2_048, 2_049, 10_000]) {
    const peers = Array.from({ length }, (_, n) => ({
      seen: n,
      peerId: Uint8Array.of(roll(256), roll(4)),
    })) as unknown as readonly InspectedPeer[]
    let turns = 0
    let done = false
    const count = () => {
      turns++
      if (!done) setImmediate(count)
    }
    count()
    const sorted = await byPeerId(peers)
    done = true
    const expected = [...peers].sort((a, b) => Buffer.compare(a.peerId, b.peerId))
    expect([seed, sorted.map(({ seen }) => seen)]).toEqual([seed, expected.map(({ seen }) => seen)])
    // Five runs are sorted, then merged in three rounds of four pieces and more.
    if (length === 10_000) expect(turns).toBeGreaterThan(5 + 3 * 4)
  }
})
