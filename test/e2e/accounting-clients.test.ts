/**
 * Real clients in a private swarm of a tracker that keeps accounts: what is in the accounts is what the clients
 * themselves say they reported last, over UDP (BEP 41) and HTTP, over restarts of clients and `kill -9` of the tracker.
 */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { ARIA2C, startAria2, writeTorrent } from '../support/e2e/aria2.ts'
import { type Moved, PYTHON, startLibtorrent } from '../support/e2e/libtorrent.ts'
import { bothPrograms, type Program } from '../support/e2e/program.ts'
import { type RunningTracker, runTracker } from '../support/e2e/tracker-process.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

const NAME = 'a file.bin'
const MB = 1_000_000
const FILE_BYTES = 50 * MB
const PIECE_BYTES = 256 * 1024
/** aria2 reports every second, so that it does while bytes move. */
const OFTEN = { 'bt-tracker-interval': 1 }
/** It would use a connection id for a minute, which a tracker that was started anew does not know. */
const FORGETFUL = { settings: { udp_tracker_token_expiry: 1 } }
const TABLES = `
[core.announce_policy]
interval = 600
interval_min = 600
[core.accounting]
level = "users"
`

const PROGRAMS = bothPrograms()
const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses!.some(({ address }) => address === '::1'),
)

const directory = sharedDirectory()
const now = () => Math.floor(Date.now() / 1000)

/** A tracker on loopback addresses, an UDP and an HTTP listener on each; `ports`: those of one before. */
const begin = (
  program: Program,
  room: string,
  {
    workers = 2,
    ips = ['127.0.0.1'],
    ports = ips.map(() => ({ udp: 0, http: 0 })),
  }: { workers?: number; ips?: string[]; ports?: { udp: number; http: number }[] } = {},
): Promise<RunningTracker> => {
  const listener = (kind: string, address: string) => `[[${kind}]]\nbind_address = "${address}"\n`
  const listeners = ips.map(
    (ip, i) =>
      listener('udp_trackers', `${ip}:${ports[i]!.udp}`) +
      listener('http_trackers', `${ip}:${ports[i]!.http}`),
  )
  const setting = { mode: 'private', room, tables: TABLES, workers } as const
  return runTracker(program, { ...setting, listeners: listeners.join('') })
}

/** A directory of its own, in which a tracker keeps its database, and clients their files. */
function roomFor(...names: (string | number)[]): string {
  const room = directory.at(names.join(' '))
  mkdirSync(room, { recursive: true })
  return room
}

/** A file of random bytes in the directory `name` of `room`, and its torrent. */
function publish(room: string, name: string, bytes: number) {
  const content = crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536)))
  // More random bytes than that are not to be had at once; every piece begins with its own number.
  const file = Buffer.alloc(bytes, content)
  for (let at = 0; at < bytes; at += 16_384) file.writeUInt32BE(at, Math.min(at, bytes - 4))
  const seed = join(room, name)
  mkdirSync(seed, { recursive: true })
  writeFileSync(join(seed, NAME), file)
  let torrents = 0
  const torrentAt = (url: string) => {
    const path = join(room, `${name} ${torrents++}.torrent`)
    const infoHash = writeTorrent(path, url, NAME, file, PIECE_BYTES)
    return { path, hash: infoHash.toHex() }
  }
  return {
    at: seed,
    hash: torrentAt('http://localhost').hash,
    /** A torrent file that names this tracker. */
    torrent: (url: string) => torrentAt(url).path,
    /** Whether all of it is in `directory`. */
    isIn: (directory: string) => file.equals(readFileSync(join(directory, NAME))),
  }
}

