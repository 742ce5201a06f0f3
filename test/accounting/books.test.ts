import { describe, expect, test } from 'bun:test'
import { MOST_LOOKUPS, MOST_SESSIONS, SESSION } from '../../src/accounting/batch.ts'
import type { Frozen } from '../../src/accounting/freezer.ts'
import { RING_ENTRIES } from '../../src/accounting/ring.ts'
import { EVENT, LIMITED } from '../../src/bittorrent.ts'
import { ACCOUNT, KeptBooks, SETTINGS, T } from '../support/accounting/kept-books.ts'

const GB = 1e9
const HOUR = 3_600

describe('bytes', () => {
  test('N1: the first announce is the baseline, and is stored', () => {
    const kept = new KeptBooks()
    kept.say({ up: 5 * GB })
    kept.settle()
    expect(kept.record()).toMatchObject({ up: 0n, announces: 1, active: true })
    kept.say({ up: 5 * GB + 7, at: T + 60 })
    kept.settle()
    expect(kept.record()).toMatchObject({ up: 7n, creditedUp: 7n, announces: 2, left: 0 })
  })

  test('N2: announces within one drain, and within one batch, add up', () => {
    const kept = new KeptBooks()
    kept.say({})
    kept.settle()
    for (const up of [10, 30, 60]) kept.note({ up, at: T + up })
    kept.drain()
    kept.say({ up: 100, at: T + 70 })
    kept.say({ torrent: 2, up: 5 })
    kept.say({ torrent: 2, up: 8, at: T + 70 })
    kept.settle()
    expect([kept.record().up, kept.record(1, 2).up]).toEqual([100n, 3n])
    expect(kept.stored.torrent(kept.hash(1).hex).up).toBe(100n)
  })

  test('N3: two addresses are one session', () => {
    const kept = new KeptBooks()
    for (const event of [EVENT.started, EVENT.none, EVENT.completed])
      for (const endpoint of [1, 2])
        kept.say({ event, endpoint, up: event === EVENT.started ? 0 : 9 })
    kept.settle()
    expect(kept.record().up).toBe(9n)
    expect(kept.books.figures.sessions).toBe(1)
  })

  test('N4: `stopped` over two addresses counts once, and ends the session', () => {
    for (const how of [
      'known',
      'written between',
      'answered between',
      'answered afterwards',
    ] as const) {
      const kept = new KeptBooks()
      kept.say({ up: 5 })
      kept.settle()
      if (how.startsWith('answered')) kept.crash()
      kept.say({ event: EVENT.stopped, up: 12, endpoint: 1, at: T + 60 })
      if (how === 'answered between') kept.answerAll()
      if (how === 'written between') kept.settle()
      kept.say({ event: EVENT.stopped, up: 12, endpoint: 2, at: T + 60 })
      kept.settle()
      expect(kept.record(), how).toMatchObject({ up: 7n, active: false, seed: 60 })
      expect(kept.stored.sessions.size, how).toBe(0)
      expect(kept.books.figures, how).toMatchObject({ sessions: 0, owedRecords: 0 })
      kept.say({ event: EVENT.stopped, up: 13, at: T + 61 })
      kept.settle()
      expect(kept.record(), how).toMatchObject({ up: 7n })
      expect(kept.books.figures.sessions, how).toBe(0)
    }
  })

  test('N6: a session that comes back before its end is stored begins anew', () => {
    for (const how of ['not frozen', 'frozen', 'asked'] as const) {
      const kept = new KeptBooks()
      kept.say({ up: 5 })
      kept.settle()
      if (how === 'asked') kept.crash()
      kept.say({ up: 12, event: EVENT.stopped, at: T + 60 })
      if (how === 'frozen') kept.freeze()
      kept.say({ up: 0, event: EVENT.started, at: T + 60 })
      kept.say({ up: 3, at: T + 120 })
      kept.write()
      kept.settle()
      expect(kept.record(), how).toMatchObject({ up: 10n, active: true, seeder: true })
      expect([...kept.stored.sessions.values()], how).toMatchObject([{ up: 3 }])
      kept.say({ up: 4, at: T + 180 })
      kept.settle()
      expect(kept.record().up, how).toBe(11n)
    }
  })

  test('what was said before an end and is read after it does not bring the session back', () => {
    const kept = new KeptBooks()
    kept.say({ up: 5 })
    kept.say({ up: 9, event: EVENT.stopped, at: T + 60 })
    kept.say({ up: 8, at: T + 60 })
    kept.settle()
    expect(kept.record()).toMatchObject({ up: 4n, active: false })
    expect(kept.books.figures.sessions).toBe(0)
  })

  test('N6: a restart under another peer id is another session', () => {
    const kept = new KeptBooks()
    kept.say({ up: 5 * GB, peer: 1 })
    kept.say({ up: 0, peer: 2, event: EVENT.started, at: T + 60 })
    kept.say({ up: 9, peer: 2, at: T + 120 })
    kept.settle()
    expect(kept.record().up).toBe(9n)
    expect(kept.stored.sessions.size).toBe(2)
  })

  test('N7: of clones the larger one counts, also over a crash, and in either order', () => {
    const kept = new KeptBooks()
    for (let round = 0; round < 40; round++) {
      const at = T + round * 300
      if (round % 10 === 9) kept.crash()
      const low = { peer: 1, endpoint: 2, up: GB + round, at }
      const high = { peer: 1, endpoint: 1, up: 6 * GB + round, at: at + 100 }
      // Round 0 begins with the larger one.
      for (const said of round === 0 ? [high, { ...low, at: at + 100 }] : [low, high])
        kept.say(said)
      kept.settle()
    }
    const { up } = kept.record()
    expect(up).toBeGreaterThan(30n)
    expect(up).toBeLessThanOrEqual(39n)
    expect(kept.stored.flags.map(({ kind }) => kind)).toContain('shared_id')
  })

  test('N9: counters of any size', () => {
    const kept = new KeptBooks({ settings: { maxBytesPerSecond: 1, upPercent: 1_000 } })
    const sizes = [0n, 2n ** 53n, 2n ** 63n, 1n, 2n ** 64n - 1n, 5n, 2n ** 53n - 1n]
    for (const [i, up] of sizes.entries())
      for (const left of sizes) kept.say({ up, down: up, left, at: T + i * 60 })
    kept.settle()
    const { up, down, left } = kept.record()
    expect([up! > 0n, down! > 0n, left]).toEqual([true, true, 2 ** 53 - 1])
    expect(kept.books.figures.uploaded).toBe(2 ** 53 - 1)
  })

  test('N10: after a silence what is stored is the baseline', () => {
    const kept = new KeptBooks()
    kept.say({ up: 5 })
    kept.settle()
    kept.now = T + 2 * HOUR
    kept.expire()
    expect(kept.books.figures.sessions).toBe(1)
    kept.settle()
    expect(kept.books.figures.sessions).toBe(0)
    expect(kept.record()).toMatchObject({ active: false, seeder: false })
    expect(kept.stored.sessions.size).toBe(1)
    kept.say({ up: 5 + 3 * GB })
    kept.settle()
    expect(kept.record()).toMatchObject({ up: BigInt(3 * GB), seed: 0, active: true })
    kept.stored.sessions.clear()
    kept.crash()
    kept.say({ up: 9 * GB })
    kept.settle()
    expect(kept.record().up).toBe(BigInt(3 * GB))
  })

  test('a clock that was ahead keeps no client that is gone, and its time is counted again', () => {
    const kept = new KeptBooks()
    for (const peer of [1, 2]) kept.say({ peer, at: T })
    for (const peer of [1, 2]) kept.say({ peer, up: 5, at: T + 24 * HOUR })
    kept.say({ peer: 1, up: 6, at: T + 100 })
    kept.say({ peer: 1, up: 7, at: T + 200 })
    kept.now = T + 200
    kept.expire()
    kept.settle()
    expect(kept.record()).toMatchObject({ up: 12n, seed: 100 })
    expect(kept.books.figures.sessions).toBe(1)
  })

  test('N10: a session that is heard of while its silence is written stays', () => {
    const kept = new KeptBooks()
    kept.say({ up: 5 })
    kept.settle()
    kept.now = T + HOUR
    kept.expire()
    kept.freeze()
    kept.say({ up: 9 })
    kept.write()
    expect(kept.books.figures.sessions).toBe(1)
    kept.settle()
    expect(kept.record()).toMatchObject({ up: 4n, active: true })
  })

  test('N11: another address changes nothing', () => {
    const kept = new KeptBooks()
    for (const endpoint of [1, 2, 3]) kept.say({ up: endpoint * 10, endpoint, at: T + endpoint })
    kept.settle()
    expect(kept.record().up).toBe(20n)
  })
})

