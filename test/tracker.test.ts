/** Whom the tracker serves what, and what it reports after an announce. */
import { describe, expect, test } from 'bun:test'
import { Access, createAccessMemory } from '../src/access/access.ts'
import { Visitor } from '../src/access/gate.ts'
import { packKeys } from '../src/access/keys.ts'
import {
  Announce,
  Answer,
  EVENT,
  type Key,
  PeerList,
  SEAT,
  SeatAnnounce,
  WEB,
} from '../src/bittorrent.ts'
import type { Outcome } from '../src/refusal.ts'
import { FAMILIES, WEB_ROW } from '../src/swarm/layout.ts'
import { createSwarmMemory, Swarm } from '../src/swarm/swarm.ts'
import type { AfterAnnounce, Scrape, Tracker } from '../src/tracker.ts'
import { addHash, hashWords, keyOf, keyText, run } from './support/access/entries.ts'
import {
  anyone,
  makeTracker,
  NOW_MILLISECONDS,
  policy,
  trackerOver,
} from './support/servers/served-http.ts'

const LISTED = hashWords(1)
const UNLISTED = hashWords(2)
const key = (text: string) => keyOf(text)
const KEYS = {
  'a permanent key': key(keyText(1)),
  'a key with a future': key(keyText(2)),
  'a key in its last millisecond': key(keyText(3)),
  'an expired key': key(keyText(4)),
  'an unknown key': key(keyText(5)),
  'no key': undefined,
} as const
type KeyName = keyof typeof KEYS

function trackerWith(rules: { listed?: boolean; private?: boolean; checksExpiration?: boolean }) {
  const memory = createAccessMemory({
    listed: false,
    private: false,
    checksExpiration: true,
    seed: Int32Array.of(1),
    whitelistCapacity: 10,
    keyCapacity: 10,
    ...rules,
  })
  const access = memory && new Access(memory, true)
  if (access?.whitelist) addHash(access.whitelist, LISTED)
  const times = [Infinity, NOW_MILLISECONDS + 1, NOW_MILLISECONDS, NOW_MILLISECONDS - 1]
  const keys = times.map((validUntil, i) => ({ key: keyText(i + 1), validUntil }))
  if (access?.keys) run(access.keys.putAll(packKeys(keys)))
  return { access, tracker: makeTracker({}, access) }
}

function showing(key: Key | undefined): Visitor {
  const visitor = new Visitor('connected')
  if (key === undefined) return visitor
  visitor.shows = 'key'
  visitor.key.words.set(key.words)
  return visitor
}

function announceOf(words: Int32Array): Announce {
  const announce = new Announce()
  announce.words.set(words)
  announce.port = 1
  return announce
}

const NOWHERE = { externalIp: undefined }
const emptyAnswer = () => new Answer([new PeerList(4, new Uint16Array(1_000))])

/** Registers a seeder of that torrent, listed or not. */
function seed({ access, tracker }: ReturnType<typeof trackerWith>, words: Int32Array): void {
  const isListed = access?.whitelist?.has(words) ?? true
  if (!isListed) addHash(access!.whitelist!, words)
  const visitor = showing(KEYS['a permanent key'])
  expect(tracker.announce(visitor, announceOf(words), NOWHERE, emptyAnswer())).toBe('served')
  if (!isListed) access!.whitelist!.remove(words)
}

/** How an announce ends, of one that changes nothing where it is served. */
function announced(tracker: Tracker, words: Int32Array, shown: Key | undefined): Outcome {
  const announce = announceOf(words)
  announce.event = EVENT.stopped
  announce.port = 2
  return tracker.announce(showing(shown), announce, NOWHERE, emptyAnswer())
}

function scraped(tracker: Tracker, words: Int32Array, shown: Key | undefined): number {
  const seeders: number[] = []
  const scrape: Scrape = {
    count: 1,
    hash: () => words,
    entry(i, entry) {
      expect([i, entry.downloaded, entry.leechers]).toEqual([0, 0, 0])
      seeders.push(entry.seeders)
    },
  }
  expect(tracker.scrape(showing(shown), scrape)).toBe('served')
  expect(seeders).toHaveLength(1)
  return seeders[0]!
}

describe('a public tracker', () => {
  const it = trackerWith({})
  const { access, tracker } = it
  test('has no tables', () => {
    expect([access, tracker.isPrivate]).toEqual([undefined, false])
  })
  test.each(Object.keys(KEYS) as KeyName[])('serves those who show %s', (name) => {
    seed(it, UNLISTED)
    expect(announced(tracker, UNLISTED, KEYS[name])).toBe('served')
    expect(scraped(tracker, UNLISTED, KEYS[name])).toBe(1)
  })
})