/** Announce URLs with the key of each user, and what the API says of them. */
async function accountsOf(tracker: RunningTracker, users: readonly number[]) {
  const keys = new Map<number, string>()
  for (const user_id of users) {
    const wanted = { key: null, seconds_valid: null, user_id }
    keys.set(user_id, (await tracker.call('POST', 'keys', wanted)).key)
  }
  return {
    udp: (user: number, at = 0) =>
      `udp://${new URL(tracker.http[at]!).hostname}:${tracker.udp[at]}/announce/${keys.get(user)}`,
    http: (user: number, at = 0) => `${tracker.http[at]}/announce/${keys.get(user)}`,
  }
}

const movedBy = async (tracker: RunningTracker, user: number): Promise<Moved> => {
  const { uploaded, downloaded } = await tracker.call('GET', `user/${user}`)
  return { uploaded, downloaded }
}

const totalsOf = async (tracker: RunningTracker, hash: string) => {
  const { accounting } = await tracker.call('GET', `torrent/${hash}`)
  const { uploaded, downloaded, snatches, balance } = accounting
  expect(balance).toBe(uploaded - downloaded)
  return { uploaded, downloaded, snatches }
}

const sum = (...sessions: readonly Moved[]): Moved => ({
  uploaded: sessions.reduce((all, { uploaded }) => all + uploaded, 0),
  downloaded: sessions.reduce((all, { downloaded }) => all + downloaded, 0),
})

