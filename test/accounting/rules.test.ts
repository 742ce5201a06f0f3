import { describe, expect, test } from 'bun:test'
import {
  begin,
  Credit,
  counter,
  downPercentOf,
  judge,
  MOST,
  Report,
  Session,
  STAND,
  share,
  Terms,
  UNKNOWN,
  upPercentOf,
} from '../../src/accounting/rules.ts'
import { type AnnounceEvent, EVENT } from '../../src/bittorrent.ts'
import {
  BookedTracker,
  RuledTracker,
  UsualTracker,
} from '../support/accounting/simulated-trackers.ts'
import { simulate } from '../support/accounting/simulation.ts'
import {
  type NaiveReport,
  type NaiveSession,
  type NaiveTerms,
  naiveBegin,
  naiveCounter,
  naiveJudge,
  naiveShare,
} from '../support/naive/accounting.ts'
import { dice, seed } from '../support/random.ts'

const GB = 1e9
const MIB = 2 ** 20
const T = 1_700_000_000

const defaults = { timeout: 2_700, longestGap: 2_700 }
type Said = Partial<Report>

/** One session, which begins with `first`. */
function started(first: Said, changed: Partial<Terms> = {}) {
  const session = new Session()
  const terms = Object.assign(new Terms(), defaults, changed)
  const reportOf = (said: Said) => Object.assign(new Report(), { at: T, leechers: 1, ...said })
  begin(session, reportOf(first))
  return {
    session,
    terms,
    say(said: Said) {
      const credit = new Credit()
      judge(session, reportOf(said), terms, credit)
      return credit
    },
  }
}

describe('bytes', () => {
  test('N1: the first announce is the baseline', () => {
    const { say } = started({ up: 5 * GB })
    expect(say({ up: 5 * GB + 7, at: T + 60 })).toMatchObject({ up: 7, creditedUp: 7 })
  })

  test('N3: the same over two addresses counts once', () => {
    for (const event of Object.values(EVENT)) {
      const { say } = started({ up: 1, endpoint: 4, event: EVENT.started })
      say({ up: 1, endpoint: 6, event: EVENT.started })
      const sum = say({ up: 9, endpoint: 6, at: T + 60 }).up
      expect(sum + say({ up: 9, endpoint: 4, at: T + 60, event }).up).toBe(8)
      expect(say({ up: 9, endpoint: 6, at: T + 60, event }).up).toBe(0)
    }
  })

  test('N5: discarded data costs no upload, and is not counted again', () => {
    const { say } = started({ down: GB })
    expect(say({ up: 500, down: GB - 70_000, at: T + 60 })).toMatchObject({ up: 500, down: 0 })
    expect(say({ up: 600, down: GB + 10, at: T + 120 })).toMatchObject({ up: 100, down: 10 })
    expect(say({ up: 600, down: GB + 10 - 64 * MIB, at: T + 180 }).down).toBe(0)
    expect(say({ up: 600, down: GB + 11, at: T + 240 }).down).toBe(1)
    // By more it is a client that began anew.
    say({ up: 600, down: GB + 10 - 64 * MIB, at: T + 300 })
    expect(say({ up: 600, down: GB + 11 - 64 * MIB - 1, at: T + 360 }).down).toBe(0)
    expect(say({ up: 600, down: 0, at: T + 420 }).down).toBe(0)
    expect(say({ up: 600, down: 5, at: T + 480 }).down).toBe(5)
  })

  test('N6: a restart begins at what is reported then', () => {
    for (const said of [
      { event: EVENT.started, endpoint: 9 },
      { event: EVENT.none },
      { event: EVENT.none, endpoint: 9, at: T + 2_701 },
    ]) {
      const { say } = started({ up: GB, down: GB })
      expect(say({ up: 0, down: 0, at: T + 60, ...said })).toMatchObject({ up: 0, down: 0 })
      expect(say({ up: 8, down: 9, at: T + 3_000, ...said, event: EVENT.none })).toMatchObject({
        up: 8,
        down: 9,
      })
    }
  })

  test('of two announces in one second that are read in reverse each byte counts once', () => {
    const { say } = started({ up: GB, down: 0 })
    const first = say({ up: GB + 107, down: 200 * MIB, at: T + 60 })
    const second = say({ up: GB + 100, down: 100 * MIB, at: T + 60 })
    const third = say({ up: GB + 107, down: 100 * MIB, at: T + 60 })
    const last = say({ up: GB + 110, down: 200 * MIB, at: T + 120 })
    expect([first, second, third, last].map(({ up }) => up)).toEqual([107, 0, 0, 3])
    expect([first, second, third, last].map(({ down }) => down)).toEqual([200 * MIB, 0, 0, 0])
    expect(second).toMatchObject({ isShared: false, hasRestarted: false })
  })

  test('N7: of two machines with one peer id the larger one counts', () => {
    const { say } = started({ up: 6 * GB, endpoint: 1 })
    let sum = 0
    let shared = 0
    for (let round = 1; round <= 40; round++) {
      const low = say({ up: GB + round * MIB, endpoint: 2, at: T + round * 600 })
      const high = say({ up: 6 * GB + round * MIB, endpoint: 1, at: T + round * 600 + 300 })
      sum += low.up + high.up
      if (low.isShared) shared++
    }
    expect(sum).toBe(40 * MIB)
    // Six falls an hour, and the third is the first that is told.
    expect(shared).toBeGreaterThan(20)
  })

  test('N8: `started` from elsewhere earns nothing', () => {
    const { say } = started({ up: 10, endpoint: 1 })
    expect(say({ up: 30, down: 5, endpoint: 2, event: EVENT.started })).toMatchObject({
      up: 0,
      down: 0,
    })
    expect(say({ up: 50, down: 6, endpoint: 2, event: EVENT.started })).toMatchObject({
      up: 20,
      down: 1,
    })
  })

  test('N9: counters of any size', () => {
    expect(counter(-1, -1)).toBe(MOST)
    expect(counter(0x8000_0000 | 0, 0)).toBe(MOST)
    expect(counter(2 ** 21, 0)).toBe(MOST)
    expect(counter(2 ** 21 - 1, -1)).toBe(MOST)
    expect(counter(0, -1)).toBe(2 ** 32 - 1)
    const { say, session } = started({}, { upPercent: 1_000, mostPerSecond: 1 })
    expect(say({ up: MOST, down: MOST, at: T + 1 })).toMatchObject({ up: MOST, creditedUp: MOST })
    expect(session).toMatchObject({ up: MOST, down: MOST })
    expect(say({ up: MOST, down: MOST })).toMatchObject({ up: 0, down: 0 })
  })

  test('N11: another address changes nothing', () => {
    const { say } = started({ up: 10, endpoint: 1 })
    expect(say({ up: 30, endpoint: 2 }).up).toBe(20)
    expect(say({ up: 31, endpoint: 3 }).up).toBe(1)
  })
})

