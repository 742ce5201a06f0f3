/** What strangers make up does not stay. */
import { describe, expect, test } from 'bun:test'
import { MOST_BEGUN } from '../../src/accounting/accounts.ts'
import { EVENT } from '../../src/bittorrent.ts'
import { KeptBooks, SETTINGS, T } from '../support/accounting/kept-books.ts'

const LATER = T + SETTINGS.peerTimeoutSeconds + 1

describe('figures of torrents alone', () => {
  const open = () => new KeptBooks({ settings: { level: 'torrents' }, capacity: 20_000 })

  test('N34: clients that leave are gone at once when they owe nothing', () => {
    const kept = open()
    kept.say({ peer: 1, event: EVENT.started })
    kept.settle()
    for (let peer = 2; peer < 6_000; peer++) {
      kept.note({ peer, event: EVENT.started })
      kept.note({ peer, event: EVENT.stopped })
      if (peer % 1_000 === 0) kept.drain()
    }
    kept.drain()
    expect(kept.books.figures.sessions).toBe(1)
    // Twice in one drain, and what it owes at its second end is stored.
    kept.note({ peer: 2, event: EVENT.started })
    kept.note({ peer: 2, event: EVENT.stopped })
    kept.note({ peer: 2, event: EVENT.started, at: T + 1 })
    kept.note({ peer: 2, event: EVENT.stopped, at: T + 1, up: 7 })
    kept.settle()
    expect(kept.books.figures).toMatchObject({ sessions: 1, uploaded: 7 })
    expect([...kept.stored.torrents.values()]).toMatchObject([{ up: 7n }])
    for (let peer = 2; peer < 6_000; peer++) {
      kept.note({ peer, event: EVENT.started })
      if (peer % 1_000 === 0) kept.drain()
    }
    kept.drain()
    kept.expire(LATER)
    expect(kept.books.figures.sessions).toBe(0)
  })

  test('N34: one that leaves while its figures are on their way is gone after them', () => {
    const kept = open()
    kept.say({ event: EVENT.started })
    kept.say({ up: 5, at: T + 60 })
    kept.answerAll()
    kept.freeze()
    kept.say({ up: 5, at: T + 60, event: EVENT.stopped })
    expect(kept.books.figures.sessions).toBe(1)
    kept.write()
    kept.settle()
    expect(kept.books.figures.sessions).toBe(0)
    expect([...kept.stored.torrents.values()]).toMatchObject([{ up: 5n }])
  })
})

test('N34: peer ids without end cost their own account its figures, and no other', () => {
  const kept = new KeptBooks({ capacity: 300_000 })
  for (let peer = 1; peer <= MOST_BEGUN + 100; peer++) {
    kept.note({ torrent: peer >>> 10, peer })
    if (peer % 10_000 === 0) kept.drain()
  }
  kept.drain()
  expect(kept.books.figures.sessions).toBe(MOST_BEGUN)
  kept.say({ account: 2 })
  kept.say({ account: 2, up: 7 })
  // Those that are known go on, and time makes up for some.
  kept.say({ torrent: 0, peer: 1, up: 5 })
  for (let peer = 1; peer <= 20; peer++) kept.say({ torrent: 500, peer, at: T + 10 })
  expect(kept.books.figures).toMatchObject({ sessions: MOST_BEGUN + 11, uploaded: 12 })
})

describe.each(['torrents', 'users'] as const)('level %s', (level) => {
  test('N34: what waits for the row of a torrent is let go with its clients', () => {
    const kept = new KeptBooks({ settings: { level }, capacity: 20_000 })
    const isRefused = () => false
    for (let torrent = 1; torrent <= 3_000; torrent++) {
      kept.note({ torrent, event: EVENT.started })
      kept.note({ torrent, up: 5, event: torrent % 2 ? EVENT.none : EVENT.stopped })
    }
    kept.drain()
    kept.answerAll()
    expect(kept.freeze(true, isRefused)).toBeUndefined()
    kept.expire(LATER)
    kept.say({ torrent: 1, up: 6, at: LATER })
    kept.expire(LATER)
    expect(kept.books.figures).toMatchObject({ sessions: 1, owedBytes: 6 })
    kept.settle()
    expect(kept.stored.torrents.size).toBe(1)
  })
})
