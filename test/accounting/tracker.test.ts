/** What accounts change about announces: over a limit they get counts and no peers, and are noted all the same. */
import { describe, expect, test } from 'bun:test'
import { Visitor } from '../../src/access/gate.ts'
import {
  Announce,
  Answer,
  EVENT,
  PeerList,
  SEAT,
  SeatAnnounce,
  WANT_DEFAULT,
  WEB,
} from '../../src/bittorrent.ts'
import { FAMILIES, WEB_ROW } from '../../src/swarm/layout.ts'
import { createSwarmMemory, Swarm } from '../../src/swarm/swarm.ts'
import { hashWords, keyOf, keyText } from '../support/access/entries.ts'
import { limitedTracker, SETTINGS } from '../support/accounting/limited.ts'
import { NOW_MILLISECONDS, trackerOver } from '../support/servers/served-http.ts'

const [TORRENT, SECOND, THIRD] = [hashWords(1), hashWords(2), hashWords(3)]
const CLIENT = hashWords(10)
const NOWHERE = { externalIp: undefined }
const { none, started, stopped, completed } = EVENT

function world() {
  const it = limitedTracker()
  const memory = createSwarmMemory(16 * 2 ** 20, Int32Array.of(1), false, [...FAMILIES, WEB_ROW])
  const swarm = new Swarm(memory, 1, 1)
  const clock = { seconds: () => NOW_MILLISECONDS / 1000, milliseconds: () => NOW_MILLISECONDS }
  const tracker = trackerOver(swarm, clock, {}, it.tracking)
  const visitor = new Visitor('connected')
  visitor.shows = 'key'
  const answer = new Answer([new PeerList(4, new Uint16Array(1_000))])
  const seats = new Answer([new PeerList(WEB, new Uint16Array(1_000))])
  const said = ({ seeders, leechers, lists, limit }: Answer) => ({
    counts: [seeders, leechers],
    peers: lists[0]!.count,
    limit,
  })
  const fill = (
    announce: Announce | SeatAnnounce,
    torrent: Int32Array,
    left: number,
    event: Announce['event'],
  ) => {
    announce.words.set(torrent)
    announce.words.set(CLIENT, 5)
    announce.counts[1] = 7
    announce.counts[3] = 8
    announce.counts[5] = left
    announce.event = event
    announce.want = WANT_DEFAULT
  }
  const announce = new Announce()
  const seat = new SeatAnnounce()
  return {
    ...it,
    tracker,
    swarm,
    /** Announces as the client of an account, whose port is the number of its key. */
    ask: (key: number, torrent: Int32Array, left: number, event: Announce['event'] = none) => {
      visitor.key.words.set(keyOf(keyText(key)).words)
      fill(announce, torrent, left, event)
      announce.port = key
      const outcome = tracker.announce(visitor, announce, NOWHERE, answer)
      expect(announce.event).toBe(event)
      return outcome === 'served' ? said(answer) : outcome
    },
    askSeat: (key: number, torrent: Int32Array, left: number) => {
      visitor.key.words.set(keyOf(keyText(key)).words)
      fill(seat, torrent, left, none)
      seat.endpointHalves[SEAT.seat + 1] = key
      expect(tracker.announceSeat(visitor, seat, seats)).toBe('served')
      return { ...said(seats), leave: () => tracker.leave(key, seat) }
    },
  }
}

test('N26: what is noted of an announce is whose it is, its counters, and the swarm after it', () => {
  const { ask, noted } = world()
  ask(1, TORRENT, 5, started)
  ask(2, TORRENT, 0)
  ask(9, TORRENT, 0, stopped)
  // Refused: nothing is noted.
  expect(ask(5, TORRENT, 0)).toBe('keyUnknown')
  expect(noted()).toEqual([
    { account: 1, event: started, limit: undefined, counters: [7, 8, 5], swarm: [0, 1] },
    { account: 2, event: none, limit: undefined, counters: [7, 8, 0], swarm: [1, 1] },
    { account: 0, event: stopped, limit: undefined, counters: [7, 8, 0], swarm: [1, 1] },
  ])
})

test('in a public tracker all announces are of account 0', () => {
  const it = limitedTracker()
  const swarm = new Swarm(createSwarmMemory(2 ** 20, Int32Array.of(1)), 1, 1)
  const clock = { seconds: () => 1_000_000, milliseconds: () => 1e9 }
  const tracker = trackerOver(swarm, clock, {}, it.tracking)
  const visitor = new Visitor('connected')
  visitor.shows = 'key'
  visitor.key.words.set(keyOf(keyText(1)).words)
  const ask = () => tracker.announce(visitor, new Announce(), NOWHERE, new Answer([]))
  ask()
  tracker.access = undefined
  ask()
  expect(it.noted().map(({ account }) => account)).toEqual([1, 0])
})