describe('time', () => {
  test('N12: the interval counts as what the session was before', () => {
    const { say } = started({ left: 5 })
    expect(say({ left: 0, event: EVENT.completed, at: T + 100 })).toMatchObject({
      leechSeconds: 100,
      seedSeconds: 0,
    })
    expect(say({ at: T + 150 })).toMatchObject({ leechSeconds: 0, seedSeconds: 50 })
  })

  test('N12: a second counts once in a record', () => {
    const { say, session } = started({})
    session.counted = T + 60
    expect(say({ at: T + 100 }).seedSeconds).toBe(40)
    expect(session.counted).toBe(T + 100)
    expect(say({ at: T + 50 }).seedSeconds).toBe(0)
    expect(session.seen).toBe(T + 100)
  })

  test('a clock that was ahead is forgotten when it is set back', () => {
    const { say, session } = started({})
    const DAY = 86_400
    expect(say({ at: T + DAY, up: 5 })).toMatchObject({ seedSeconds: 0, up: 5 })
    expect(say({ at: T + 100, up: 7 })).toMatchObject({ seedSeconds: 0, up: 2 })
    expect(say({ at: T + 150, up: 9 })).toMatchObject({ seedSeconds: 50, up: 2 })
    session.counted = T + DAY
    expect(say({ at: T + 200 }).seedSeconds).toBe(0)
    expect(say({ at: T + 260, up: 9 }).seedSeconds).toBe(60)
    // A client that began anew without saying so is known again.
    say({ at: T + DAY, up: 9 })
    say({ at: T + 300, up: 9 })
    expect(say({ at: T + 400, up: 1 }).hasRestarted).toBe(true)
  })

  test('N13: too long a gap is no time', () => {
    const { say } = started({})
    expect(say({ at: T + 2_700 }).seedSeconds).toBe(2_700)
    expect(say({ at: T + 2_700 + 2_701 }).seedSeconds).toBe(0)
  })

  test('a client that a limit keeps out earns none', () => {
    const { say, session } = started({ left: 5 })
    expect(say({ left: 5, at: T + 60, isLimited: true }).leechSeconds).toBe(60)
    expect(session.stand).toBe(STAND.away)
    expect(say({ left: 5, at: T + 120 }).leechSeconds).toBe(0)
    expect(say({ left: 5, at: T + 180 }).leechSeconds).toBe(60)
  })
})