describe('time', () => {
  test('N12: two clients on one torrent for an hour', () => {
    const kept = new KeptBooks()
    for (let at = T; at <= T + HOUR; at += 900) {
      kept.say({ peer: 1, at })
      kept.say({ peer: 2, at: Math.min(at + 300, T + HOUR) })
      kept.settle()
    }
    expect(kept.record()).toMatchObject({ seed: HOUR, leech: 0 })
  })

  test('N12: also when the tracker begins anew between them', () => {
    const kept = new KeptBooks()
    for (let at = T; at <= T + HOUR; at += 900) {
      kept.say({ peer: 1, at })
      kept.settle()
      kept.crash()
      kept.say({ peer: 2, at: Math.min(at + 300, T + HOUR) })
      kept.settle()
    }
    const { seed } = kept.record()
    expect(seed).toBeGreaterThanOrEqual(HOUR - 300)
    expect(seed).toBeLessThanOrEqual(HOUR)
  })

  test('N13: a gap beyond the time-out counts only once the tracker began anew, by what it writes late', () => {
    const kept = new KeptBooks()
    const announce = (at: number) => {
      kept.say({ at })
      kept.settle()
      return kept.record().seed
    }
    announce(T)
    expect(announce(T + 2_701)).toBe(0)
    kept.crash()
    expect(announce(T + 2_701 + 3_150)).toBe(3_150)
    kept.crash()
    expect(announce(T + 2_701 + 3_150 + 3_151)).toBe(3_150)
  })

  test('level `torrents` counts the time of each session', () => {
    const kept = new KeptBooks({ settings: { level: 'torrents' } })
    for (const at of [T, T + 600]) for (const peer of [1, 2]) kept.say({ peer, at })
    kept.settle()
    expect(kept.stored.torrent(kept.hash(1).hex).seed).toBe(1_200)
  })
})