describe('N23: with two slots, both in use', () => {
  function full() {
    const it = world()
    it.accounts.set(1, { ...SETTINGS, maxDownloads: 2 })
    it.ask(2, THIRD, 0)
    it.ask(3, THIRD, 5)
    it.leech(1, TORRENT)
    it.leech(1, SECOND)
    it.noted()
    return it
  }

  test('the third torrent gets success, counts and no peers, its bytes are noted, and no other is told of it', () => {
    const { ask, noted } = full()
    expect(ask(1, THIRD, 5, started)).toEqual({ counts: [1, 1], peers: 0, limit: 'slots' })
    expect(noted()).toEqual([
      { account: 1, event: started, limit: 'slots', counters: [7, 8, 5], swarm: [1, 1] },
    ])
    expect(ask(2, THIRD, 0)).toEqual({ counts: [1, 1], peers: 1, limit: undefined })
    expect(ask(1, TORRENT, 5)).toMatchObject({ limit: undefined })
  })

  test('the third torrent is served once a slot is free, or as soon as it is complete', () => {
    const { ask, accounts, slots } = full()
    ask(1, THIRD, 5, started)
    expect(ask(1, THIRD, 0, completed)).toEqual({ counts: [2, 1], peers: 2, limit: undefined })
    expect(ask(1, THIRD, 0)).toMatchObject({ peers: 2, limit: undefined })
    ask(1, THIRD, 0, stopped)
    accounts.addLeeching(1, -1)
    slots.leave(1, SECOND, 0, 1)
    expect(ask(1, THIRD, 5)).toEqual({ counts: [1, 2], peers: 2, limit: undefined })
  })

  test('a peer that was there before leaves the swarm, and no completion is counted', () => {
    const { ask, accounts, swarm } = full()
    accounts.set(1, { ...SETTINGS, maxDownloads: 0 })
    expect(ask(1, THIRD, 5)).toMatchObject({ counts: [1, 2] })
    accounts.set(1, { ...SETTINGS, maxDownloads: 2 })
    expect(ask(1, THIRD, 5)).toEqual({ counts: [1, 1], peers: 0, limit: 'slots' })
    expect(ask(1, THIRD, 5)).toEqual({ counts: [1, 1], peers: 0, limit: 'slots' })
    expect(swarm.totals()).toMatchObject({ seeders: 1, leechers: 1, completions: 0 })
  })

  test('a torrent that is not known stays so', () => {
    const { ask, swarm } = full()
    const unknown = hashWords(77)
    expect(ask(1, unknown, 5, started)).toEqual({ counts: [0, 0], peers: 0, limit: 'slots' })
    expect(swarm.totals()).toMatchObject({ torrents: 1 })
  })

  test('WebTorrent peers are held to it as well, and noted when they leave', () => {
    const { askSeat, noted } = full()
    expect(askSeat(2, THIRD, 0)).toMatchObject({ limit: undefined })
    const over = askSeat(1, THIRD, 5)
    expect(over).toMatchObject({ counts: [2, 1], peers: 0, limit: 'slots' })
    expect(askSeat(3, THIRD, 5)).toMatchObject({ peers: 1 })
    expect(noted().map(({ account, limit }) => [account, limit])).toEqual([
      [2, undefined],
      [1, 'slots'],
      [3, undefined],
    ])
    over.leave()
    expect(noted()).toMatchObject([{ account: 1, event: none, isGone: true }])
  })
})

test('clients beyond the limit on one torrent get no peers, until one of them is gone', () => {
  const { accounts, slots, ask } = world()
  accounts.setDefaults({ maxDownloads: 0, maxPeers: 1 })
  slots.enter(1, TORRENT, 0, 1, false)
  ask(2, TORRENT, 0)
  expect(ask(1, TORRENT, 0)).toEqual({ counts: [1, 0], peers: 0, limit: 'clients' })
  slots.leave(1, TORRENT, 0, 1)
  expect(ask(1, TORRENT, 5)).toEqual({ counts: [1, 1], peers: 1, limit: undefined })
})

test('N24: where an account may not download, seeding is untouched and leeching gets no peers', () => {
  const { accounts, ask } = world()
  accounts.set(1, { ...SETTINGS, canDownload: false })
  ask(2, TORRENT, 5)
  expect(ask(1, TORRENT, 0)).toEqual({ counts: [1, 1], peers: 1, limit: undefined })
  expect(ask(1, TORRENT, 5)).toEqual({ counts: [0, 1], peers: 0, limit: 'noDownload' })
  expect(ask(2, TORRENT, 5)).toEqual({ counts: [0, 1], peers: 0, limit: undefined })
})
