/** Every completion reaches the database once, however the database fails, and stored counts reach the swarm. */
import { afterEach, beforeEach, describe, expect, spyOn, test } from 'bun:test'
import { EVENT } from '../../src/bittorrent.ts'
import { Lock } from '../../src/memory/lock.ts'
import { BURST_SECONDS } from '../../src/storage/new-rows.ts'
import { FAMILIES, HEADER, torrentBatchKib } from '../../src/swarm/layout.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { dice, seed } from '../support/random.ts'
import { type Fate, PACE, Run, store, stored } from '../support/storage/fated-run.ts'
import type { HammerResult } from '../support/swarm/hammer-worker.ts'
import { hashHex, hashWords, type World } from '../support/swarm/harness.ts'
import { faults } from '../support/swarm/whole.ts'
import { repeated } from '../support/thorough.ts'
import { until } from '../support/until.ts'

let file: SqliteFile
let running: Run[]
beforeEach(() => {
  file = new SqliteFile()
  running = []
})
afterEach(async () => {
  for (const run of running) run.downloads[Symbol.dispose]()
  await file[Symbol.asyncDispose]()
})

async function start(options: Parameters<typeof Run.start>[1] = {}): Promise<Run> {
  const run = await Run.start(file, options)
  running.push(run)
  return run
}

const written = (run: Run) => until('all to be written', () => run.downloads.waiting() === 0)
const a = hashWords(1)
const b = hashWords(2)
const [A, B] = [hashHex(a), hashHex(b)]

function sweep(world: World): void {
  const retention = { removePeerless: true }
  for (const shard of world.swarm.shards)
    shard.sweep(new SweepCursor(), world.cutoffs, retention, 1e6)
}