test('N14: a completion counts once, and only after a download', () => {
  const done = { event: EVENT.completed }
  const { say } = started({ left: 5 })
  expect(say({ left: 1, ...done }).hasCompleted).toBe(false)
  expect(say(done).hasCompleted).toBe(true)
  expect(say({ ...done, endpoint: 2 }).hasCompleted).toBe(false)
  expect(say(done).hasCompleted).toBe(false)
  expect(started({}).say(done).hasCompleted).toBe(false)
})

test('N15: percentages', () => {
  expect([upPercentOf(200, 100, 300), downPercentOf(100, 50, 100)]).toEqual([300, 50])
  expect(upPercentOf(200, 100, 100)).toBe(200)
  expect(downPercentOf(0, 50, 100)).toBe(0)
  const { say } = started({}, { upPercent: 300, downPercent: 50 })
  expect(say({ up: 33, down: 33 })).toMatchObject({
    up: 33,
    down: 33,
    creditedUp: 99,
    creditedDown: 16,
  })
  const roll = dice()
  for (let i = 0; i < 2_000; i++) {
    const bytes = Math.floor(MOST / 2 ** roll(53)) - roll(100)
    const percent = roll(1_001)
    if (bytes >= 0) expect(BigInt(share(bytes, percent))).toBe(naiveShare(BigInt(bytes), percent))
  }
})

test('N31: what is uploaded too fast', () => {
  const credits = (['flag', 'clamp', 'drop'] as const).map((overSpeed) => {
    const { say } = started({}, { mostPerSecond: 100, overSpeed, upPercent: 200 })
    expect(say({ up: 1_000, at: T + 10 }).isTooFast).toBe(false)
    return say({ up: 11_000, at: T + 20 })
  })
  expect(credits.map(({ isTooFast, up }) => [isTooFast, up])).toEqual(Array(3).fill([true, 10_000]))
  expect(credits.map(({ creditedUp }) => creditedUp)).toEqual([20_000, 2_000, 0])
})

test('N31: upload without a leecher', () => {
  const { say } = started({ at: T })
  expect(say({ up: 5, at: T + 60, leechers: 1 }).hasNoLeechers).toBe(false)
  expect(say({ up: 5, at: T + 70, leechers: 0 }).hasNoLeechers).toBe(false)
  expect(say({ up: 6, at: T + 120, leechers: 0, leechedAt: T + 70 }).hasNoLeechers).toBe(false)
  expect(say({ up: 7, at: T + 180, leechers: 0, leechedAt: T + 119 }).hasNoLeechers).toBe(true)
})

const EVENTS: readonly AnnounceEvent[] = [EVENT.none, EVENT.none, EVENT.none, 1, 2, 3]

