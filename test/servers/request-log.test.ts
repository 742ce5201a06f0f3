/** What `debug` and `trace` say of single requests (docs/behaviours.md O4): reason and client, samples only, and no key. */
import { describe, expect, test } from 'bun:test'
import { Access, createAccessMemory } from '../../src/access/access.ts'
import { Address } from '../../src/bittorrent.ts'
import { REFUSED_LINES, RequestLog, SERVED_LINES } from '../../src/servers/request-log.ts'
import { capturedLog } from '../support/captured-log.ts'
import { announceQuery, get, hashA } from '../support/http-client.ts'
import { overBothPaths } from '../support/servers/both-paths.ts'
import { makeTracker, serve } from '../support/servers/served-http.ts'
import { serveUdpAlone } from '../support/servers/served-udp.ts'
import {
  announcePacket,
  connected,
  connectPacket,
  hashOf,
  scrapePacket,
} from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const KEY = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const HERE = 'listener=here kind='
const announcePath = (changes = {}) => `/announce?${announceQuery(changes)}`

describe('over HTTP', () => {
  const served = `TRACE HTTP TRACKER: request served ${HERE}`
  const refused = `DEBUG HTTP TRACKER: request not served ${HERE}`

  async function ask(server: { url: string }) {
    await get(server.url, announcePath())
    await get(server.url, `/scrape?${announceQuery()}`)
    await get(server.url, announcePath({ port: 0 }))
    await get(server.url, '/scrape')
    await get(server.url, '/nowhere')
  }
  const REFUSED = [
    `${refused}announce outcome=bad_query client=127.0.0.1 reason=`,
    `${refused}scrape outcome=bad_query client=127.0.0.1 reason=`,
    `${refused}other outcome=malformed client=127.0.0.1`,
  ].map((line) => expect.stringContaining(line))

  test('nothing has a line at info, what is not served at debug, everything at trace', async () => {
    await using server = await serve()
    await ask(server)
    expect(server.lines).toEqual([])
    server.log.filter = 'debug'
    await ask(server)
    expect(server.lines).toEqual(REFUSED)
    server.lines.length = 0
    server.log.filter = 'trace'
    await ask(server)
    expect(server.lines).toEqual([
      `${served}announce outcome=served client=127.0.0.1 info_hash=${hashA.toString('hex')}`,
      `${served}scrape outcome=served client=127.0.0.1`,
      ...REFUSED,
    ])
  })

  test('a client whose address is not known has none', async () => {
    await using server = await serve({ network: { on_reverse_proxy: true } })
    server.log.filter = 'debug'
    await get(server.url, announcePath(), { 'x-forwarded-for': '203.0.113.7' })
    await get(server.url, announcePath())
    expect(server.lines).toEqual([
      `${refused}announce outcome=address_not_forwarded info_hash=${hashA.toString('hex')}`,
    ])
  })

  test('no line has a key, wherever the client wrote it', async () => {
    const rules = { private: true, listed: false, checksExpiration: true, seed: Int32Array.of(1) }
    const access = new Access(createAccessMemory(rules)!, true)
    await using server = await serve({ tracker: makeTracker({}, access) })
    server.log.filter = 'trace'
    for (const path of [
      `/announce/${KEY}?${announceQuery()}`,
      announcePath({ key: KEY }),
      announcePath({ port: KEY }),
      `${announcePath()}&${KEY}`,
      `/announce?${KEY}`,
      `/${KEY}`,
    ])
      await get(server.url, path)
    expect(server.lines.length).toBeGreaterThan(4)
    expect(server.lines.join('\n')).not.toContain(KEY)
  })
})

overBothPaths('over UDP', (isDirect) => {
  const served = `TRACE UDP TRACKER: request served ${HERE}`
  const refused = `DEBUG UDP TRACKER: request not served ${HERE}`
  const infoHash = Buffer.from(hashOf(3)).toString('hex')

  test('nothing has a line at info, what is not served at debug, everything at trace', async () => {
    using server = await serveUdpAlone(isDirect)
    using client = await connected(server.port)
    const ask = async () => {
      await client.ask(connectPacket())
      await client.ask(announcePacket(client.id, { infoHash: hashOf(3) }))
      await client.ask(scrapePacket(client.id, [hashOf(3)]))
      await client.ask(announcePacket(client.id ^ 1n, { infoHash: hashOf(3) }))
      await client.ask(scrapePacket(client.id ^ 1n, [hashOf(3), hashOf(3)]))
      client.send(new Uint8Array(3))
      // Too long an error for its datagram, so there is no answer either.
      client.send(connectPacket().fill(9, 0, 8))
      await client.ask(announcePacket(client.id, { port: 0 }))
    }
    const REFUSED = [
      `${refused}announce outcome=announce_unproven client=127.0.0.1 info_hash=${infoHash}`,
      `${refused}scrape outcome=scrape_unproven client=127.0.0.1`,
      `${refused}other outcome=malformed client=127.0.0.1`,
      `${refused}other outcome=bad_datagram client=127.0.0.1 reason=Protocol identifier missing`,
      expect.stringContaining(`${refused}other outcome=bad_datagram client=127.0.0.1 reason=`),
    ]
    await ask()
    expect(server.lines).toEqual([])
    server.log.filter = 'debug'
    await ask()
    expect(server.lines).toEqual(REFUSED)
    server.lines.length = 0
    server.log.filter = 'trace'
    await ask()
    expect(server.lines).toEqual([
      `${served}connect outcome=served client=127.0.0.1`,
      `${served}announce outcome=served client=127.0.0.1 info_hash=${infoHash}`,
      `${served}scrape outcome=served client=127.0.0.1`,
      ...REFUSED,
    ])
  })

  test('a sender that is dropped unread has a line', async () => {
    using server = await serveUdpAlone(isDirect, {
      tracker: makeTracker({ idErrors: 'ban', banLimit: 0 }),
    })
    server.log.filter = 'debug'
    using client = await connected(server.port)
    await client.ask(announcePacket(client.id ^ 1n))
    client.send(connectPacket())
    await until('the line', () => server.lines.length > 1)
    expect(server.lines.slice(1)).toEqual([`${refused}other outcome=banned client=127.0.0.1`])
  })
})

describe('a flood', () => {
  const from = new Address()

  function made() {
    const { log, lines } = capturedLog()
    log.filter = 'trace'
    return { lines, it: new RequestLog(log, 'UDP TRACKER', { thread: 2 }) }
  }

  test('has few lines of each kind, and the next line says how many were left out', async () => {
    const { lines, it } = made()
    for (let i = 0; i < 1_000; i++) {
      it.refused('announce', from, 'unlisted')
      it.refused('announce', from, 'full')
      it.served('announce', from)
    }
    // However slow this machine is: the thousand take less than some seconds.
    const count = (what: string) => lines.filter((line) => line.includes(what)).length
    for (const [what, most] of [
      ['outcome=unlisted', REFUSED_LINES],
      ['outcome=full', REFUSED_LINES],
      ['outcome=served', SERVED_LINES],
    ] as const) {
      expect(count(what)).toBeGreaterThanOrEqual(most)
      expect(count(what)).toBeLessThanOrEqual(most * 5)
    }
    expect(lines[0]).toBe(
      'DEBUG UDP TRACKER: request not served thread=2 kind=announce outcome=unlisted client=0.0.0.0',
    )
  })
})