describe('completions', () => {
  test('have a line at debug for each batch, and none for a row', async () => {
    const run = await start()
    run.complete(a)
    await written(run)
    expect(run.said()).toEqual([])
    run.log.filter = 'debug'
    const before = run.fated.count('addDownloads')
    run.complete(a, 2)
    run.complete(b)
    await written(run)
    await run.stop()
    const batches = run.said().filter((line) => line.includes('completions were written'))
    expect(batches).toHaveLength(run.fated.count('addDownloads') - before)
    for (const line of batches)
      expect(line).toMatch(/^DEBUG DATABASE: completions were written rows=[12] ms=\d+$/)
  })

  test('are written, and added to what was stored', async () => {
    const first = await start()
    for (const peer of [1, 2, 3]) first.complete(a, peer)
    first.complete(b)
    first.world.tell(hashWords(3), {})
    await written(first)
    // A torrent without completions has no row.
    expect(stored(file)).toEqual({ counts: { [A]: 3, [B]: 1 }, total: 4 })
    expect([first.downloads.persistedTotal(), first.downloads.waiting()]).toEqual([4, 0])
    await first.stop()

    const second = await start()
    expect(second.downloads.persistedTotal()).toBe(4)
    second.complete(a)
    await until('the stored count', () => second.downloaded(a) === 4)
    await written(second)
    expect(stored(file)).toEqual({ counts: { [A]: 4, [B]: 1 }, total: 5 })
    expect(second.world.swarm.totals().completions).toBe(1)
    await second.stop()
  })

  test('of a torrent are written after it was looked up', async () => {
    const run = await start()
    store(file, a, 10)
    run.complete(a)
    await until('the write', () => run.fated.count('addDownloads') === 1)
    const { calls } = run.fated
    expect(calls.filter((call) => call !== 'downloadsTotal').slice(0, 2)).toEqual([
      'downloadsOf',
      'addDownloads',
    ])
    await written(run)
    expect(run.downloaded(a)).toBe(11)
    await run.stop()
  })

  test('outlive their torrent in memory, which is shown with them when it comes back', async () => {
    const run = await start()
    store(file, a, 10)
    run.complete(a)
    await written(run)
    run.world.tell(a, { peer: 1, event: EVENT.stopped })
    sweep(run.world)
    expect(run.world.swarm.totals().torrents).toBe(0)
    run.complete(a, 2)
    await until('the stored count', () => run.downloaded(a) === 12)
    await written(run)
    expect(stored(file).counts).toEqual({ [A]: 12 })
    await run.stop()
  })

  test('in many more torrents than fit one batch are all written', async () => {
    const run = await start()
    const hashes = Array.from({ length: 3_500 }, (_, n) => hashWords(n))
    for (const hash of hashes) run.complete(hash)
    await written(run)
    const { counts, total } = stored(file)
    expect([Object.keys(counts).length, total]).toEqual([3_500, 3_500])
    expect(run.fated.mostBusy).toBe(1)
    await run.stop()
    const next = await start()
    for (const hash of hashes) next.world.tell(hash, {})
    await until('the stored counts', () => next.world.swarm.totals().downloads === 3_500)
    expect(hashes.every((hash) => next.downloaded(hash) === 1)).toBe(true)
    await next.stop()
  })

  test('are written beside those of another tracker on the same database', async () => {
    const [one, other] = [await start(), await start()]
    one.fated.fate = () => (one.fated.count('addDownloads') === 1 ? 'done unseen' : 'fine')
    one.complete(a)
    await written(one)
    for (let peer = 2; peer < 6; peer++) {
      other.complete(a, peer)
      await written(other)
      // Its total moved by as much as this one is about to add.
      one.complete(b, peer)
      await written(one)
    }
    expect(stored(file)).toEqual({ counts: { [A]: 5, [B]: 4 }, total: 9 })
    await one.stop()
    await other.stop()
  })

  test(`of two trackers are each written once, while each fails in every way (SEED=${seed})`, async () => {
    const roll = dice()
    const both = [await start(), await start()]
    const fates: Fate[] = ['fine', 'lost', 'done unseen', 'refused', 'not begun']
    for (const run of both) run.fated.fate = () => fates[roll(fates.length)]!
    const counts: Record<string, number> = {}
    for (let i = 0, peer = 1; i < repeated(500); i++) {
      const hash = hashWords(roll(30))
      both[roll(2)]!.complete(hash, peer++)
      counts[hashHex(hash)] = (counts[hashHex(hash)] ?? 0) + 1
      if (i % 10 === 0) await Bun.sleep(roll(3) * PACE.cycleMilliseconds)
    }
    for (const run of both) await written(run)
    expect(stored(file)).toEqual({ counts, total: repeated(500) })
    for (const run of both) await run.stop()
    expect(file.sql('SELECT count(*) FROM tracker_writers')).toEqual([[2n]])
  })

  test.each(['refused', 'not begun'] as const)(
    'that were %s are not taken for those that another tracker wrote',
    async (fate) => {
      const [one, other] = [await start(), await start()]
      let isAway = true
      one.fated.fate = (call) => (call === 'addDownloads' && isAway ? fate : 'fine')
      one.complete(a)
      await until('an attempt', () => one.fated.count('addDownloads') > 0)
      // The total is then what the write that was refused would have left.
      other.complete(b)
      await written(other)
      isAway = false
      await written(one)
      expect(stored(file)).toEqual({ counts: { [A]: 1, [B]: 1 }, total: 2 })
      await one.stop()
      await other.stop()
    },
  )
})