describe('K2, K3: a listed tracker', () => {
  const it = trackerWith({ listed: true })
  const { access, tracker } = it
  seed(it, LISTED)
  seed(it, UNLISTED)
  test('serves listed torrents', () => {
    expect(tracker.isPrivate).toBe(false)
    expect(announced(tracker, LISTED, undefined)).toBe('served')
    expect(announced(tracker, LISTED, KEYS['an unknown key'])).toBe('served')
    expect(scraped(tracker, LISTED, undefined)).toBe(1)
  })
  test('refuses unlisted torrents, and answers scrapes of them with zeroes though they have peers', () => {
    expect(announced(tracker, UNLISTED, undefined)).toBe('unlisted')
    expect(scraped(tracker, UNLISTED, undefined)).toBe(0)
  })
  test('serves a torrent as soon as it is listed, with the peers that it has', () => {
    addHash(access!.whitelist!, UNLISTED)
    expect(announced(tracker, UNLISTED, undefined)).toBe('served')
    expect(scraped(tracker, UNLISTED, undefined)).toBe(1)
    access!.whitelist!.remove(UNLISTED)
    expect(announced(tracker, UNLISTED, undefined)).toBe('unlisted')
  })
})

describe('K4, K7: a private tracker', () => {
  const it = trackerWith({ private: true })
  const { access, tracker } = it
  seed(it, UNLISTED)
  test.each([
    ['a permanent key', 'served'],
    ['a key with a future', 'served'],
    ['a key in its last millisecond', 'served'],
    ['an expired key', 'keyExpired'],
    ['an unknown key', 'keyUnknown'],
    ['no key', 'keyMissing'],
  ] as const)('with %s: %p', (name, outcome) => {
    expect(tracker.isPrivate).toBe(true)
    expect(announced(tracker, UNLISTED, KEYS[name])).toBe(outcome)
    expect(scraped(tracker, UNLISTED, KEYS[name])).toBe(outcome === 'served' ? 1 : 0)
  })
  test('refuses a key that was removed', () => {
    access!.keys!.remove(KEYS['a permanent key'].words)
    expect(announced(tracker, UNLISTED, KEYS['a permanent key'])).toBe('keyUnknown')
  })
})

test('K7: expired keys are good where expiry is not checked', () => {
  const { tracker } = trackerWith({ private: true, checksExpiration: false })
  expect(announced(tracker, UNLISTED, KEYS['an expired key'])).toBe('served')
  expect(announced(tracker, UNLISTED, KEYS['an unknown key'])).toBe('keyUnknown')
})

describe('a private and listed tracker asks for the key first', () => {
  const it = trackerWith({ private: true, listed: true })
  const { tracker } = it
  seed(it, LISTED)
  seed(it, UNLISTED)
  test.each([
    ['a permanent key', LISTED, 'served'],
    ['a permanent key', UNLISTED, 'unlisted'],
    ['an expired key', LISTED, 'keyExpired'],
    ['an unknown key', UNLISTED, 'keyUnknown'],
    ['no key', UNLISTED, 'keyMissing'],
  ] as const)('%s', (name, words, outcome) => {
    expect(announced(tracker, words, KEYS[name])).toBe(outcome)
    expect(scraped(tracker, words, KEYS[name])).toBe(outcome === 'served' ? 1 : 0)
  })
})

