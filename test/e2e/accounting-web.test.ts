/** WebSocket peers of a private tracker that keeps accounts: the key is in the URL, and what they report is counted. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { bothPrograms, type Program } from '../support/e2e/program.ts'
import { type RunningTracker, runTracker, TOLD } from '../support/e2e/tracker-process.ts'
import { until } from '../support/until.ts'
import { announce, type Message, offers, Speaker } from '../support/webtorrent/speaker.ts'
import { HAS_WEBTORRENT, startTabs, type Tab, type Tabs } from '../support/webtorrent/tabs.ts'

const FILE_BYTES = 2_000_000
const GIB = 2 ** 30
const LISTENERS = `
[[websocket_trackers]]
bind_address = "127.0.0.1:0"
announce_interval = 1
`
const ACCOUNTING = '[core.accounting]\nlevel = "users"\n'

const PROGRAMS = bothPrograms()

/** Two threads, and the URLs of two users. */
async function begin(program: Program) {
  const tracker = await runTracker(program, {
    mode: 'private',
    listeners: LISTENERS,
    tables: ACCOUNTING,
  })
  const [base] = (await tracker.run.services()).websocket_trackers
  const keys = await Promise.all(
    [1, 2].map((user_id) =>
      tracker.call('POST', 'keys', { key: null, seconds_valid: null, user_id }),
    ),
  )
  const urls = keys.map(({ key }: { key: string }) => `${base}/announce/${key}`)
  return { tracker, base: `${base}/announce`, urls, keys: keys.map(({ key }) => key as string) }
}

const figuresOf = async (tracker: RunningTracker, user: number) => {
  const { uploaded, downloaded, snatches } = await tracker.call('GET', `user/${user}`)
  return { uploaded, downloaded, snatches }
}

describe.each(PROGRAMS)('%s', (_name, program) => {
  test('N1, N23: WebSocket peers are counted by the key in their URL', async () => {
    const { tracker, base, urls } = await begin(program)
    await using _ = tracker
    using stranger = await Speaker.open(base)
    using one = await Speaker.open(urls[0]!)
    using two = await Speaker.open(urls[1]!)
    const say = (speaker: Speaker, peer: string, more: Message) =>
      speaker.ask(announce('torrent', peer, more))
    const refused = await say(stranger, 'stranger', { event: 'started', left: 1, uploaded: 9 })
    expect(refused['failure reason']).toBe(TOLD.missing)
    await say(one, 'one', { event: 'started', left: 0, uploaded: 5 * GIB, downloaded: 0 })
    const started = { event: 'started', left: 100, uploaded: 0, downloaded: 0 }
    expect(await say(two, 'two', started)).toMatchObject({ complete: 1, incomplete: 1 })
    expect(await figuresOf(tracker, 1)).toEqual({ uploaded: 0, downloaded: 0, snatches: 0 })
    await say(one, 'one', { left: 0, uploaded: 5 * GIB + 7, downloaded: 0 })
    await say(two, 'two', { event: 'completed', left: 0, uploaded: 3, downloaded: 100 })
    expect(await figuresOf(tracker, 1)).toEqual({ uploaded: 7, downloaded: 0, snatches: 0 })
    expect(await figuresOf(tracker, 2)).toEqual({ uploaded: 3, downloaded: 100, snatches: 1 })

    // Its connection was lost: the same client, from another port.
    one.terminate()
    using again = await Speaker.open(urls[0]!)
    await say(again, 'one', { left: 0, uploaded: 6 * GIB, downloaded: 0 })
    expect(await figuresOf(tracker, 1)).toEqual({ uploaded: GIB, downloaded: 0, snatches: 0 })
    await say(again, 'one', { event: 'stopped', left: 0, uploaded: 6 * GIB + 1, downloaded: 0 })
    expect(await figuresOf(tracker, 1)).toEqual({ uploaded: GIB + 1, downloaded: 0, snatches: 0 })

    // The second torrent of an account with one slot: counts and a warning, and no peer hears of it.
    await tracker.call('PATCH', 'user/2', { max_downloads: 1 })
    await two.ask(announce('held', 'two', started))
    await until('the slot to be taken', async () => {
      const { leeching } = await tracker.call('GET', 'user/2')
      return leeching === 1
    })
    await again.ask(announce('wanted', 'one', { event: 'started', left: 0 }))
    const limited = announce('wanted', 'two', { ...started, numwant: 5, ...offers('offer') })
    expect(await two.ask(limited)).toMatchObject({
      'warning message': 'Download slots are all in use',
      complete: 1,
      incomplete: 0,
    })
    expect(await again.rest()).toEqual([])

    // A closed tab says no word. Its slot is free at once, and it is not there any more.
    two.terminate()
    await until('the slot to be free', async () => {
      const { leeching, seeding } = await tracker.call('GET', 'user/2')
      return leeching + seeding === 0
    })
    const records = await tracker.call('GET', 'user/2/records')
    expect(records.map(({ active }: { active: boolean }) => active)).toEqual([false, false, false])
    using other = await Speaker.open(urls[1]!)
    const free = announce('wanted', 'other', { ...started, numwant: 5, ...offers('offer') })
    expect(await other.ask(free)).not.toHaveProperty('warning message')
    expect((await again.next()).offer).toBeDefined()
    await tracker.stop()
  })
})

describe.skipIf(!HAS_WEBTORRENT)('two tabs of a browser', () => {
  let tabs: Tabs
  beforeAll(async () => {
    tabs = await startTabs()
  })
  afterAll(() => tabs[Symbol.asyncDispose]())

  test.each(PROGRAMS)(
    'N1, N14: the accounts of %s are what WebTorrent reports',
    async (_name, program) => {
      const { tracker, urls, keys } = await begin(program)
      await using _ = tracker
      const content = randomBytes(FILE_BYTES)
      const seeder = await tabs.open(urls[0]!)
      const magnet = await seeder.seed('a file.bin', content)
      const leecher = await tabs.open(urls[1]!)
      const sha256 = new Bun.CryptoHasher('sha256').update(content).digest('hex')
      expect(await leecher.download(magnet.replace(keys[0]!, keys[1]!))).toBe(sha256)

      await until('all to be reported', () => {
        const [seeding, leeching] = [reportsOf(seeder).at(-1), reportsOf(leecher).at(-1)]
        return seeding?.uploaded >= FILE_BYTES && leeching?.left === 0
      })
      // They go on to report, every second.
      await until('the accounts', async () => {
        const figures = [await figuresOf(tracker, 1), await figuresOf(tracker, 2)]
        const expected = [
          { ...growthOf(seeder), snatches: 0 },
          { ...growthOf(leecher), snatches: 1 },
        ]
        return Bun.deepEquals(figures, expected)
      })
      expect(growthOf(leecher).downloaded).toBeGreaterThanOrEqual(FILE_BYTES)
      expect((await tracker.call('GET', 'user/1')).seeding).toBe(1)
      await Promise.all([seeder.close(), leecher.close()])
      await tracker.stop()
    },
  )
})

/** What a tab reported to its tracker. */
const reportsOf = ({ sent }: Tab): Message[] =>
  sent.map((text) => JSON.parse(text) as Message).filter((message) => 'uploaded' in message)

/** What it moved since its first report: a file that it was given counts as downloaded to it. */
function growthOf(tab: Tab) {
  const reports = reportsOf(tab)
  const [first, last] = [reports[0]!, reports.at(-1)!]
  return {
    uploaded: last.uploaded - first.uploaded,
    downloaded: last.downloaded - first.downloaded,
  }
}