describe('torrents without a row', () => {
  /** As many new rows as a burst allows; the next is allowed a quarter of an hour later. */
  const three = { newRowsPerSecond: 3 / BURST_SECONDS }
  const strangers = Array.from({ length: 50 }, (_, n) => hashWords(1_000 + n))

  test('get one at a limited rate; those that have one are always counted', async () => {
    const run = await start(three)
    store(file, a, 10)
    store(file, b, 0)
    for (const hash of strangers) run.complete(hash)
    run.complete(a)
    run.complete(b)
    await written(run)
    const first = stored(file)
    const known = Object.keys(first.counts).filter((hash) => hash !== A && hash !== B)
    expect([known.length, first.counts[A], first.counts[B], first.total]).toEqual([3, 11, 1, 15])
    expect(run.downloads.persistedTotal()).toBe(15)
    // The second announce of the same unknown torrent gets no row either.
    for (const peer of [2, 3]) {
      for (const hash of [...strangers, a, b]) run.complete(hash, peer)
      await written(run)
    }
    const { counts, total } = stored(file)
    expect(counts).toEqual({
      [A]: 13,
      [B]: 3,
      ...Object.fromEntries(known.map((hash) => [hash, 3])),
    })
    expect(total).toBe(25)
    await run.stop()
    expect(run.said()).toEqual([
      expect.stringMatching(/^ WARN DATABASE: more than 0.003 torrents a second /),
      ' WARN DATABASE: 141 completed download(s) of new torrents were not stored',
    ])
  })

  test('that get no row leave memory like the others', async () => {
    const run = await start(three)
    for (const hash of strangers) run.complete(hash)
    await written(run)
    run.world.now += run.world.lifetime
    sweep(run.world)
    expect(run.world.swarm.totals().torrents).toBe(0)
    await run.stop()
  })

  test.each([
    ['addDownloads', ['done unseen', 'lost', 'done unseen']],
    ['addDownloads', ['lost', 'refused']],
    ['downloadsOf', ['lost', 'refused']],
  ] as [string, Fate[]][])('are chosen once when %s ends with %p', async (kind, fates) => {
    await (await start()).stop()
    store(file, a, 10)
    const run = await start(three)
    const left = [...fates]
    run.fated.fate = (call) => (call === kind && left.shift()) || 'fine'
    for (const hash of [...strangers, a]) run.complete(hash)
    await written(run)
    const { counts, total } = stored(file)
    expect(left).toEqual([])
    expect([Object.keys(counts).length, counts[A], total]).toEqual([4, 11, 14])
    expect(run.downloads.persistedTotal()).toBe(14)
    await run.stop()
    expect(run.said().at(-1)).toContain('47 completed download(s) of new torrents were not stored')
  })
})

describe('a quiet swarm', () => {
  test('only pings the database, now and then', async () => {
    const run = await start()
    run.complete(a)
    await written(run)
    const before = run.fated.calls.length
    await until('some pings', () => run.fated.count('ping') > 3)
    expect(new Set(run.fated.calls.slice(before))).toEqual(new Set(['ping']))
    expect(run.watched.state()).toEqual({ ok: true })
    await run.stop()
  })

  test('where completions are not kept does the same, and writes nothing', async () => {
    const run = await start({ persistent: false })
    run.complete(a)
    run.world.scrape(b)
    await until('some pings', () => run.fated.count('ping') > 3)
    expect(new Set(run.fated.calls)).toEqual(new Set(['ping']))
    run.fated.fate = () => 'refused'
    await until('the failure to be seen', () => !run.watched.state().ok)
    await run.stop()
    expect(stored(file)).toEqual({ counts: {}, total: 0 })
    expect(run.said()).toEqual(['ERROR DATABASE: PLACE: the disk is full; it will be asked again'])
  })
})