test('the rules and their slow twin agree', () => {
  const roll = dice()
  const sizes = [
    0n,
    1n,
    70_000n,
    2n ** 26n,
    2n ** 26n + 1n,
    10n ** 9n,
    2n ** 40n,
    2n ** 53n,
    2n ** 64n - 1n,
  ]
  for (let run = 0; run < 400; run++) {
    const session = new Session()
    const report = new Report()
    const credit = new Credit()
    let naive: NaiveSession | undefined
    let counted = 0
    let at = T
    let up = 0n
    let down = 0n
    const terms: NaiveTerms = {
      upPercent: roll(1_001),
      downPercent: roll(101),
      timeout: 2_700,
      longestGap: 2_700 + roll(2) * 450,
      mostPerSecond: 1 + roll(2 ** 30),
      overSpeed: (['flag', 'clamp', 'drop'] as const)[roll(3)]!,
    }
    for (let step = 0; step < 60; step++) {
      at += [0, 1, 60, 1_800, 2_700, 2_701, 3_000, -5, -10_000][roll(9)]!
      const next = () => sizes[roll(sizes.length)]! + BigInt(roll(1_000))
      const move = roll(10)
      up = move === 0 ? next() : up + next() / BigInt(1 + roll(1_000))
      down = move < 2 ? next() : move === 2 ? down - down / 1_000n : down + BigInt(roll(10 ** 6))
      up = BigInt.asUintN(64, up)
      down = BigInt.asUintN(64, down)
      const said: NaiveReport = {
        up: naiveCounter(up),
        down: naiveCounter(down),
        left: BigInt(roll(2) * roll(1_000)),
        event: EVENTS[roll(EVENTS.length)]!,
        endpoint: String(1 + roll(3)),
        at,
        limited: roll(10) === 0,
        leechers: roll(2),
        leechedAt: at - roll(4_000),
      }
      Object.assign(report, {
        up: counter(Number(up >> 32n) | 0, Number(up & 0xffff_ffffn) | 0),
        down: counter(Number(down >> 32n) | 0, Number(down & 0xffff_ffffn) | 0),
        left: Number(said.left),
        event: said.event,
        endpoint: Number(said.endpoint),
        at,
        isLimited: said.limited,
        leechers: said.leechers,
        leechedAt: said.leechedAt,
      })
      const context = `SEED=${seed} run ${run} step ${step}`
      if (!naive) {
        begin(session, report)
        naive = naiveBegin(said)
        if (roll(3) === 0) {
          session.endpoint = UNKNOWN
          naive = { ...naive, endpoint: undefined }
        }
        continue
      }
      judge(session, report, Object.assign(new Terms(), terms), credit)
      const after = naiveJudge(naive, counted, said, terms)
      naive = after.session
      counted = after.counted
      const flags = [
        ...(credit.isTooFast ? ['speed'] : []),
        ...(credit.hasNoLeechers ? ['no_leechers'] : []),
        ...(credit.isShared ? ['shared_id'] : []),
      ]
      const ours = {
        up: BigInt(session.up),
        down: BigInt(session.down),
        seen: session.seen,
        stand: ['away', 'leecher', 'seeder'][session.stand],
        leeched: session.hasLeeched,
        counted: session.counted,
        credit: [credit.up, credit.down, credit.creditedUp, credit.creditedDown].map(BigInt),
        time: [credit.seedSeconds, credit.leechSeconds],
        what: [credit.hasCompleted, credit.hasEnded, credit.hasRestarted, credit.isIgnored],
        flags,
      }
      const theirs = after.credit
      expect(ours, context).toEqual({
        up: naive.up,
        down: naive.down,
        seen: naive.seen,
        stand: naive.role,
        leeched: naive.leeched,
        counted,
        credit: [theirs.up, theirs.down, theirs.creditedUp, theirs.creditedDown],
        time: [theirs.seed, theirs.leech],
        what: [theirs.completed, theirs.ended, theirs.restarted, theirs.ignored],
        flags: [...theirs.flags],
      })
    }
  }
})

describe('simulation', () => {
  const share = (credited: number, sent: number) => credited / sent

  for (const [name, open] of [
    ['by the rules', () => new RuledTracker()],
    ['by the books', () => new BookedTracker()],
  ] as const)
    test(`almost all that clients send is credited ${name}, over five crashes, and clones gain nothing`, () => {
      const run = simulate(open(), dice(), 5)
      expect(share(run.credited, run.sent), `SEED=${seed}`).toBeGreaterThan(0.97)
      expect(run.most, `SEED=${seed}`).toBeLessThan(1.005)
      expect(share(run.creditedToClones, run.sentByClones), `SEED=${seed}`).toBeLessThan(1.005)
    })

  test('the usual rules fail these bounds', () => {
    const run = simulate(new UsualTracker(), dice(), 5)
    expect(share(run.credited, run.sent), `SEED=${seed}`).toBeLessThan(0.97)
    expect(share(run.creditedToClones, run.sentByClones), `SEED=${seed}`).toBeGreaterThan(1.005)
  })

  test('so do ours when an ended session is forgotten before its end is stored', () => {
    const run = simulate(new RuledTracker(true), dice(), 0)
    expect(run.most, `SEED=${seed}`).toBeGreaterThan(1.005)
  })
})