describe('completions', () => {
  const left = 1_000
  const completed = EVENT.completed
  const completions = (frozen: Frozen | undefined) =>
    frozen?.sessions.what.filter((what) => (what & SESSION.completed) !== 0).length

  test('N14: one, after a download', () => {
    const kept = new KeptBooks()
    kept.say({ left })
    kept.settle()
    for (const endpoint of [1, 2, 1]) kept.say({ event: completed, endpoint })
    expect(completions(kept.freeze())).toBe(1)
    kept.write()
    kept.say({ event: completed, at: T + 60 })
    kept.say({ up: 5, at: T + 70 })
    expect(completions(kept.freeze())).toBe(0)
    kept.write()
    expect(kept.record().completed).toBe(true)
  })

  test('N14: none with bytes left, and none of a session that never had any', () => {
    const kept = new KeptBooks()
    kept.say({ left, peer: 1 })
    kept.say({ left: 1, event: completed, peer: 1 })
    kept.say({ event: completed, peer: 2 })
    kept.say({ event: completed, peer: 2 })
    kept.settle()
    expect(kept.record().completed).toBe(false)
  })

  test('N14: of a download before the tracker began anew', () => {
    for (const isSeeder of [false, true])
      for (const first of [EVENT.none, completed]) {
        const kept = new KeptBooks()
        kept.say({ left: isSeeder ? 0 : left })
        kept.settle()
        kept.crash()
        kept.say({ event: first })
        kept.say({ event: completed })
        kept.settle()
        expect(kept.record().completed).toBe(!isSeeder)
      }
  })
})

describe('N15', () => {
  test('the best of upload, the lowest of download', () => {
    const kept = new KeptBooks({ settings: { upPercent: 200, downPercent: 100 } })
    const step = (n: number) => {
      kept.say({ up: n * 100, down: n * 100, at: T + n })
      kept.settle()
      const { creditedUp, creditedDown } = kept.record()
      return [Number(creditedUp), Number(creditedDown)]
    }
    const torrent = kept.hash(1).words
    expect(step(0)).toEqual([0, 0])
    expect(step(1)).toEqual([200, 100])
    kept.books.changeTorrent(torrent, { upPercent: 100, downPercent: 50, freeUntil: null })
    expect(step(2)).toEqual([400, 150])
    kept.accounts.set(1, { ...ACCOUNT, upPercent: 300, downPercent: 80 })
    expect(step(3)).toEqual([700, 200])
    kept.books.putToken(1, torrent, T + 5)
    expect(step(4)).toEqual([1_000, 200])
    expect(step(5)).toEqual([1_300, 250])
    kept.books.putToken(1, torrent, Infinity)
    expect(step(6)).toEqual([1_600, 250])
    kept.books.putToken(1, torrent, 0)
    kept.books.changeTorrent(torrent, { upPercent: 100, downPercent: 100, freeUntil: T + 8 })
    expect(step(7)).toEqual([1_900, 250])
    kept.accounts.set(1, { ...ACCOUNT, freeUntil: T + 9 })
    expect(step(8)).toEqual([2_100, 250])
    kept.books.follow({ ...kept.settings, downPercent: 0 })
    expect(step(9)).toEqual([2_300, 250])
    expect(kept.record()).toMatchObject({ up: 900n, down: 900n })
  })

  test('what is stored of a torrent and a token holds for what was counted before the answer', () => {
    const kept = new KeptBooks()
    const { hex } = kept.hash(1)
    Object.assign(kept.stored.torrent(hex), { upPercent: 500 })
    kept.stored.tokens.set(`1/${hex}`, Infinity)
    kept.say({ left: 1 })
    kept.say({ up: 7, down: 9, at: T + 9 })
    kept.settle()
    expect(kept.record()).toMatchObject({ creditedUp: 35n, creditedDown: 0n, up: 7n, down: 9n })
  })

  test('an answer that was asked before a change does not undo it', () => {
    const kept = new KeptBooks()
    kept.say({})
    const answer = kept.ask()
    kept.books.changeTorrent(kept.hash(1).words, {
      upPercent: 300,
      downPercent: 100,
      freeUntil: null,
    })
    kept.books.putToken(1, kept.hash(1).words, Infinity)
    answer?.()
    kept.say({ up: 5, down: 5, at: T + 9 })
    kept.settle()
    expect(kept.record()).toMatchObject({ creditedUp: 15n, creditedDown: 0n })
  })
})