describe.skipIf(PYTHON === null || ARIA2C === null).each(PROGRAMS)('%s', (name, program) => {
  test.concurrent.each([1, 2])(
    'N1, N6, N12, N14, N16: with %d workers the accounts of libtorrent and aria2 are what they report',
    async (workers) => {
      const room = roomFor(name, 'swarm', workers)
      const file = publish(room, 'first', FILE_BYTES)
      const [second, third, fourth] = ['second', 'third', 'fourth'].map((one) => join(room, one))
      await using stack = new AsyncDisposableStack()
      let tracker = stack.use(await begin(program, room, { workers }))
      const urls = await accountsOf(tracker, [1, 2, 3])
      const [overUdp, overHttp, ofAria] = [urls.udp(1), urls.http(2), urls.http(3)]

      const began = now()
      const seeder = stack.use(startLibtorrent(file.at, file.torrent(overUdp), FORGETFUL))
      await seeder.hears('reply')
      const seeding = now()
      const leecher = stack.use(startLibtorrent(second!, file.torrent(overHttp)))
      const aria = stack.use(await startAria2(third!, file.torrent(ofAria), false, OFTEN))
      await leecher.hears('finished')
      await until('aria2 to complete', () => aria.text().includes('&event=completed'))
      await aria.stop()
      const byAria = aria.reported()
      const byLeecher = await leecher.reports()
      const bySeeder = await seeder.reports()
      const ended = now()
      expect([file.isIn(second!), file.isIn(third!)]).toEqual([true, true])
      expect(byLeecher.downloaded).toBeGreaterThanOrEqual(FILE_BYTES)
      expect(byAria.downloaded).toBeGreaterThanOrEqual(FILE_BYTES)

      const reported = [bySeeder, byLeecher, byAria]
      const records = await tracker.call('GET', `torrent/${file.hash}/records`)
      const seconds = expect.any(Number)
      const hasCompleted = { left: 0, completed: seconds }
      expect(records).toMatchObject([
        { user_id: 1, ...bySeeder, active: true, seeder: true, left: 0, completed: null },
        { user_id: 2, ...byLeecher, active: true, seeder: true, ...hasCompleted },
        { user_id: 3, ...byAria, active: false, seeder: false, ...hasCompleted },
      ])
      for (const [i, moved] of reported.entries()) {
        const account = await tracker.call('GET', `user/${i + 1}`)
        const { seed_seconds, leech_seconds } = records[i]
        const figures = { ...moved, credited_uploaded: moved.uploaded, seed_seconds, leech_seconds }
        const [snatches, seeds] = [[0, 1, 1][i]!, [1, 1, 0][i]!]
        expect(account).toMatchObject({ ...figures, snatches, seeding: seeds, leeching: 0 })
        expect(seed_seconds + leech_seconds).toBeWithin(0, ended - began + 2)
      }
      expect(records[0].seed_seconds).toBeGreaterThanOrEqual(ended - seeding - 1)
      expect(records[0].leech_seconds).toBe(0)
      expect(await totalsOf(tracker, file.hash)).toEqual({ ...sum(...reported), snatches: 2 })

      // A client begins anew and seeds more. The tracker dies while bytes move, and comes back.
      await leecher.stop()
      const again = stack.use(startLibtorrent(second!, file.torrent(overHttp)))
      await again.hears('reply')
      const slow = { ...OFTEN, 'max-overall-download-limit': '10M' }
      const late = stack.use(await startAria2(fourth!, file.torrent(ofAria), false, slow))
      const known = async () => (await movedBy(tracker, 3)).downloaded
      await until('bytes to move', async () => (await known()) > byAria.downloaded + 5 * MB)
      tracker.run.child.kill('SIGKILL')
      await tracker.run.ended()
      expect(late.text()).not.toContain('&event=completed')
      const { downloaded } = late.reported()
      // It tells of what it tries to report, too.
      const tried = () => Number(/.*&downloaded=(\d+)/s.exec(late.text())![1])
      await until('more bytes', () => tried() > downloaded + 5 * MB)
      const ports = [{ udp: tracker.udp[0]!, http: Number(new URL(tracker.http[0]!).port) }]
      tracker = stack.use(await begin(program, room, { workers, ports }))
      await until('the rest', () => /^GET \S+&left=0&/m.test(late.text()))
      // A session is removed by the process that has written it: before that another may still have it.
      const total = () => byAria.downloaded + late.reported().downloaded
      await until('its session', async () => (await known()) === total())
      await late.stop()
      const byAgain = await again.reports()
      const bySeederNow = await seeder.reports()
      expect(file.isIn(fourth!)).toBe(true)
      const ofThird = sum(byAria, late.reported())
      expect(await movedBy(tracker, 1)).toEqual(bySeederNow)
      expect(await movedBy(tracker, 2)).toEqual(sum(byLeecher, byAgain))
      expect(await movedBy(tracker, 3)).toEqual(ofThird)
      const all = sum(bySeederNow, byLeecher, byAgain, ofThird)
      expect(await totalsOf(tracker, file.hash)).toEqual({ ...all, snatches: 2 })

      await Promise.all([seeder.stop(), again.stop()])
      for (const { active, seeder } of await tracker.call('GET', `torrent/${file.hash}/records`))
        expect([active, seeder]).toEqual([false, false])
      await tracker.stop()
      expect(tracker.sql('SELECT * FROM accounting_sessions')).toEqual([])
    },
  )

  test.concurrent.skipIf(!HAS_IPV6)(
    'N3, N4: libtorrent that announces over IPv4 and IPv6 is credited once',
    async () => {
      const room = roomFor(name, 'two families')
      const file = publish(room, 'first', 8 * MB)
      await using tracker = await begin(program, room, { ips: ['127.0.0.1', '[::1]'] })
      const urls = await accountsOf(tracker, [1, 2])
      // Over UDP with IPv4, over HTTP with IPv6: one peer id, one set of counters.
      await using seeder = startLibtorrent(file.at, file.torrent(urls.udp(1)), {
        trackers: [urls.http(1, 1)],
        settings: { listen_interfaces: '127.0.0.1:0,[::1]:0', announce_to_all_tiers: true },
      })
      const peers = async (): Promise<string[]> => {
        const { peers = [] } = await tracker.call('GET', `torrent/${file.hash}`)
        return peers.map((peer: { peer_addr: string }) => peer.peer_addr.replace(/:\d+$/, ''))
      }
      const sessions = async () =>
        (await tracker.call('GET', 'accounting')).sessions as Promise<number>
      await until('both families', async () =>
        Bun.deepEquals((await peers()).sort(), ['127.0.0.1', '[::1]']),
      )
      expect(await sessions()).toBe(1)
      await using leecher = startLibtorrent(join(room, 'second'), file.torrent(urls.http(2)))
      await leecher.hears('finished')
      const byLeecher = await leecher.reports()
      const bySeeder = await seeder.reports()
      expect(bySeeder.uploaded).toBeGreaterThanOrEqual(8 * MB)
      expect(await sessions()).toBe(2)
      await Promise.all([leecher.stop(), seeder.stop()])
      expect(await movedBy(tracker, 1)).toEqual(bySeeder)
      expect(await movedBy(tracker, 2)).toEqual(byLeecher)
      const all = { ...sum(bySeeder, byLeecher), snatches: 1 }
      expect(await totalsOf(tracker, file.hash)).toEqual(all)
      expect(await peers()).toEqual([])
      expect(await tracker.call('GET', 'accounting/flags')).toEqual([])
      await tracker.stop()
      expect(tracker.sql('SELECT * FROM accounting_sessions')).toEqual([])
    },
  )

  test.concurrent('N23: libtorrent over the slots of its account gets a warning and no peers, and seeds on', async () => {
    const room = roomFor(name, 'slots')
    const [seeded, held, wanted] = ['seeded', 'held', 'wanted'].map((one) => publish(room, one, MB))
    await using tracker = await begin(program, room)
    const urls = await accountsOf(tracker, [1, 2])
    await tracker.call('PATCH', 'user/1', { max_downloads: 1 })
    const [url, other] = [urls.http(1), urls.http(2)]
    await using source = startLibtorrent(wanted!.at, wanted!.torrent(other))
    await using seeder = startLibtorrent(seeded!.at, seeded!.torrent(url))
    await using holder = startLibtorrent(join(room, 'holder'), held!.torrent(url))
    for (const client of [source, seeder, holder]) await client.hears('reply')
    await until('the slot to be taken', async () => {
      const { leeching, seeding } = await tracker.call('GET', 'user/1')
      return leeching === 1 && seeding === 1
    })

    const place = join(room, 'leecher')
    await using leecher = startLibtorrent(place, wanted!.torrent(url))
    const { message } = await leecher.hears('warning', 'error')
    expect(message).toContain('Download slots are all in use')
    expect(await leecher.asks()).toMatchObject({ event: 'reply', peers: 0 })
    expect(leecher.heard.filter(({ event }) => event === 'error')).toEqual([])
    const swarm = async (hash: string) =>
      (await tracker.call('GET', `torrent/${hash}`)).peers.length
    expect([await swarm(wanted!.hash), await swarm(held!.hash)]).toEqual([1, 1])
    await using another = startLibtorrent(join(room, 'another'), seeded!.torrent(other))
    await another.hears('finished')
    const byAnother = await another.reports()
    const bySeeder = await seeder.reports()
    expect(bySeeder.uploaded).toBeGreaterThanOrEqual(MB)
    expect(await movedBy(tracker, 1)).toEqual(bySeeder)

    await holder.stop()
    await until('peers', async () => {
      const answer = await leecher.asks()
      return answer.event === 'reply' && answer.peers > 0
    })
    await leecher.hears('finished')
    expect(wanted!.isIn(place)).toBe(true)
    const byLeecher = await leecher.reports()
    const bySource = await source.reports()
    const warnings = leecher.heard.filter(({ event }) => event === 'warning').length
    await leecher.reports()
    expect(leecher.heard.filter(({ event }) => event === 'warning')).toHaveLength(warnings)
    expect(await movedBy(tracker, 1)).toEqual(sum(bySeeder, byLeecher))
    expect(await movedBy(tracker, 2)).toEqual(sum(bySource, byAnother))
    const account = await tracker.call('GET', 'user/1')
    expect(account).toMatchObject({ snatches: 1, seeding: 2, leeching: 0 })
    await Promise.all([source, seeder, leecher, another].map((client) => client.stop()))
    await tracker.stop()
  })
})
