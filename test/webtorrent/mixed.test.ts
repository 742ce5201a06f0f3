/**
 * One swarm for clients of every transport, and one port for HTTP and WebSocket. All peers are counted, and each is told
 * of those that it can reach: in WebTorrent over data channels, elsewhere by their addresses.
 */
import { describe, expect, test } from 'bun:test'
import { freePort } from '../support/e2e/program.ts'
import { announceQuery, get, hashA, percent } from '../support/http-client.ts'
import { startTracker } from '../support/started-tracker.ts'
import { udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'
import { HAS_NPM_CLIENT, NPM_PORT, npmClient } from '../support/webtorrent/npm-client.ts'

const [SEEDER_PORT, LEECHER_PORT] = [1_001, 2_002]

async function start() {
  const port = await freePort()
  const tracker = await startTracker({
    workers: 2,
    rest: `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[[http_trackers]]
bind_address = "127.0.0.1:${port}"
[[websocket_trackers]]
bind_address = "127.0.0.1:${port}"
[health_check_api]
bind_address = "127.0.0.1:0"
`,
  })
  const udp = await udpPeer(tracker.ports.udp[0]!)
  const http = `http://127.0.0.1:${port}`
  return {
    udp,
    url: { http: `${http}/announce`, ws: `ws://127.0.0.1:${port}/announce` },
    /** What the seeder is told: counts, and the compact peers, hexadecimal. */
    async announceHttp(left: number) {
      const query = announceQuery({ left, port: SEEDER_PORT, compact: 1, event: undefined })
      const { value } = await get(http, `/announce?${query}`)
      const peers = value.get('peers')
      const hex = peers instanceof Uint8Array ? peers.toHex() : ''
      return {
        seeders: value.get('complete'),
        leechers: value.get('incomplete'),
        peers: hex.match(/.{12}/g) ?? [],
      }
    },
    async scrapeHttp() {
      const { body } = await get(http, `/scrape?info_hash=${percent(hashA)}`)
      return body.toString('latin1')
    },
    async [Symbol.asyncDispose]() {
      udp[Symbol.dispose]()
      await tracker[Symbol.asyncDispose]()
    },
  }
}

const compact = (port: number): string => `7f000001${port.toString(16).padStart(4, '0')}`

describe.skipIf(!HAS_NPM_CLIENT)('one torrent has', () => {
  test('W48, W49: a UDP leecher, an HTTP seeder and two WebTorrent leechers', async () => {
    await using tracker = await start()
    const { udp, url } = tracker
    await using one = await npmClient({ name: 'one', infoHash: hashA, announce: `${url.ws}/one` })
    one.client.start({ left: 5 })
    expect(await one.next('update')).toMatchObject({ complete: 0, incomplete: 1 })
    expect(await tracker.announceHttp(0)).toEqual({ seeders: 1, leechers: 1, peers: [] })
    expect(await udp.announce(hashA, { left: 1, port: LEECHER_PORT })).toEqual({
      ...{ seeders: 1, leechers: 2, peers: [compact(SEEDER_PORT)] },
    })
    expect(await tracker.announceHttp(0)).toEqual({
      ...{ seeders: 1, leechers: 2, peers: [compact(LEECHER_PORT)] },
    })
    // No other takes offers yet.
    one.client.update({ left: 5 })
    expect(await one.next('update')).toMatchObject({ complete: 1, incomplete: 2 })
    await using two = await npmClient({ name: 'two', infoHash: hashA, announce: `${url.ws}/two` })
    two.client.start({ left: 5 })
    expect(await two.next('update')).toMatchObject({ complete: 1, incomplete: 3 })
    await Promise.all([one.connected('two'), two.connected('one')])
    // Each has made five offers, and only one other could take them.
    expect([one.peers.length, two.peers.length]).toEqual([1, 1])

    const counts = { complete: 1, incomplete: 3, downloaded: 0 }
    one.client.scrape()
    expect(await one.next('scrape')).toMatchObject(counts)
    expect(await udp.scrape(hashA)).toEqual({ seeders: 1, leechers: 3, downloaded: 0 })
    expect(await tracker.scrapeHttp()).toContain('d8:completei1e10:downloadedi0e10:incompletei3ee')
  })

  test('W64: a seeder over HTTP and WebSocket, that meets the leechers of both', async () => {
    await using tracker = await start()
    const { udp, url } = tracker
    const announce = [url.ws, url.http]
    await using both = await npmClient({ name: 'both', infoHash: hashA, announce })
    both.client.start({ left: 0 })
    // One client, but a peer over each transport.
    await until('both', async () => (await udp.scrape(hashA)).seeders === 2)
    expect(await udp.announce(hashA, { left: 1, port: LEECHER_PORT })).toMatchObject({
      peers: [compact(NPM_PORT)],
    })
    await using web = await npmClient({ name: 'web', infoHash: hashA, announce: `${url.ws}/web` })
    web.client.start({ left: 5 })
    expect(await web.next('update')).toMatchObject({ complete: 2, incomplete: 2 })
    await web.connected('both')
    await both.connected('web')
    both.client.update({ left: 0 })
    await until('an address', () => both.addresses.length > 0)
    expect(both.addresses).toEqual([`127.0.0.1:${LEECHER_PORT}`])
    await both.destroy()
    await until('one to be gone', async () => (await udp.scrape(hashA)).seeders === 1)
  })
})