describe('looking up', () => {
  test('some at a time, each once, the same until they are answered', () => {
    const kept = new KeptBooks()
    const count = MOST_LOOKUPS + 100
    for (let peer = 1; peer <= count; peer++) kept.say({ peer, torrent: 1 + (peer % 7) })
    const question = kept.books.question()
    expect(question?.account.length).toBe(MOST_LOOKUPS)
    expect(question?.hashes.length).toBe(7 * 20)
    kept.say({ peer: 1, up: 5, at: T + 1, torrent: 2 })
    expect(kept.books.question()).toBe(question!)
    kept.books.answer(kept.stored.lookUp(question!))
    expect(kept.books.question()?.account.length).toBe(100)
    kept.answerAll()
    expect(kept.books.question()).toBeUndefined()
  })

  test('a session that is asked is not written before its answer, and owes what came meanwhile', () => {
    const kept = new KeptBooks()
    kept.say({ up: 5 })
    kept.settle()
    kept.crash()
    kept.now = T + 60
    kept.say({ up: 25 })
    kept.say({ up: 45, at: T + 120 })
    expect(kept.freeze()).toBeUndefined()
    expect(kept.books.figures).toMatchObject({ owedRecords: 1, owedBytes: 20, oldestOwed: T + 60 })
    kept.settle()
    expect(kept.record()).toMatchObject({ up: 40n, seed: 120 })
  })

  test('what was ignored by the rules earns nothing afterwards', () => {
    const kept = new KeptBooks()
    kept.say({ up: 600, down: 900, endpoint: 1 })
    kept.settle()
    kept.crash()
    // A clone is first, then the other one, and only then the answer.
    kept.say({ up: 100, endpoint: 2, at: T + 60 })
    kept.say({ up: 610, down: 903, endpoint: 1, at: T + 90 })
    kept.settle()
    expect(kept.record()).toMatchObject({ up: 10n, down: 3n })
    kept.say({ up: 110, endpoint: 2, at: T + 120 })
    kept.say({ up: 615, down: 903, endpoint: 1, at: T + 150 })
    kept.settle()
    expect(kept.record().up).toBe(15n)
  })

  test('what was ignored does not move the baseline of downloads either', () => {
    const kept = new KeptBooks()
    kept.say({ up: 600, down: 900 })
    kept.settle()
    kept.crash()
    kept.say({ up: 500, down: 950, at: T + 60 })
    kept.say({ up: 510, down: 955, at: T + 61 })
    kept.settle()
    kept.say({ up: 610, down: 960, at: T + 90 })
    kept.settle()
    expect(kept.record()).toMatchObject({ up: 10n, down: 60n })
  })

  test('a client that begins anew before the answer goes on from there', () => {
    for (const isStopped of [false, true]) {
      const kept = new KeptBooks()
      kept.say({ up: 600, down: 900 })
      kept.settle()
      kept.crash()
      kept.say({ up: 100, down: 50, at: T + 60 })
      if (isStopped) kept.say({ up: 100, down: 50, at: T + 60, event: EVENT.stopped })
      kept.say({ up: 0, at: T + 61, event: EVENT.started })
      kept.settle()
      kept.say({ up: 4, down: 3, at: T + 90 })
      kept.settle()
      expect(kept.record()).toMatchObject({ up: 4n, down: 3n })
    }
  })

  test('discarded data before a crash is not counted again after it', () => {
    const kept = new KeptBooks()
    kept.say({ down: GB, left: 1 })
    kept.settle()
    kept.crash()
    kept.say({ down: GB - 70_000, left: 1, at: T + 60 })
    kept.say({ down: GB - 10_000, left: 1, at: T + 61 })
    kept.settle()
    expect(kept.record().down).toBe(0n)
    kept.say({ down: GB + 5, left: 1, at: T + 62 })
    kept.settle()
    expect(kept.record().down).toBe(5n)
  })
})