describe('after an announce', () => {
  const swarmOf = (bytes: number) => new Swarm(createSwarmMemory(bytes, Int32Array.of(1)), 1, 1)
  const clock = { seconds: () => NOW_MILLISECONDS / 1000, milliseconds: () => NOW_MILLISECONDS }

  test('the listener hears of it with its answer, and of no announce that was refused', () => {
    const heard: unknown[] = []
    const afterAnnounce: AfterAnnounce = (visitor, announce, answer, now) => {
      if (announce.family === WEB) throw new Error('a seat has no address to be replaced')
      const { family, port, event } = announce
      const infoHash = announce.infoHash.toHex()
      const { seeders, leechers } = answer
      heard.push([visitor, infoHash, family, [...announce.endpoint.subarray(0, 4)], port, event])
      heard.push([seeders, leechers, answer.lists[0]!.count, now])
    }
    const { access } = trackerWith({ listed: true })
    const tracker = trackerOver(swarmOf(16 * 2 ** 20), clock, {}, { access, afterAnnounce })
    const external = { externalIp: { family: 4 as const, bytes: Uint8Array.of(203, 0, 113, 9) } }
    const announce = (words: Int32Array, port: number, left: number) => {
      const announce = announceOf(words)
      announce.endpoint.set([127, 0, 0, 1])
      announce.port = port
      announce.counts[5] = left
      announce.event = EVENT.started
      return tracker.announce(anyone, announce, external, emptyAnswer(), 77)
    }
    expect(announce(UNLISTED, 1, 0)).toBe('unlisted')
    expect(heard).toEqual([])
    expect(announce(LISTED, 1, 0)).toBe('served')
    expect(announce(LISTED, 2, 5)).toBe('served')
    const infoHash = new Uint8Array(LISTED.buffer).toHex()
    // As it was registered: under the address that others see.
    const endpoint = [203, 0, 113, 9]
    expect(heard).toEqual([
      [anyone, infoHash, 4, endpoint, 1, EVENT.started],
      [1, 0, 0, 77],
      [anyone, infoHash, 4, endpoint, 2, EVENT.started],
      [1, 1, 1, 77],
    ])
  })

  test('nothing is heard of an announce for which there is no memory', () => {
    let heard = 0
    const afterAnnounce = () => {
      heard++
    }
    const tracker = trackerOver(swarmOf(2 ** 20), clock, {}, { afterAnnounce })
    const announce = announceOf(LISTED)
    const answer = emptyAnswer()
    let served = 0
    let refused = 0
    for (let n = 0; refused < 100; n++) {
      announce.words.set(hashWords(n))
      const outcome = tracker.announce(anyone, announce, NOWHERE, answer)
      if (outcome === 'served') served++
      else {
        expect(outcome).toBe('full')
        refused++
      }
    }
    expect(served).toBeGreaterThan(100)
    expect(heard).toBe(served)
  })
})