describe('a database that fails', () => {
  const kinds: [string, Fate[]][] = [
    ['does not answer', ['lost']],
    ['refuses', ['refused']],
    ['does it and does not say so', ['done unseen']],
    ['does it, does not say so, and does not answer', ['done unseen', 'lost']],
    ['does not answer, then does it and does not say so', ['lost', 'done unseen']],
    ['does it, and says so neither then nor when asked again', ['done unseen', 'done unseen']],
  ]
  test.each(kinds)('%s gets every completion once', async (_name, fates) => {
    for (const kind of ['addDownloads', 'downloadsOf']) {
      const run = await start()
      const before = stored(file)
      const left = [...fates]
      run.fated.fate = (call) => (call === kind && left.shift()) || 'fine'
      for (const peer of [1, 2]) run.complete(a, peer)
      run.complete(b)
      await written(run)
      expect(left).toEqual([])
      // While it retried, more came.
      run.complete(a, 3)
      await written(run)
      const { counts, total } = stored(file)
      expect(counts).toEqual({ [A]: (before.counts[A] ?? 0) + 3, [B]: (before.counts[B] ?? 0) + 1 })
      expect(total).toBe(before.total + 4)
      expect([run.downloaded(a), run.downloaded(b)]).toEqual([counts[A]!, counts[B]!])
      expect(run.downloads.persistedTotal()).toBe(total)
      await run.stop()
    }
  })

  test('is reported: in the state, and in the log when it begins and when it ends', async () => {
    const run = await start()
    run.fated.fate = () => 'refused'
    for (const peer of [1, 2]) run.complete(a, peer)
    await until('some tries', () => run.fated.calls.length > 4)
    expect(run.watched.state()).toEqual({
      ok: false,
      since: 1_000_000_000,
      message: 'the disk is full',
    })
    expect([run.downloads.waiting(), run.downloads.persistedTotal()]).toEqual([2, 0])
    run.fated.fate = () => 'fine'
    await until('the recovery to be logged', () => run.lines.length === 2)
    expect(run.watched.state()).toEqual({ ok: true })
    expect(run.said()).toEqual([
      'ERROR DATABASE: PLACE: the disk is full; completed downloads wait in memory until it works again',
      ' INFO DATABASE: PLACE: works again after 0 s; 2 completed download(s) caught up',
    ])
    await run.stop()
  })

  test('is asked again after a pause', async () => {
    const run = await start({ pace: { ...PACE, retryMilliseconds: 100 } })
    run.fated.fate = () => 'lost'
    await until('the failure to be seen', () => !run.watched.state().ok)
    const before = run.fated.calls.length
    const began = performance.now()
    await until('three more attempts', () => run.fated.calls.length >= before + 3)
    expect(performance.now() - began).toBeGreaterThan(290)
    await run.stop()
  })

  test('costs no memory: owed completions are merged, and torrents that owe none are forgotten', async () => {
    const run = await start()
    run.fated.fate = () => 'lost'
    for (let n = 100; n < 1_100; n++) run.world.tell(hashWords(n), { peer: 1 })
    for (let peer = 1; peer <= 50; peer++) run.complete(a, peer)
    await until('some tries', () => run.fated.calls.length > 3)
    const { used } = run.world.swarm.memory()
    run.world.now += run.world.lifetime
    sweep(run.world)
    expect(run.world.swarm.totals().torrents).toBe(1)
    // Only the torrent that owes is left.
    expect(run.world.swarm.memory().used).toBe(torrentBatchKib(FAMILIES) * 1024)
    for (let n = 100; n < 1_100; n++) run.world.tell(hashWords(n), { peer: 1 })
    expect(run.world.swarm.memory().used).toBeLessThanOrEqual(used)
    run.fated.fate = () => 'fine'
    await written(run)
    expect(stored(file).counts).toEqual({ [A]: 50 })
    await run.stop()
  })
})

describe('at the end', () => {
  test('all owed completions are written, also those that waited for the next cycle', async () => {
    const run = await start({ pace: { ...PACE, cycleMilliseconds: 1_000_000 } })
    for (let n = 0; n < 2_500; n++) run.complete(hashWords(n))
    await run.stop()
    expect(stored(file).total).toBe(2_500)
    expect(run.fated.count('downloadsOf')).toBe(0)
    expect(run.lines).toEqual([])
  })

  test('a write whose outcome is not known is proven, not repeated', async () => {
    const run = await start()
    run.complete(a)
    run.complete(b)
    const fates: Fate[] = ['done unseen', 'lost', 'done unseen']
    run.fated.fate = (call) => (call === 'addDownloads' && fates.shift()) || 'fine'
    expect(await run.stop()).toBe(0)
    expect(stored(file)).toEqual({ counts: { [A]: 1, [B]: 1 }, total: 2 })
  })

  test('what cannot be written is reported, and in time', async () => {
    const run = await start({ pace: { ...PACE, cycleMilliseconds: 1_000_000 } })
    run.fated.fate = () => (run.fated.count('addDownloads') === 1 ? 'refused' : 'not begun')
    for (const peer of [1, 2, 3]) run.complete(a, peer)
    expect(await run.stop(50)).toBe(3)
    // Once, with the reason of the attempt that had time: nothing waits in memory any more.
    expect(run.said()).toEqual([
      'ERROR DATABASE: PLACE: 3 completed download(s) could not be written: the disk is full',
    ])
  })

  test('a file that another program locks is not waited for longer than allowed', async () => {
    const run = await start({ pace: { ...PACE, cycleMilliseconds: 1_000_000 } })
    run.complete(a)
    using _ = file.locked()
    const began = performance.now()
    expect(await run.stop(400)).toBe(1)
    // Not for as long as other writes wait for a lock.
    expect(performance.now() - began).toBeWithin(390, 2_500)
    expect(run.said()).toEqual([
      expect.stringContaining('1 completed download(s) could not be written'),
    ])
  })

  test('a database that never answers is not waited for longer than allowed', async () => {
    const run = await start()
    const never = Promise.withResolvers<void>()
    run.fated.before = never.promise
    run.complete(a)
    await until('the question', () => run.fated.busy === 1)
    expect(await run.downloads.flush(20)).toBe(1)
    expect(run.said()).toEqual([
      'ERROR DATABASE: PLACE: 1 completed download(s) could not be written: no time was left',
    ])
    never.resolve()
    await until('the question to be answered', () => run.fated.busy === 0)
  })

  test('no question is asked after it is disposed of', async () => {
    const run = await start()
    await until('a ping', () => run.fated.count('ping') > 0)
    run.downloads[Symbol.dispose]()
    await until('the last call to end', () => run.fated.busy === 0)
    const { length } = run.fated.calls
    run.complete(a)
    const other = await start()
    await until('pings of another', () => other.fated.count('ping') > 2)
    expect(run.fated.calls).toHaveLength(length)
    await other.stop()
  })

  test('a torrent in a shard that is locked is waited for', async () => {
    const run = await start()
    const { swarm } = run.world
    const shard = swarm.shards.indexOf(swarm.shardOf(swarm.hash(a)))
    run.complete(b)
    run.complete(a)
    const lock = new Lock(run.world.memory.shards[shard]!.torrents, HEADER.lock, 2)
    lock.acquire()
    let isDone = false
    const stopping = run.stop().then(() => {
      isDone = true
    })
    await until('the other to be written', () => stored(file).counts[B] === 1)
    expect(isDone).toBe(false)
    lock.release()
    await stopping
    expect(stored(file).counts).toEqual({ [A]: 1, [B]: 1 })
  })
})