describe('batches', () => {
  test('what is owed while a batch is out comes with the next one', () => {
    const kept = new KeptBooks()
    kept.say({})
    kept.settle()
    kept.say({ up: 10, at: T + 10 })
    const first = kept.freeze()
    expect(first?.sessions.uploaded[0]).toBe(10)
    kept.say({ up: 30, at: T + 20, event: EVENT.stopped })
    expect(first?.sessions.uploaded[0]).toBe(10)
    expect(kept.books.figures).toMatchObject({ owedBytes: 30, owedRecords: 2 })
    kept.write()
    expect(kept.record()).toMatchObject({ up: 10n, active: true })
    expect(kept.books.figures).toMatchObject({ sessions: 1, owedBytes: 20 })
    kept.settle()
    expect(kept.record()).toMatchObject({ up: 30n, active: false })
    expect(kept.books.figures).toMatchObject({ sessions: 0, owedBytes: 0, oldestOwed: 0 })
  })

  test('at most so many sessions, and all in turn', () => {
    const kept = new KeptBooks()
    const count = MOST_SESSIONS + 500
    for (let peer = 1; peer <= count; peer++) kept.say({ peer })
    kept.answerAll()
    expect(kept.freeze()?.sessions.account.length).toBe(MOST_SESSIONS)
    kept.write()
    expect(kept.freeze()?.sessions.account.length).toBe(500)
    kept.write()
    expect(kept.freeze()).toBeUndefined()
    expect(kept.record().announces).toBe(count)
  })

  test('sessions that owe nothing but time wait', () => {
    const kept = new KeptBooks()
    kept.say({})
    kept.settle()
    kept.now = T + 600
    kept.say({})
    expect(kept.freeze(false)).toBeUndefined()
    expect(kept.books.figures).toMatchObject({ owedRecords: 1, oldestOwed: 0 })
    kept.settle()
    expect(kept.record()).toMatchObject({ seed: 600, lastSeen: T + 600 })
  })

  test('new baselines do not wait, though nothing is owed for them', () => {
    const kept = new KeptBooks()
    kept.say({ up: 50 })
    kept.settle()
    for (const [i, said] of [{ up: 0 }, { up: 9 }, { up: 9, down: 2 ** 30 }].entries()) {
      kept.say({ ...said, event: EVENT.started, endpoint: i + 2 })
      expect(kept.freeze(false)).toBeDefined()
      kept.write()
    }
    expect(kept.record()).toMatchObject({ up: 0n })
  })

  test('sessions of torrents that may have no row yet wait, and lose nothing', () => {
    for (const level of ['users', 'torrents'] as const) {
      const kept = new KeptBooks({ settings: { level } })
      for (let torrent = 1; torrent <= 50; torrent++)
        for (const up of [0, 5]) kept.say({ torrent, up, at: T + up })
      kept.answerAll()
      for (let allowed = 10, left = 50; left > 0; left -= 10) {
        let asked = 0
        const frozen = kept.freeze(true, () => ++asked <= allowed)
        expect(frozen?.hashes.length).toBe(10 * 20)
        expect(asked).toBe(Math.min(11, left))
        kept.write()
      }
      for (let torrent = 1; torrent <= 50; torrent++) {
        expect(kept.stored.torrent(kept.hash(torrent).hex).up).toBe(5n)
        kept.say({ torrent, up: 6, at: T + 9 })
      }
      // They have rows now.
      expect(kept.freeze(true, () => false)?.hashes.length).toBe(50 * 20)
    }
  })

  test('names of clients are kept where they are wanted and printable', () => {
    for (const storeClients of [true, false]) {
      const kept = new KeptBooks({ settings: { storeClients } })
      kept.say({})
      kept.settle()
      expect(kept.record().client).toBe(storeClients ? '-QB4630-' : '')
    }
  })
})

