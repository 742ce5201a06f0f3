/**
 * The client of the npm package `bittorrent-tracker`, with real data channels, on this tracker: that two of them meet,
 * and what the tests of the package, which are not in it, ask of a tracker.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { hashOf, udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'
import { acceptedByLibtorrent } from '../support/webtorrent/libtorrent-check.ts'
import { HAS_NPM_CLIENT, type NpmClient, npmClient } from '../support/webtorrent/npm-client.ts'

const LISTENERS = `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[[websocket_trackers]]
bind_address = "127.0.0.1:0"
[health_check_api]
bind_address = "127.0.0.1:0"
`

let hashes = 0
/** One that no other test has. */
const newHash = () => hashOf(++hashes)

/** It complained of nothing, and libtorrent, which never scrapes, would take every frame that it got. */
function expectSound({ frames, warnings }: NpmClient): void {
  expect(warnings).toEqual([])
  expect(frames.length).toBeGreaterThan(0)
  for (const frame of frames.filter((text) => !text.includes('"action":"scrape"')))
    expect([frame, acceptedByLibtorrent(frame)]).toEqual([frame, undefined])
}

describe.skipIf(!HAS_NPM_CLIENT)('the npm client', () => {
  let tracker: TestTracker
  let url: string
  beforeAll(async () => {
    tracker = await startTracker({ workers: 2, rest: LISTENERS })
    url = `ws://127.0.0.1:${tracker.ports.webSocket[0]}/announce`
  })
  afterAll(() => tracker[Symbol.asyncDispose]())

  /** With a socket of its own. */
  const join = (name: string, infoHash: Uint8Array) =>
    npmClient({ name, infoHash, announce: `${url}/${name}` })

  /** Seeders and leechers, as a UDP client is told. */
  const becomes = (infoHash: Uint8Array, seeders: number, leechers: number) =>
    until(`${seeders} seeders, ${leechers} leechers`, async () => {
      using peer = await udpPeer(tracker.ports.udp[0]!)
      const counts = await peer.scrape(infoHash)
      return counts.seeders === seeders && counts.leechers === leechers
    })

  test('W27, W69: two that find each other only through the tracker talk both ways', async () => {
    const infoHash = newHash()
    await using seeder = await join('seeder', infoHash)
    await using leecher = await join('leecher', infoHash)
    seeder.client.start({ left: 0 })
    expect(await seeder.next('update')).toMatchObject({ complete: 1, incomplete: 0 })
    leecher.client.start({ left: 5 })
    expect(await leecher.next('update')).toMatchObject({ complete: 1, incomplete: 1 })
    const toLeecher = await seeder.connected('leecher')
    const toSeeder = await leecher.connected('seeder')
    toLeecher.send('from the seeder')
    toSeeder.send('from the leecher')
    await until('both words', () => seeder.heard.length === 1 && leecher.heard.length === 1)
    expect([leecher.heard, seeder.heard]).toEqual([['from the seeder'], ['from the leecher']])
    await becomes(infoHash, 1, 1)
    seeder.client.stop()
    expect(await seeder.next('update')).toMatchObject({ complete: 0, incomplete: 1 })
    await becomes(infoHash, 0, 1)
    // They need the tracker no more.
    toSeeder.send('still here')
    await until('one more word', () => seeder.heard.length === 2)
    for (const one of [seeder, leecher]) expectSound(one)
  })

  test('one is told the counts of each announce, also with fields of its application and a left past 2^53', async () => {
    const infoHash = newHash()
    const announce = `${url}/fields`
    const getAnnounceOpts = () => ({ testParam: 'this is a test', token: { deep: [1, null] } })
    await using one = await npmClient({ name: 'fields', infoHash, announce, getAnnounceOpts })
    one.client.start({ left: 2 ** 60 })
    const told = { announce, infoHash: one.client.infoHash }
    expect(await one.next('update')).toMatchObject({ ...told, complete: 0, incomplete: 1 })
    one.client.update({ left: 3 })
    expect(await one.next('update')).toMatchObject({ ...told, complete: 0, incomplete: 1 })
    one.client.complete({ left: 0 })
    expect(await one.next('update')).toMatchObject({ ...told, complete: 1, incomplete: 0 })
    // WebTorrent does not say `left` on each.
    one.client.update()
    expect(await one.next('update')).toMatchObject({ ...told, complete: 1, incomplete: 0 })
    one.client.scrape()
    expect(await one.next('scrape')).toMatchObject({
      ...told,
      ...{ complete: 1, incomplete: 0, downloaded: 1 },
    })
    one.client.stop()
    expect(await one.next('update')).toMatchObject({ ...told, complete: 0, incomplete: 0 })
    expectSound(one)
  })

  test('W15, W34: one that stops and is destroyed at once is gone, one that is destroyed without a word as well', async () => {
    const infoHash = newHash()
    await using polite = await join('polite', infoHash)
    await using rude = await join('rude', infoHash)
    for (const { client, next } of [polite, rude]) {
      client.start({ left: 1, numwant: 1 })
      await next('update')
    }
    await becomes(infoHash, 0, 2)
    polite.client.stop()
    await polite.destroy()
    await becomes(infoHash, 0, 1)
    await rude.destroy()
    await becomes(infoHash, 0, 0)
  })

  test('W42: scrapes of one torrent and of several', async () => {
    const [known, unknown] = [newHash(), newHash()]
    await using one = await join('scraper', known)
    one.client.start({ left: 0, numwant: 1 })
    await one.next('update')
    const entries: unknown[] = []
    one.client.on('scrape', (entry) => entries.push(entry))
    one.client.scrape({
      infoHash: [known, unknown].map((hash) => hash.toHex()),
    })
    await until('both entries', () => entries.length === 2)
    expect(entries).toMatchObject([
      { infoHash: known.toHex(), complete: 1, incomplete: 0, downloaded: 0 },
      { infoHash: unknown.toHex(), complete: 0, incomplete: 0, downloaded: 0 },
    ])
    expect(one.warnings).toEqual([])
  })

  test('two torrents share a socket, and one leaves it without the other', async () => {
    const [first, second] = [newHash(), newHash()]
    await using one = await join('shared', first)
    await using two = await join('shared', second)
    for (const { client, next } of [one, two]) {
      client.start({ left: 0, numwant: 1 })
      expect(await next('update')).toMatchObject({ complete: 1, incomplete: 0 })
    }
    await one.destroy()
    two.client.update({ left: 0, numwant: 1 })
    expect(await two.next('update')).toMatchObject({ complete: 1, incomplete: 0 })
    expectSound(two)
    await two.destroy()
    // With the socket both are gone, though neither said so.
    await becomes(first, 0, 0)
    await becomes(second, 0, 0)
  })

  test('W44: one is told why it is refused, and keeps its socket', async () => {
    const infoHash = newHash()
    using room = temporaryDirectory()
    const core = `[core.database]\npath = ${JSON.stringify(room.at('tracker.db'))}\n`
    await using listed = await startTracker({ listed: true, core, rest: LISTENERS })
    const announce = `ws://127.0.0.1:${listed.ports.webSocket[0]}/announce`
    await using one = await npmClient({ name: 'refused', infoHash, announce })
    one.client.start({ left: 0, numwant: 1 })
    await until('a warning', () => one.warnings.length > 0)
    // Had it not understood, it would not connect again for minutes.
    one.client.scrape()
    expect(await one.next('scrape')).toMatchObject({ complete: 0, incomplete: 0, downloaded: 0 })
    expect(one.warnings).toEqual([
      `Tracker whitelist error: The torrent: ${one.client.infoHash}, is not whitelisted`,
    ])
  })
})