describe('WebTorrent peers', () => {
  const ROOM = 20

  /** A tracker whose swarm has them, and what asks it. */
  function trackerOfSeats(access?: Access, bytes = 16 * 2 ** 20) {
    const memory = createSwarmMemory(bytes, Int32Array.of(1), false, [...FAMILIES, WEB_ROW])
    const swarm = new Swarm(memory, 1, 1)
    let now = NOW_MILLISECONDS / 1000
    const clock = { seconds: () => now, milliseconds: () => now * 1000 }
    const heard: unknown[] = []
    const afterAnnounce: AfterAnnounce = (_, announce, { seeders, leechers }) => {
      const seat = announce.family === WEB ? announce.endpointHalves[SEAT.seat + 1] : announce.port
      heard.push([announce.family, seat, announce.event, seeders, leechers])
    }
    const tracker = trackerOver(swarm, clock, {}, { access, afterAnnounce })
    const web = new PeerList(WEB, new Uint16Array(ROOM * SEAT.halves), new Int32Array(ROOM * 5))
    const answer = new Answer([web])
    answer.room = ROOM
    const seatOf = (
      seat: number,
      wish: { words?: Int32Array; id?: string; left?: number } = {},
    ) => {
      const announce = new SeatAnnounce()
      announce.words.set(wish.words ?? LISTED)
      announce.peerId.set(Buffer.from((wish.id ?? `-WW0300-${seat}`).padEnd(20, '.')))
      announce.endpointHalves.set([0, 0, 0, 0, 0, 0xffff, 7, 7, 7, 1, 0, seat])
      announce.counts[5] = wish.left ?? 0
      return announce
    }
    return {
      tracker,
      swarm,
      heard,
      answer,
      seatOf,
      pass: (seconds: number) => {
        now += seconds
      },
      /** What the last answer listed: numbers of seats. */
      told: () =>
        Array.from({ length: web.count }, (_, i) => web.halves[i * SEAT.halves + SEAT.seat + 1]!),
      announce: (seat: SeatAnnounce, visitor = anyone) =>
        tracker.announceSeat(visitor, seat, answer),
      scraped: () => scraped(tracker, LISTED, undefined),
    }
  }

  test('W48, W49: and peers with addresses are counted together, and listed apart', () => {
    const it = trackerOfSeats()
    const lists = [4, 6].map((family) => new PeerList(family, new Uint16Array(1_000)))
    const addressed = new Answer(lists)
    const ofAddress = (port: number) => {
      const announce = announceOf(LISTED)
      announce.endpoint[0] = 10
      announce.port = port
      expect(it.tracker.announce(anyone, announce, NOWHERE, addressed)).toBe('served')
    }
    for (const seat of [1, 2, 3]) expect(it.announce(it.seatOf(seat))).toBe('served')
    for (const port of [1, 2]) ofAddress(port)
    expect([addressed.seeders, addressed.leechers]).toEqual([5, 0])
    expect(lists.map(({ count }) => count)).toEqual([1, 0])
    expect(it.announce(it.seatOf(3))).toBe('served')
    expect([it.answer.seeders, it.told().toSorted()]).toEqual([5, [1, 2]])
    expect(it.scraped()).toBe(5)
    expect(it.swarm.totals()).toMatchObject({ torrents: 1, seeders: 5 })
  })

  test('are heard of after the swarm has taken them, with all counts', () => {
    const it = trackerOfSeats()
    it.announce(it.seatOf(1))
    it.announce(it.seatOf(2, { left: 1 }))
    it.tracker.announce(anyone, announceOf(LISTED), NOWHERE, emptyAnswer())
    it.tracker.leave(0, it.seatOf(1))
    expect(it.heard).toEqual([
      [WEB, 1, EVENT.none, 1, 0],
      [WEB, 2, EVENT.none, 1, 1],
      [4, 1, EVENT.none, 2, 1],
    ])
  })

  test('keep their address though it is one of this machine', () => {
    const it = trackerOfSeats()
    const seat = it.seatOf(1)
    seat.endpointHalves.set([0, 0, 0, 0, 0, 0xffff, 0x007f, 0x0100])
    it.announce(seat)
    it.announce(it.seatOf(2))
    const [halves] = [it.answer.lists[0]!.halves]
    expect([...halves.subarray(0, 12)]).toEqual([...seat.endpointHalves])
  })

  test('W37: with one peer id on two seats are two peers, and neither can stop the other', () => {
    const it = trackerOfSeats()
    it.announce(it.seatOf(1, { id: 'same', left: 1 }))
    it.announce(it.seatOf(2, { id: 'same' }))
    expect([it.answer.seeders, it.answer.leechers]).toEqual([1, 1])
    const stop = it.seatOf(3, { id: 'same' })
    stop.event = EVENT.stopped
    it.announce(stop)
    it.tracker.leave(0, stop)
    expect([it.answer.seeders, it.answer.leechers]).toEqual([1, 1])
    const other = it.seatOf(2, { id: 'same' })
    other.event = EVENT.stopped
    it.announce(other)
    expect([it.answer.seeders, it.answer.leechers]).toEqual([0, 1])
  })

  test('W34, W38: leave when their socket closes; a seat of the same peer id that came meanwhile stays', () => {
    const it = trackerOfSeats()
    const old = it.seatOf(1, { id: 'same' })
    it.announce(old)
    it.announce(it.seatOf(2, { id: 'same' }))
    it.tracker.leave(0, old)
    it.announce(it.seatOf(9))
    expect(it.told()).toEqual([2])
    it.tracker.leave(0, old)
    it.tracker.leave(0, it.seatOf(1, { words: UNLISTED }))
    expect(it.swarm.totals()).toMatchObject({ torrents: 1, seeders: 2 })
  })

  test('W39: are gone when their own time-out has passed, and not told from then on', () => {
    const it = trackerOfSeats()
    it.announce(it.seatOf(1))
    it.pass(policy.webPeerTimeoutSeconds - 1)
    it.announce(it.seatOf(2))
    expect(it.told()).toEqual([1])
    it.pass(1)
    it.announce(it.seatOf(2))
    expect([it.told(), it.answer.seeders, it.scraped()]).toEqual([[], 1, 1])
  })

  test('W50: keep their torrent from the sweep as long as they live', () => {
    const it = trackerOfSeats()
    const sweep = () => {
      for (const moved of it.tracker.sweep()) expect(moved).toBe(true)
      return it.swarm.totals().torrents
    }
    it.announce(it.seatOf(1))
    it.pass(policy.webPeerTimeoutSeconds - 1)
    expect(sweep()).toBe(1)
    it.pass(1)
    expect(sweep()).toBe(0)
  })

  test('W52: of new torrents are refused when the memory is spent, and known ones go on', () => {
    const it = trackerOfSeats(undefined, 2 ** 18)
    let known = 0
    let n = 0
    for (; it.announce(it.seatOf(1, { words: hashWords(n) })) === 'served'; n++) known++
    expect(known).toBeGreaterThan(20)
    expect(it.heard).toHaveLength(known)
    expect(it.announce(it.seatOf(1, { words: hashWords(0) }))).toBe('served')
    expect(it.announce(it.seatOf(1, { words: hashWords(n) }))).toBe('full')
  })

  test('W44, W45: pass the gate that all others pass, and so do their answers', () => {
    const { access } = trackerWith({ private: true, listed: true })
    const it = trackerOfSeats(access)
    const expected = [
      ['a permanent key', LISTED, undefined],
      ['a permanent key', UNLISTED, 'unlisted'],
      ['an expired key', LISTED, 'keyExpired'],
      ['an unknown key', UNLISTED, 'keyUnknown'],
      ['no key', UNLISTED, 'keyMissing'],
    ] as const
    for (const [name, words, refusal] of expected) {
      const visitor = showing(KEYS[name])
      expect(it.announce(it.seatOf(1, { words }), visitor)).toBe(refusal ?? 'served')
      expect(it.tracker.mayRelay(visitor, words)).toBe(refusal)
    }
    expect(it.swarm.totals()).toMatchObject({ torrents: 1, seeders: 1 })
    // W46: the next answer of the socket is refused when its key is deleted; its peer can still leave.
    const [visitor, seat] = [showing(KEYS['a permanent key']), it.seatOf(1)]
    access!.keys!.remove(visitor.key.words)
    expect(it.tracker.mayRelay(visitor, LISTED)).toBe('keyUnknown')
    it.tracker.leave(0, seat)
    expect(it.swarm.totals()).toMatchObject({ seeders: 0 })
  })

  test('W31: an answer changes no count, adds no peer and refreshes none', () => {
    const it = trackerOfSeats()
    it.announce(it.seatOf(1))
    it.pass(policy.webPeerTimeoutSeconds - 1)
    const before = it.swarm.totals()
    expect(it.tracker.mayRelay(anyone, LISTED)).toBeUndefined()
    expect(it.tracker.mayRelay(anyone, UNLISTED)).toBeUndefined()
    expect([it.swarm.totals(), it.heard.length]).toEqual([before, 1])
    it.pass(1)
    expect(it.scraped()).toBe(0)
  })

  test('cannot announce to a swarm that was made without them', () => {
    const tracker = makeTracker()
    const seat = trackerOfSeats().seatOf(1)
    expect(() => tracker.announceSeat(anyone, seat, emptyAnswer())).toThrow('no family 1')
  })
})