describe('N31', () => {
  test('upload that is too fast', () => {
    for (const [overSpeed, credited] of [
      ['flag', 10_000n],
      ['clamp', 1_000n],
      ['drop', 0n],
    ] as const) {
      const kept = new KeptBooks({ settings: { overSpeed, maxBytesPerSecond: 100 } })
      kept.say({})
      kept.say({ up: 10_000, at: T + 10 })
      kept.settle()
      expect(kept.record()).toMatchObject({ up: 10_000n, creditedUp: credited })
      expect(kept.stored.flags).toMatchObject([
        { kind: 'speed', account: 1, bytes: 10_000, seconds: 10, times: 1, at: T + 10 },
      ])
    }
  })

  test('many small lies in one hour', () => {
    const kept = new KeptBooks({ settings: { maxBytesPerSecond: 100 } })
    for (let n = 0; n <= 4_000; n++)
      kept.say({ torrent: 1 + (n % 2), up: n * 100, at: T + (n >> 2) })
    kept.settle()
    expect(kept.stored.flags.map(({ kind }) => kind)).toContain('speed')
  })

  test('an hour knows nothing of the one before', () => {
    const kept = new KeptBooks({ settings: { maxBytesPerSecond: 100, peerTimeoutSeconds: HOUR } })
    for (let hour = 0; hour < 5; hour++) kept.say({ up: hour * 300_000, at: T + hour * HOUR })
    kept.settle()
    expect(kept.stored.flags).toEqual([])
  })

  test('upload where there is no leecher but the client itself', () => {
    const flagsOf = (said: object, others: object[] = []) => {
      const kept = new KeptBooks()
      kept.say({ at: T, leechers: 0 })
      for (const other of others) kept.say(other)
      kept.say({ up: 9, at: T + 600, leechers: 0, ...said })
      kept.settle()
      return kept.stored.flags.map(({ kind }) => kind)
    }
    expect(flagsOf({})).toEqual(['no_leechers'])
    expect(flagsOf({ left: 5, leechers: 1 })).toEqual(['no_leechers'])
    expect(flagsOf({ leechers: 1 })).toEqual([])
    expect(flagsOf({ up: 0 })).toEqual([])
    // It was there meanwhile.
    const other = { account: 2, peer: 2, left: 5, leechers: 1, at: T + 300 }
    expect(flagsOf({}, [other])).toEqual([])
    expect(flagsOf({}, [{ ...other, at: T - 1 }])).toEqual(['no_leechers'])
  })

  test('those of an hour are one, and none of them grow without end', () => {
    const kept = new KeptBooks({ settings: { maxBytesPerSecond: 1 } })
    for (let torrent = 1; torrent <= 2_000; torrent++)
      for (const up of [0, 500, 1_000]) kept.say({ torrent, up, at: T + up / 500 })
    kept.answerAll()
    expect(kept.books.figures.flags.speed).toBe(4_000)
    kept.settle()
    expect(kept.stored.flags.length).toBe(2_000)
    expect(kept.stored.flags.every(({ times, bytes }) => times === 2 && bytes === 1_000)).toBe(true)
  })
})

test('N22: announces that were left out are made up for by the next', () => {
  const kept = new KeptBooks()
  kept.say({ left: 9 })
  kept.settle()
  for (let n = 1; n <= RING_ENTRIES; n++) kept.note({ up: n, down: n, left: 9, at: T + 60 })
  expect(kept.reader.waiting).toBe((RING_ENTRIES / 4) * 3)
  const done = { up: RING_ENTRIES + 5, down: RING_ENTRIES + 5, at: T + 90 }
  kept.note({ ...done, event: EVENT.completed })
  kept.note({ ...done, event: EVENT.stopped, up: RING_ENTRIES + 6 })
  for (let n = 0; n < RING_ENTRIES; n++) kept.note({ peer: 9, event: EVENT.stopped })
  kept.settle()
  expect(kept.record()).toMatchObject({
    up: BigInt(RING_ENTRIES + 6),
    down: BigInt(RING_ENTRIES + 5),
    completed: true,
    active: false,
  })
  expect(kept.reader.lost).toBe((RING_ENTRIES / 4) * 3 + 2)
})

