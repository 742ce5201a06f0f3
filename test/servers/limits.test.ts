/** How each protocol tells a client that its account is over a limit (docs/behaviours.md N23, N24). */
import { describe, expect, test } from 'bun:test'
import { createSwarmMemory, Swarm } from '../../src/swarm/swarm.ts'
import { keyText } from '../support/access/entries.ts'
import { limitedTracker, SETTINGS } from '../support/accounting/limited.ts'
import { announceQuery, get, hashA } from '../support/http-client.ts'
import { NOW_MILLISECONDS, serve, trackerOver } from '../support/servers/served-http.ts'
import { serveUdpAlone } from '../support/servers/served-udp.ts'
import { serveWeb } from '../support/servers/served-websockets.ts'
import { connected, hashOf, urlData } from '../support/udp-client.ts'
import { announce, answerTo, offers } from '../support/webtorrent/speaker.ts'

const TEXTS = [
  ['slots', 'Download slots are all in use'],
  ['clients', 'Too many clients on this torrent'],
  ['noDownload', 'Downloading is disabled for this account'],
] as const
type Name = (typeof TEXTS)[number][0]
const latin1 = (bytes: unknown): string => Buffer.from(bytes as Uint8Array).toString('latin1')

/** Accounts of which number 1 is over a limit on the torrent of that info hash. */
function overLimit(name: Name, infoHash: Uint8Array) {
  const it = limitedTracker()
  const [own, other] = [infoHash, hashOf(9)].map((bytes) => new Int32Array(bytes.slice().buffer))
  const settings = {
    slots: { maxDownloads: 1 },
    clients: { maxPeers: 1 },
    noDownload: { canDownload: false },
  }
  it.accounts.set(1, { ...SETTINGS, ...settings[name] })
  it.leech(1, name === 'slots' ? other! : own!)
  return it
}

function trackerOf({ tracking }: ReturnType<typeof limitedTracker>) {
  const swarm = new Swarm(createSwarmMemory(16 * 2 ** 20, Int32Array.of(1)), 1, 1)
  const clock = { seconds: () => NOW_MILLISECONDS / 1000, milliseconds: () => NOW_MILLISECONDS }
  return trackerOver(swarm, clock, {}, tracking)
}

describe.each(TEXTS)('%s', (name, text) => {
  test.each(['0', '1'])('HTTP: a warning beside counts and no peers (compact=%s)', async (form) => {
    const it = overLimit(name, hashA)
    await using tracker = await serve({ tracker: trackerOf(it) })
    const ask = async (key: number, port: string) => {
      const query = announceQuery({ left: 5, compact: form, port, event: undefined })
      return (await get(tracker.url, `/announce/${keyText(key)}?${query}`)).value
    }
    const seen = await ask(2, '1')
    expect(seen.get('warning message')).toBeUndefined()
    const over = await ask(1, '2')
    expect([...over.keys()]).toEqual([...over.keys()].toSorted())
    expect(latin1(over.get('warning message'))).toBe(text)
    expect([over.get('complete'), over.get('incomplete'), over.get('interval')]).toEqual([
      0,
      1,
      seen.get('interval'),
    ])
    expect(over.get('peers')).toHaveLength(0)
    // And the next client hears nothing of it.
    expect((await ask(3, '3')).get('warning message')).toBeUndefined()
    expect(it.noted().map(({ limit }) => limit)).toEqual([undefined, name, undefined])
    expect(text.length).toBeLessThanOrEqual(64)
  })

  test('UDP: counts and no peers', async () => {
    const it = overLimit(name, hashOf(1))
    using tracker = await serveUdpAlone(true, { tracker: trackerOf(it) })
    using client = await connected(tracker.port)
    const ask = (key: number) =>
      client.announce({ left: 5, port: key, options: urlData(`/announce/${keyText(key)}`) })
    await ask(2)
    expect(await ask(1)).toMatchObject({ action: 1, seeders: 0, leechers: 1, peers: [] })
    expect((await ask(3)).peers).toHaveLength(1)
    expect(it.noted().map(({ limit }) => limit)).toEqual([undefined, name, undefined])
  })

  test('WebSocket: a warning beside counts; its offers go to no peer, and no offers come', async () => {
    const it = overLimit(name, Buffer.from('torrent'.padEnd(20, '.')))
    await using tracker = await serveWeb({ tracking: it.tracking })
    using seeder = await tracker.join(`/announce/${keyText(2)}`)
    using over = await tracker.join(`/announce/${keyText(1)}`)
    using leecher = await tracker.join(`/announce/${keyText(3)}`)
    await seeder.ask(announce('torrent', 'seeder', { left: 0 }))
    expect(await over.ask(announce('torrent', 'over', { left: 5, ...offers('one') }))).toEqual({
      action: 'announce',
      interval: 120,
      info_hash: 'torrent'.padEnd(20, '.'),
      complete: 1,
      incomplete: 0,
      downloaded: 0,
      'warning message': text,
    })
    expect(await seeder.rest()).toEqual([])
    const answered = await leecher.ask(
      announce('torrent', 'leecher', { left: 5, ...offers('a', 'b') }),
    )
    expect(answered).not.toHaveProperty('warning message')
    const [offer] = await seeder.rest()
    expect([await over.rest(), offer?.offer_id.slice(0, 2)]).toEqual([[], 'a.'])
    // An answer of its own finds no offer.
    over.send(answerTo(offer!, 'over'))
    expect([await over.rest(), await leecher.rest()]).toEqual([[], []])
  })
})
