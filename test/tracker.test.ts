/** Whom the tracker serves what. Numbers in names: spec/torrust-udp-and-core part F. */
import { describe, expect, test } from 'bun:test'
import { Access, createAccessMemory } from '../src/access/access.ts'
import { packKeys } from '../src/access/keys.ts'
import { Announce, Answer, type Key, PeerList } from '../src/bittorrent.ts'
import type { Tracker } from '../src/tracker.ts'
import { hashWords, keyOf, keyText, run } from './support/access/entries.ts'
import { makeTracker, NOW_MILLISECONDS } from './support/servers/served-http.ts'

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
  access?.whitelist?.add(LISTED)
  const times = [Infinity, NOW_MILLISECONDS + 1, NOW_MILLISECONDS, NOW_MILLISECONDS - 1]
  const keys = times.map((validUntil, i) => ({ key: keyText(i + 1), validUntil }))
  if (access?.keys) run(access.keys.putAll(packKeys(keys)))
  return { access, tracker: makeTracker({}, access) }
}

/** Registers a seeder of that torrent, whoever may. */
function seed(tracker: Tracker, words: Int32Array): void {
  const announce = new Announce()
  announce.words.set(words)
  announce.port = 1
  const list = () => new PeerList(new Uint16Array(1_000))
  tracker.announce(announce, { externalIp: undefined }, new Answer(list(), list(), false))
}

function scraped(tracker: Tracker, words: Int32Array, shown: Key | undefined): number {
  const entry = { seeders: 9, downloaded: 9, leechers: 9 }
  tracker.scrape(words, entry, tracker.mayScrape(shown))
  expect([entry.downloaded, entry.leechers]).toEqual([0, 0])
  return entry.seeders
}

describe('a public tracker', () => {
  const { access, tracker } = trackerWith({})
  test('has no tables', () => {
    expect([access, tracker.isPrivate]).toEqual([undefined, false])
  })
  test.each(Object.keys(KEYS) as KeyName[])('serves whoever shows %s', (name) => {
    seed(tracker, UNLISTED)
    expect(tracker.admit(UNLISTED, KEYS[name])).toBeUndefined()
    expect(scraped(tracker, UNLISTED, KEYS[name])).toBe(1)
  })
})

describe('a listed tracker (40, 41)', () => {
  const { access, tracker } = trackerWith({ listed: true })
  seed(tracker, LISTED)
  seed(tracker, UNLISTED)
  test('serves what is listed', () => {
    expect(tracker.isPrivate).toBe(false)
    expect(tracker.admit(LISTED, undefined)).toBeUndefined()
    expect(tracker.admit(LISTED, KEYS['an unknown key'])).toBeUndefined()
    expect(scraped(tracker, LISTED, undefined)).toBe(1)
  })
  test('refuses what is not, and tells zeroes of it though it has peers', () => {
    expect(tracker.admit(UNLISTED, undefined)).toBe('unlisted')
    expect(scraped(tracker, UNLISTED, undefined)).toBe(0)
  })
  test('serves a torrent as soon as it is listed, with the peers that it has', () => {
    access!.whitelist!.add(UNLISTED)
    expect(tracker.admit(UNLISTED, undefined)).toBeUndefined()
    expect(scraped(tracker, UNLISTED, undefined)).toBe(1)
    access!.whitelist!.remove(UNLISTED)
    expect(tracker.admit(UNLISTED, undefined)).toBe('unlisted')
  })
})

describe('a private tracker (42–45)', () => {
  const { access, tracker } = trackerWith({ private: true })
  seed(tracker, UNLISTED)
  test.each([
    ['a permanent key', undefined],
    ['a key with a future', undefined],
    ['a key in its last millisecond', undefined],
    ['an expired key', 'keyExpired'],
    ['an unknown key', 'keyUnknown'],
    ['no key', 'keyMissing'],
  ] as const)('with %s: %p', (name, refusal) => {
    expect(tracker.isPrivate).toBe(true)
    expect(tracker.admit(UNLISTED, KEYS[name])).toBe(refusal)
    expect(scraped(tracker, UNLISTED, KEYS[name])).toBe(refusal === undefined ? 1 : 0)
  })
  test('refuses a key that was removed', () => {
    access!.keys!.remove(KEYS['a permanent key'].words)
    expect(tracker.admit(UNLISTED, KEYS['a permanent key'])).toBe('keyUnknown')
  })
})

test('expired keys are good where nobody checks (43)', () => {
  const { tracker } = trackerWith({ private: true, checksExpiration: false })
  expect(tracker.admit(UNLISTED, KEYS['an expired key'])).toBeUndefined()
  expect(tracker.admit(UNLISTED, KEYS['an unknown key'])).toBe('keyUnknown')
})

describe('a private and listed tracker asks for the key first', () => {
  const { tracker } = trackerWith({ private: true, listed: true })
  seed(tracker, LISTED)
  seed(tracker, UNLISTED)
  test.each([
    ['a permanent key', LISTED, undefined],
    ['a permanent key', UNLISTED, 'unlisted'],
    ['an expired key', LISTED, 'keyExpired'],
    ['an unknown key', UNLISTED, 'keyUnknown'],
    ['no key', UNLISTED, 'keyMissing'],
  ] as const)('%s', (name, words, refusal) => {
    expect(tracker.admit(words, KEYS[name])).toBe(refusal)
    expect(scraped(tracker, words, KEYS[name])).toBe(refusal === undefined ? 1 : 0)
  })
})