test('a lock that stays busy holds up its own torrent alone, and no thread waits for it', async () => {
  const run = await start()
  const { swarm } = run.world
  const shard = swarm.shards.indexOf(swarm.shardOf(swarm.hash(a)))
  const lock = new Lock(run.world.memory.shards[shard]!.torrents, HEADER.lock, 2)
  run.complete(a)
  lock.acquire()
  run.complete(b)
  const wait = spyOn(Atomics, 'wait')
  await until('the other', () => stored(file).counts[B] === 1)
  expect(stored(file).counts).toEqual({ [B]: 1 })
  expect(wait).not.toHaveBeenCalled()
  wait.mockRestore()
  lock.release()
  await written(run)
  expect(stored(file).counts).toEqual({ [A]: 1, [B]: 1 })
  await run.stop()
})

test(`two threads complete torrents while the database fails in every way (SEED=${seed})`, async () => {
  const roll = dice()
  const hashes = Array.from({ length: 60 }, (_, n) => hashWords(n))
  const expected = new Map<string, number>()
  for (let round = 0; round < 3; round++) {
    const run = await start()
    const fates: Fate[] = ['fine', 'fine', 'lost', 'done unseen', 'refused']
    run.fated.fate = () => fates[roll(fates.length)]!
    const workers = [2, 3].map((thread) => {
      const url = new URL('../support/swarm/hammer-worker.ts', import.meta.url).href
      const worker = new Worker(url)
      const done = new Promise<HammerResult>((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data)
        worker.onerror = ({ message }) => reject(new Error(message))
      })
      worker.postMessage({
        memory: run.world.memory,
        thread,
        seed: seed + thread * 2 + round,
        hashes,
        steps: repeated(15_000),
        progress: new SharedArrayBuffer(64),
      })
      return { worker, done }
    })
    const results = await Promise.all(workers.map(({ done }) => done))
    for (const { worker } of workers) worker.terminate()
    for (const result of results)
      for (const [name, { downloaded }] of result)
        expected.set(name, (expected.get(name) ?? 0) + downloaded)
    // The last round ends in a hurry.
    if (round < 2) {
      await written(run)
      await until('the stored counts', () =>
        hashes.every((hash) => run.downloaded(hash) === expected.get(hashHex(hash))),
      )
    }
    await run.stop(20_000)
    expect(run.fated.mostBusy).toBe(1)
    expect(faults(run.world.memory)).toEqual([])
    // In a short run some torrents have no completion, and no row.
    const rows = [...expected].filter(([, completed]) => completed > 0)
    expect(stored(file).counts).toEqual(Object.fromEntries(rows))
    expect(stored(file).total).toBe([...expected.values()].reduce((sum, one) => sum + one, 0))
  }
})

