/**
 * The counts of a running tracker when the network loses the answer to a commit, so that it cannot know whether the
 * commit took place: no completion is counted twice, and none is lost.
 */
import { describe, expect, test } from 'bun:test'
import { hashes } from '../support/database/hashes.ts'
import { ServerPlace, skipReason, testServer } from '../support/database/servers.ts'
import { Crowd } from '../support/e2e/crowd.ts'
import { startKeeper } from '../support/e2e/keeper.ts'
import { LossyLink } from '../support/e2e/lossy-link.ts'
import { compiled } from '../support/e2e/program.ts'
import { until } from '../support/until.ts'

const binary = compiled()

const LOSSES = 3
const TORRENTS = Array.from({ length: 20 }, (_, i) => hashes(1, 1 + i))

describe.concurrent.each(['mysql', 'postgresql'] as const)('%s', (driver) => {
  const server = testServer(driver)
  const name = server === undefined ? ` (${skipReason(driver)})` : ''

  test.skipIf(server === undefined)(`counts exactly when answers get lost${name}`, async () => {
    await using place = await ServerPlace.on(server!)
    using link = await LossyLink.to(place.config)
    await using keeper = await startKeeper(binary, { database: { ...link.config } })
    using crowd = await Crowd.at(keeper.udpPort, TORRENTS)
    const stored = async () => {
      const rows = await place.sql('SELECT completed FROM torrents ORDER BY info_hash')
      return rows.map(([count]) => Number(count))
    }
    await crowd.complete(100)
    link.lose(LOSSES)
    crowd.start()
    await until('answers to be lost', () => link.lost === LOSSES)
    await keeper.run.says(/ INFO DATABASE: \S+: works again after/)
    await crowd.stop()
    await until('everything to be stored', async () =>
      Bun.deepEquals(await stored(), crowd.answered()),
    )
    expect((await keeper.stop([link.config.password])).code).toBe(0)
    expect(await stored()).toEqual(crowd.answered())
    const [total] = await place.sql('SELECT value FROM torrent_aggregate_metrics')
    expect(Number(total![0])).toBe(crowd.completions.length)
  })
})
