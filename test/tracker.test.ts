/** Whom the tracker serves what, and what it reports after an announce. */
import { describe, expect, test } from 'bun:test'
import { Access, createAccessMemory } from '../src/access/access.ts'
import { Visitor } from '../src/access/gate.ts'
import { packKeys } from '../src/access/keys.ts'
import { Announce, Answer, EVENT, type Key, PeerList } from '../src/bittorrent.ts'
import type { Outcome } from '../src/refusal.ts'
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