describe('limits', () => {
  const left = 5

  test('torrents that an account leeches and seeds', () => {
    const kept = new KeptBooks()
    const counts = () => [kept.accounts.leeching(1), kept.accounts.seeding(1)]
    kept.say({ torrent: 1, left })
    kept.say({ torrent: 1, left, peer: 2 })
    kept.say({ torrent: 2 })
    expect(counts()).toEqual([1, 1])
    kept.say({ torrent: 1, event: EVENT.completed })
    expect(counts()).toEqual([1, 2])
    kept.say({ torrent: 1, left, peer: 2, event: EVENT.stopped })
    expect(counts()).toEqual([0, 2])
    kept.say({ torrent: 3, left, limit: LIMITED[0] })
    expect(counts()).toEqual([0, 2])
    kept.settle()
    kept.now = T + HOUR
    kept.say({ torrent: 2 })
    kept.expire()
    expect(counts()).toEqual([0, 1])
    kept.settle()
    expect(kept.record(1, 1)).toMatchObject({ active: false })
    expect(kept.books.figures).toMatchObject({ sessions: 1, limited: { slots: 1 } })
  })

  test('a client whose connection is closed is not there any more, and may come back with its counters', () => {
    for (const isWritten of [true, false])
      for (const isKnown of [true, false]) {
        const kept = new KeptBooks()
        const counts = () => [kept.accounts.leeching(1), kept.accounts.seeding(1)]
        kept.say({ left, up: 1, event: EVENT.started })
        if (isKnown) kept.settle()
        kept.say({ left, up: 5, at: T + 10 })
        kept.say({ isGone: true, at: T + 30, endpoint: 2 })
        expect(counts()).toEqual([1, 0])
        kept.say({ isGone: true, at: T + 30 })
        expect(counts()).toEqual([0, 0])
        kept.say({ isGone: true, at: T + 60 })
        if (isWritten) {
          kept.settle()
          const record = { up: 4n, seed: 0, leech: 30, left: 5, active: false, announces: 2 }
          expect(kept.record()).toMatchObject(record)
          expect(kept.books.figures.sessions).toBe(0)
        }
        kept.say({ left: 0, up: 9, down: 5, at: T + 90, endpoint: 3 })
        expect(counts()).toEqual([0, 1])
        kept.settle()
        expect(kept.record()).toMatchObject({ up: 8n, down: 5n, active: true, seeder: true })
        expect(kept.books.figures.events).toMatchObject({ started: 1, none: 2, stopped: 0 })
      }
  })

  test('a connection that is closed begins no session, and ends none where accounts are not kept', () => {
    const kept = new KeptBooks()
    kept.say({ isGone: true })
    kept.settle()
    expect([kept.books.figures.sessions, kept.record()]).toEqual([0, {}])
    const open = new KeptBooks({ settings: { level: 'torrents' } })
    open.say({ up: 5 })
    open.say({ isGone: true })
    open.settle()
    open.say({ up: 9, endpoint: 2 })
    open.settle()
    expect(open.stored.torrent(open.hash(1).hex).up).toBe(4n)
  })

  test('slots follow sessions of limited accounts, and changes of limits', () => {
    const kept = new KeptBooks()
    const words = kept.hash(1).words
    const holds = () => [kept.slots.clients(1, words), kept.slots.holdsDownload(1, words)]
    const recount = (account?: number) => {
      for (const _ of kept.books.recount(account));
    }
    kept.say({ left, peer: 1 })
    kept.say({ peer: 2 })
    expect(holds()).toEqual([0, false])
    kept.accounts.set(1, { ...ACCOUNT, maxPeers: 3 })
    recount(1)
    expect(holds()).toEqual([2, true])
    kept.say({ peer: 1, event: EVENT.completed })
    expect(holds()).toEqual([2, false])
    kept.say({ peer: 3, left, limit: 'clients' })
    expect(holds()).toEqual([2, false])
    kept.say({ peer: 3, left })
    expect(holds()).toEqual([3, true])
    kept.say({ peer: 3, left, event: EVENT.stopped })
    expect(holds()).toEqual([2, false])
    kept.accounts.set(1, ACCOUNT)
    kept.say({ peer: 2, event: EVENT.stopped })
    expect(holds()).toEqual([1, false])
    recount()
    expect(holds()).toEqual([0, false])
    kept.accounts.setDefaults({ maxDownloads: 1, maxPeers: 0 })
    recount()
    expect(holds()).toEqual([1, false])
    kept.settle()
    kept.now = T + HOUR
    kept.expire()
    expect(holds()).toEqual([0, false])
  })
})

describe('an erased account', () => {
  for (const how of ['asked', 'owing', 'frozen'] as const)
    test(`leaves nothing, and is counted no more (${how})`, () => {
      const kept = new KeptBooks({ settings: { maxBytesPerSecond: 1 } })
      kept.accounts.set(1, { ...ACCOUNT, maxPeers: 5 })
      for (const account of [1, 2]) kept.say({ account, left: 1 })
      if (how !== 'asked') kept.settle()
      for (const account of [1, 2]) kept.say({ account, up: 10, left: 1, at: T + 1 })
      if (how === 'frozen') kept.freeze()
      kept.stored.erase(1)
      for (const _ of kept.books.forgetAccount(1));
      kept.say({ up: 20, at: T + 2 })
      if (how === 'frozen') kept.write()
      kept.settle()
      kept.say({ account: 1, up: 20, at: T + 3 })
      expect(kept.books.figures.sessions).toBe(1)
      kept.settle()
      expect([...kept.stored.records.keys()].map((key) => key[0])).toEqual(['2'])
      expect(kept.stored.sessions.size).toBe(1)
      expect(kept.record(2)).toMatchObject({ up: 10n })
      expect(kept.stored.flags.every(({ account }) => account === 2)).toBe(true)
      expect([kept.accounts.knows(1), kept.accounts.leeching(1)]).toEqual([false, 0])
      expect(kept.slots.size).toBe(0)
      expect(kept.books.figures).toMatchObject({ sessions: 1, owedBytes: 0, owedRecords: 0 })
    })
})

