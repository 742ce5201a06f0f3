/**
 * Two real clients that find each other only through the tracker exchange a file: over UDP and over HTTP, with the
 * source and with the compiled program.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeBencode } from '../../src/wire/bencode.ts'
import { configuration } from '../support/configuration.ts'
import { ARIA2C, startAria2, writeTorrent } from '../support/e2e/aria2.ts'
import { bothPrograms, launch, type Run } from '../support/e2e/program.ts'
import { percent } from '../support/http-client.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'
import { type Scraped, udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const NAME = 'a file.bin'
const FILE_BYTES = 60_000
/** So long that a client announces only once during a test. */
const INTERVAL_SECONDS = 600

type Transport = 'udp' | 'http'
type Role = 'seeder' | 'leecher'

const PROGRAMS = bothPrograms()
type Case = [program: string, transport: Transport, first: Role, second: Role]
const CASES = PROGRAMS.flatMap(([program]) =>
  (['udp', 'http'] as const).flatMap((transport): Case[] => [
    [program, transport, 'seeder', 'leecher'],
    [program, transport, 'leecher', 'seeder'],
  ]),
)

describe.skipIf(ARIA2C === null)('two aria2 clients', () => {
  const directory = sharedDirectory()
  const trackers = new Map<string, Run>()
  beforeAll(async () => {
    const core = `[core.announce_policy]\ninterval = ${INTERVAL_SECONDS}\ninterval_min = ${INTERVAL_SECONDS}\n`
    for (const [name, program] of PROGRAMS)
      trackers.set(name, await launch(program, { toml: configuration({ core }) }))
  })
  afterAll(async () => {
    for (const tracker of trackers.values()) await tracker[Symbol.asyncDispose]()
  })

  // Only the second client can learn of the other: the first does not announce again.
  test.concurrent.each(CASES)(
    'of %s exchange a file over %s when the %s comes first and the %s learns of it',
    async (program, transport, first, second) => {
      const { udp_trackers, http_trackers } = await trackers.get(program)!.services()
      const url =
        transport === 'udp' ? `udp://${udp_trackers[0]}/announce` : `${http_trackers[0]}/announce`
      const here = directory.at(`${program} ${transport} ${first}`)
      mkdirSync(join(here, 'seeder'), { recursive: true })
      // Different content, so a different info hash: the exchanges run side by side.
      const content = crypto.getRandomValues(new Uint8Array(FILE_BYTES))
      writeFileSync(join(here, 'seeder', NAME), content)
      const torrent = join(here, 'file.torrent')
      const infoHash = writeTorrent(torrent, url, NAME, content)
      const becomes = (seeders: number, downloaded: number, leechers: number) =>
        until(`${seeders} seeders, ${downloaded} downloads, ${leechers} leechers`, async () =>
          Bun.deepEquals(await scrape(url, infoHash), { seeders, downloaded, leechers }),
        )

      await becomes(0, 0, 0)
      await using one = await startAria2(join(here, first), torrent, transport === 'udp')
      await (first === 'seeder' ? becomes(1, 0, 0) : becomes(0, 0, 1))
      await using two = await startAria2(join(here, second), torrent, transport === 'udp')
      await becomes(2, 1, 0)
      await Promise.all([one.stop(), two.stop()])
      await becomes(0, 1, 0)
      expect(sha256(readFileSync(join(here, 'leecher', NAME)))).toBe(sha256(content))
    },
  )
})

const sha256 = (bytes: Uint8Array): string =>
  new Bun.CryptoHasher('sha256').update(bytes).digest('hex')

/** A scrape by a third party, over the transport of the announces. */
async function scrape(announceUrl: string, infoHash: Uint8Array): Promise<Scraped> {
  const { protocol, host, port } = new URL(announceUrl)
  if (protocol === 'udp:') {
    using peer = await udpPeer(Number(port))
    return await peer.scrape(infoHash)
  }
  const answer = await fetch(`http://${host}/scrape?info_hash=${percent(infoHash)}`)
  const files = decodeBencode(new Uint8Array(await answer.arrayBuffer()))
  const entry = [...((files as Map<string, Map<string, Map<string, number>>>).get('files') ?? [])]
  const [, counts] = entry[0]!
  return {
    seeders: counts.get('complete')!,
    downloaded: counts.get('downloaded')!,
    leechers: counts.get('incomplete')!,
  }
}
