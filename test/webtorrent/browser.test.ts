/**
 * Two tabs of a browser that know of each other only through the tracker exchange a file: with and without TLS, with one
 * thread and with two, with the source and with the compiled program.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { certify } from '../support/certificate.ts'
import { configuration } from '../support/configuration.ts'
import { bothPrograms, launch, type Run } from '../support/e2e/program.ts'
import { npmFile } from '../support/npm-packages.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'
import { type Scraped, udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'
import { acceptedByLibtorrent } from '../support/webtorrent/libtorrent-check.ts'
import { HAS_WEBTORRENT, PAGE, startTabs, type Tab, type Tabs } from '../support/webtorrent/tabs.ts'

const FILE_BYTES = 300_000

const PROGRAMS = bothPrograms()
const TRACKERS = PROGRAMS.flatMap(([program]) =>
  [1, 2].map((workers) => [program, workers] as const),
)
const CASES = TRACKERS.flatMap(([program, workers]) =>
  (['ws', 'wss'] as const).map((transport) => [program, workers, transport] as const),
)

/** Every frame is a text that libtorrent would take, and the page found nothing wrong. */
function expectSound({ frames, complaints }: Tab): void {
  expect(complaints).toEqual([])
  for (const frame of frames) {
    expect(frame).toBeString()
    expect([frame, acceptedByLibtorrent(String(frame))]).toEqual([frame, undefined])
  }
}

describe.skipIf(!HAS_WEBTORRENT)('two tabs', () => {
  const directory = sharedDirectory()
  const trackers = new Map<string, Run>()
  let tabs: Tabs
  beforeAll(async () => {
    tabs = await startTabs()
    const { cert, key } = await certify(directory.path)
    const rest = `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[[websocket_trackers]]
bind_address = "127.0.0.1:0"
[[websocket_trackers]]
bind_address = "127.0.0.1:0"
tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }
[health_check_api]
bind_address = "127.0.0.1:0"
`
    for (const [name, program] of PROGRAMS)
      for (const workers of [1, 2]) {
        const toml = configuration({ workers, rest })
        trackers.set(`${name} ${workers}`, await launch(program, { toml }))
      }
  })
  afterAll(async () => {
    await tabs[Symbol.asyncDispose]()
    for (const tracker of trackers.values()) await tracker[Symbol.asyncDispose]()
  })

  test('load the version of WebTorrent that the page itself names', async () => {
    const { version }: { version: string } = await Bun.file(
      npmFile('webtorrent/package.json')!,
    ).json()
    expect(await Bun.file(PAGE).text()).toContain(`/webtorrent@${version}/dist/webtorrent.min.js`)
  })

  test.concurrent.each(CASES)(
    'W65, W70: exchange a file through %s with %d thread(s) over %s, and are gone with their tab',
    async (program, workers, transport) => {
      const { udp_trackers, websocket_trackers } = await trackers
        .get(`${program} ${workers}`)!
        .services()
      using scraper = await udpPeer(Number(udp_trackers[0]!.split(':')[1]))
      const becomes = (infoHash: Uint8Array, counts: Scraped) =>
        until(JSON.stringify(counts), async () =>
          Bun.deepEquals(await scraper.scrape(infoHash), counts),
        )
      const url = websocket_trackers.find((url) => url.startsWith(`${transport}:`))!
      const content = randomBytes(FILE_BYTES)

      const seeder = await tabs.open(url)
      const magnet = await seeder.seed('a file.bin', content)
      const infoHash = Buffer.from(/btih:([\da-f]{40})/.exec(magnet)![1]!, 'hex')
      await becomes(infoHash, { seeders: 1, downloaded: 0, leechers: 0 })
      const leecher = await tabs.open(url)
      expect(await leecher.download(magnet)).toBe(sha256(content))
      await becomes(infoHash, { seeders: 2, downloaded: 1, leechers: 0 })
      // Long before they would expire.
      await leecher.close()
      await becomes(infoHash, { seeders: 1, downloaded: 1, leechers: 0 })
      await seeder.close()
      await becomes(infoHash, { seeders: 0, downloaded: 1, leechers: 0 })

      for (const tab of [seeder, leecher]) expectSound(tab)
      const relayed = [seeder, leecher].flatMap(({ frames }) =>
        frames.flatMap((frame) => /"(offer|answer)":\{/.exec(String(frame))?.[1] ?? []),
      )
      expect(new Set(relayed)).toEqual(new Set(['offer', 'answer']))
    },
  )
})

const sha256 = (bytes: Uint8Array): string =>
  new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
