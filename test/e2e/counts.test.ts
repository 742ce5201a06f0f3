/**
 * Download counts as clients see them: a stored count is reported from the first scrape after a restart on, and a
 * torrent without peers does not stay in memory for it.
 */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { compiled } from '../support/e2e/program.ts'
import { runTracker } from '../support/e2e/tracker-process.ts'
import { hashA } from '../support/http-client.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { sample } from '../support/thorough.ts'
import { EVENT, hashOf } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const binary = compiled()

let room: TemporaryDirectory
beforeEach(() => {
  room = temporaryDirectory()
})
afterEach(() => room[Symbol.dispose]())

/** A tracker that keeps counts and sweeps torrents without peers every second. */
const start = (workers: number, abuse = '') =>
  runTracker(binary, {
    room: room.path,
    workers,
    core: 'inactive_peer_cleanup_interval = 1',
    tables: `
[core.tracker_policy]
persistent_torrent_completed_stat = true
[abuse]
${abuse}
`,
  })

/** Torrents with a stored count, and a tracker that started after they were stored. */
async function restarted(workers: number) {
  await (await start(workers)).stop()
  const tracker = await start(workers)
  const torrents = Array.from({ length: 40 }, (_, n) => ({ hash: hashOf(n + 1), count: n + 1 }))
  for (const { hash, count } of torrents)
    tracker.sql(`INSERT INTO torrents (info_hash, completed) VALUES ('${hash.toHex()}', ${count})`)
  return { tracker, torrents }
}

describe.each(sample([1, 2]))('with %d thread(s)', (workers) => {
  test('a completed torrent leaves memory with its last peer, and its count is still reported', async () => {
    const tracker = await start(workers)
    using peer = await tracker.peer()
    await peer.announce(hashA, { left: 1 })
    await peer.announce(hashA, { event: EVENT.completed })
    await peer.announce(hashA, { event: EVENT.stopped })
    const isGone = () => tracker.stats().then((stats) => stats.torrents === 0)
    await until('the torrent to leave', isGone)
    expect(tracker.sql('SELECT completed FROM torrents')).toEqual([[1]])
    const isTold = async () => Bun.deepEquals(await tracker.scrape([hashA]), [[0, 1, 0]])
    await until('the count', isTold)
    await tracker.stop()
  })

  test('the first scrape after a restart waits for the stored count', async () => {
    const { tracker, torrents } = await restarted(workers)
    // A scrape waits only for a moment, which on a busy machine may not be enough for all.
    const first: unknown[] = []
    for (const { hash } of torrents) first.push(...(await tracker.scrape([hash])))
    const right = torrents.filter(({ count }, n) => Bun.deepEquals(first[n], [0, count, 0]))
    expect(right.length).toBeGreaterThan(0)
    await tracker.stop()
  })

  test('a count that was reported stays when peers come', async () => {
    const { tracker, torrents } = await restarted(workers)
    using peer = await tracker.peer()
    for (const { hash, count } of torrents.slice(0, 5)) {
      const isTold = async () => Bun.deepEquals(await tracker.scrape([hash]), [[0, count, 0]])
      await until('the count', isTold)
      await peer.announce(hash, { left: 1 })
      const entries = (await tracker.scrape([hash])) as number[][]
      expect(entries[0]![1]).toBe(count)
    }
    await tracker.stop()
  })
})

test('invented torrents fill the database no faster than allowed', async () => {
  const tracker = await start(1, 'max_new_rows_per_second = 1')
  using peer = await tracker.peer()
  const complete = async (hash: Uint8Array, port = 1) => {
    await peer.announce(hash, { left: 1, port })
    await peer.announce(hash, { event: EVENT.completed, port })
  }
  await complete(hashA)
  const rows = (what: string) => tracker.sql(`SELECT ${what} FROM torrents`)
  await until('the first row', () => rows('completed').length === 1)
  for (let n = 0; n < 2_000; n++) {
    const hash = hashOf(1)
    new DataView(hash.buffer).setUint32(0, n)
    await complete(hash)
  }
  await complete(hashA, 2)
  const isWritten = () => Bun.deepEquals(rows('max(completed)'), [[2]])
  await until('the torrent that has a row', isWritten)
  // A burst of a thousand, then one a second.
  await tracker.run.says(/WARN DATABASE: .*more than 1 torrents a second/)
  const out = await tracker.stop()
  const [, dropped] = /WARN DATABASE: .*?(\d+) completed download\(s\) of new torrents/.exec(out)!
  expect(rows('count(*)')).toEqual([[2_001 - Number(dropped)]])
  expect(Number(dropped)).toBeGreaterThan(0)
})