describe('a scrape of a torrent that is not here', () => {
  test('gets the stored count from the second time on', async () => {
    const run = await start()
    store(file, a, 1234)
    expect(run.downloaded(a)).toBe(0)
    await until('the stored count', () => run.downloaded(a) === 1234)
    const lookups = run.fated.count('downloadsOf')
    for (let i = 0; i < 10; i++) expect(run.downloaded(a)).toBe(1234)
    await until('a ping', () => run.fated.count('ping') > 1)
    expect(run.fated.count('downloadsOf')).toBe(lookups)
    expect(run.world.swarm.totals()).toMatchObject({ torrents: 0, downloads: 0 })
    await run.stop()
  })

  test('is looked up at once, not at the next cycle, and so is one whose count has not come', async () => {
    const run = await start({ pace: { ...PACE, cycleMilliseconds: 1_000_000 } })
    store(file, a, 1234)
    store(file, b, 7)
    run.complete(b)
    await until('the stored count', () => run.downloaded(a) === 1234)
    await until('that of a torrent that is here', () => run.downloaded(b) === 8)
    expect(run.fated.mostBusy).toBe(1)
    await run.stop()
    expect(stored(file).counts).toEqual({ [A]: 1234, [B]: 8 })
  })

  test('asks a database that is away no more often than its retries do', async () => {
    const run = await start({ pace: { ...PACE, cycleMilliseconds: 1_000_000 } })
    run.fated.fate = () => 'lost'
    run.downloaded(a)
    await until('the failure to be seen', () => !run.watched.state().ok)
    const other = await start()
    await until('pings of another', () => {
      run.downloaded(b)
      return other.fated.count('ping') > 5
    })
    expect(run.fated.count('downloadsOf')).toBe(1)
    await run.stop()
    await other.stop()
  })

  test('keeps its count when its first peer comes, and it is not looked up again', async () => {
    const run = await start()
    store(file, a, 1234)
    await until('the stored count', () => run.downloaded(a) === 1234)
    run.world.tell(a, { left: 1n })
    expect(run.downloaded(a)).toBe(1234)
    const pings = run.fated.count('ping')
    await until('some cycles', () => run.fated.count('ping') > pings + 1)
    expect(run.fated.count('downloadsOf')).toBe(1)
    run.complete(a)
    await written(run)
    expect([run.downloaded(a), stored(file).counts]).toEqual([1235, { [A]: 1235 }])
    await run.stop()
  })

  test('gets the new count after the torrent left', async () => {
    const run = await start()
    store(file, a, 5)
    run.downloaded(a)
    await until('the stored count', () => run.downloaded(a) === 5)
    run.complete(a)
    expect(run.downloaded(a)).toBe(6)
    await written(run)
    run.world.tell(a, { peer: 1, event: EVENT.stopped })
    sweep(run.world)
    expect(run.downloaded(a)).toBe(0)
    await until('the new count', () => run.downloaded(a) === 6)
    expect(faults(run.world.memory)).toEqual([])
    await run.stop()
  })

  test('is asked for again when the database failed', async () => {
    const run = await start()
    store(file, a, 7)
    let lost = 3
    run.fated.fate = (call) => (call === 'downloadsOf' && lost-- > 0 ? 'lost' : 'fine')
    run.downloaded(a)
    await until('the stored count', () => run.downloaded(a) === 7)
    expect(run.fated.count('downloadsOf')).toBe(4)
    await run.stop()
  })

  test(`of many invented info hashes costs no memory and few lookups (SEED=${seed})`, async () => {
    const roll = dice()
    const run = await start()
    for (let i = 0; i < 100_000; i++)
      run.world.scrape(Int32Array.from({ length: 5 }, () => roll(2 ** 32)))
    expect(faults(run.world.memory)).toEqual([])
    await until('the lookups to end', () => run.fated.calls.slice(-2).every((c) => c === 'ping'))
    // Only as many as fit the rings: 64 of each shard, 480 in one query.
    expect(run.fated.count('downloadsOf')).toBeLessThanOrEqual(5)
    expect(run.fated.count('downloadsOf')).toBeGreaterThan(2)
    expect(run.world.swarm.memory().used).toBe(0)
    expect(faults(run.world.memory)).toEqual([])
    await run.stop()
  })
})