test('an answer holds no more peers than there is room for, whatever the rules say', () => {
  const tracker = makeTracker({ maxPeers: 1_000 })
  const answer = emptyAnswer()
  const tell = (port: number) => {
    const announce = announceOf(LISTED)
    announce.port = port
    announce.counts[5] = 1
    tracker.announce(anyone, announce, NOWHERE, answer)
    return answer.lists[0]!.count
  }
  for (let port = 1; port <= 20; port++) expect(tell(port)).toBe(port - 1)
  answer.room = 7
  expect(tell(21)).toBe(7)
})

test('a sweep begins with small slices, and ends with large ones that stay well below a millisecond', () => {
  const swarm = new Swarm(createSwarmMemory(64 * 2 ** 20, Int32Array.of(1)), 1, 1)
  let now = 1_000_000
  const clock = { seconds: () => now, milliseconds: () => now * 1000 }
  const tracker = trackerOver(swarm, clock)
  const answer = emptyAnswer()
  const announce = announceOf(LISTED)
  announce.want = 0
  const PEERS = 45_000
  for (let peer = 0; peer < PEERS; peer++) {
    announce.endpoint.set([10, peer >> 16, peer >> 8, peer])
    tracker.announce(anyone, announce, NOWHERE, answer)
  }
  now += policy.peerTimeoutSeconds + 1
  /** Peers that each slice forgot. */
  const slices: number[] = []
  let before = PEERS
  for (const moved of tracker.sweep()) {
    expect(moved).toBe(true)
    const { seeders } = swarm.totals()
    if (seeders < before) slices.push(before - seeders)
    before = seeders
  }
  expect(before).toBe(0)
  // Each shard before that of the torrent has had a slice of its own.
  expect(slices[0]).toBeLessThanOrEqual(4 + swarm.shards.length)
  for (const [i, size] of slices.slice(1, -1).entries()) expect(size - slices[i]!).toBeWithin(0, 2)
  expect(Math.max(...slices)).toBe(250)
})