describe('memory', () => {
  test('when it is spent unknown sessions are not begun, and known ones go on', () => {
    let left = 8_192
    const charge = (kib: number) => {
      if (kib > left) return false
      left -= kib
      return true
    }
    for (const level of ['users', 'torrents'] as const) {
      left = 800
      const kept = new KeptBooks({ charge, settings: { ...SETTINGS, level } })
      for (let n = 1; n <= 5_000; n++) kept.say({ peer: n, torrent: n, left: 1 })
      const { sessions } = kept.books.figures
      expect(sessions).toBeGreaterThan(500)
      expect(sessions).toBeLessThan(5_000)
      kept.settle()
      kept.say({ peer: 1, torrent: 1, up: 7, left: 1, at: T + 60 })
      kept.settle()
      expect(kept.stored.torrent(kept.hash(1).hex).up).toBe(7n)
      // What has gone makes room.
      for (let n = 1; n <= 5_000; n++)
        kept.say({ peer: n, torrent: n, left: 1, event: EVENT.stopped, at: T + 61 })
      kept.settle()
      expect(kept.books.figures.sessions).toBe(0)
      for (let n = 6_000; n <= 6_300; n++) kept.say({ peer: n, torrent: n, at: T + 70 })
      expect(kept.books.figures.sessions).toBe(301)
    }
  })

  test('a record has at most as many sessions as can be counted', () => {
    const kept = new KeptBooks({ capacity: 70_000 })
    for (let peer = 1; peer <= 66_000; peer++) {
      kept.note({ peer })
      if (peer % 1_000 === 0) kept.drain()
    }
    kept.say({ peer: 1, torrent: 2, left: 1 })
    expect(kept.books.figures.sessions).toBe(65_536)
    expect([kept.accounts.seeding(1), kept.accounts.leeching(1)]).toEqual([1, 1])
    kept.say({ peer: 1, left: 1 })
    expect([kept.accounts.seeding(1), kept.accounts.leeching(1)]).toEqual([1, 2])
  })

  test('at most as many sessions as there is room for', () => {
    const kept = new KeptBooks({ capacity: 100 })
    for (let peer = 1; peer <= 200; peer++) kept.say({ peer })
    expect(kept.books.figures.sessions).toBe(100)
    kept.settle()
    expect(kept.stored.sessions.size).toBe(100)
  })

  test('N18: while the database is away nothing grows but with sessions', () => {
    let kib = 0
    const kept = new KeptBooks({
      charge: (more) => {
        kib += more
        return true
      },
    })
    for (let peer = 1; peer <= 1_000; peer++) kept.say({ peer })
    kept.answerAll()
    kept.freeze()
    const before = kib
    for (let round = 1; round <= 20; round++)
      for (let peer = 1; peer <= 1_000; peer++) kept.say({ peer, up: round, at: T + round })
    expect(kib).toBe(before)
    kept.write()
    kept.settle()
    expect(kept.record().up).toBe(20_000n)
  })
})

test('N33: level `torrents` keeps figures of torrents alone', () => {
  const kept = new KeptBooks({ settings: { level: 'torrents' } })
  for (const account of [0, 5]) kept.say({ account, peer: 1 + account, left: 9 })
  expect(kept.books.question()?.account.length).toBe(0)
  kept.say({ account: 0, up: 7, down: 9, left: 1, at: T + 60 })
  // The torrent is looked up before it may get a row.
  expect(kept.freeze()).toBeUndefined()
  kept.answerAll()
  kept.say({ account: 0, up: 8, at: T + 90, event: EVENT.completed })
  kept.say({ account: 0, up: 9, at: T + 91, event: EVENT.stopped })
  kept.say({ account: 0, up: 9, at: T + 91, event: EVENT.stopped, endpoint: 2 })
  kept.settle()
  expect(kept.stored.torrent(kept.hash(1).hex)).toMatchObject({
    up: 9n,
    down: 9n,
    seed: 1,
    leech: 90,
  })
  expect([kept.stored.sessions.size, kept.stored.records.size]).toEqual([0, 0])
  expect(kept.books.figures.sessions).toBe(1)
  kept.now = T + HOUR
  kept.expire()
  kept.settle()
  expect(kept.books.figures).toMatchObject({ sessions: 0, owedRecords: 0 })
  kept.say({ account: 0, up: 50, event: EVENT.stopped })
  expect(kept.books.figures.sessions).toBe(0)
})
