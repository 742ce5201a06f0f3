/** The lines of accounts, the slots of their clients, and when an announce is over a limit. */
import { describe, expect, test } from 'bun:test'
import { Accounts } from '../../src/accounting/accounts.ts'
import type { AccountSettings } from '../../src/accounting/batch.ts'
import { createAccountingMemory, Limits } from '../../src/accounting/limits.ts'
import { createSlots, Slots } from '../../src/accounting/slots.ts'
import { Announce, COUNT, EVENT } from '../../src/bittorrent.ts'
import { hashWords } from '../support/access/entries.ts'
import { dice, seed } from '../support/random.ts'

const SETTINGS: AccountSettings = {
  enabled: true,
  canDownload: true,
  maxDownloads: null,
  maxPeers: null,
  upPercent: 100,
  downPercent: 100,
  freeUntil: null,
  hidden: false,
}
const SEED = Int32Array.of(1, 2, 3, 4)

describe('the line of an account', () => {
  test('is what was set, and nothing of it stays once it is forgotten', () => {
    const memory = Accounts.create(10)
    const [accounts, other] = [new Accounts(memory), new Accounts(memory)]
    const read = (id: number) => [
      other.knows(id),
      other.canDownload(id),
      other.maxDownloads(id),
      other.maxPeers(id),
      other.upPercent(id),
      other.downPercent(id),
      other.freeUntil(id),
      other.leeching(id),
      other.seeding(id),
    ]
    const unknown = [false, true, 0, 0, 100, 100, 0, 0, 0]
    expect(read(3)).toEqual(unknown)
    const settings = { maxDownloads: 2, maxPeers: 3, upPercent: 300, downPercent: 0 }
    expect(accounts.set(3, { ...SETTINGS, ...settings, freeUntil: 2 ** 31 + 5 })).toBe(true)
    accounts.addLeeching(3, 1)
    accounts.addSeeding(3, 1)
    accounts.addSeeding(3, 1)
    expect(read(3)).toEqual([true, true, 2, 3, 300, 0, 2 ** 31 + 5, 1, 2])
    accounts.set(3, { ...SETTINGS, canDownload: false })
    expect(read(3)).toEqual([true, false, 0, 0, 100, 100, 0, 1, 2])
    expect([read(2), read(4)]).toEqual([unknown, unknown])
    accounts.forget(3)
    expect(read(3)).toEqual(unknown)
  })

  test('has the limits of all where it has none of its own; 0 is no limit', () => {
    const accounts = new Accounts(Accounts.create(10))
    accounts.setDefaults({ maxDownloads: 5, maxPeers: 6 })
    accounts.set(1, SETTINGS)
    accounts.set(2, { ...SETTINGS, maxDownloads: 0 })
    accounts.set(3, { ...SETTINGS, maxPeers: 1 })
    accounts.set(4, { ...SETTINGS, maxDownloads: 0, maxPeers: 0 })
    const limits = (id: number) => [accounts.maxDownloads(id), accounts.maxPeers(id)]
    expect([1, 2, 3, 4, 7].map(limits)).toEqual([
      [5, 6],
      [0, 6],
      [5, 1],
      [0, 0],
      [5, 6],
    ])
    expect([1, 2, 3, 4].map((id) => accounts.isLimited(id))).toEqual([true, true, true, false])
    accounts.setDefaults({ maxDownloads: 0, maxPeers: 0 })
    expect([1, 2, 3, 4].map((id) => accounts.isLimited(id))).toEqual([false, false, true, false])
  })

  test('a number without a line has no limit, and changes no other', () => {
    const memory = Accounts.create(10)
    const accounts = new Accounts(memory)
    accounts.setDefaults({ maxDownloads: 1, maxPeers: 1 })
    const before = [...new Int32Array(memory)]
    for (const id of [0, -1, 11, 2 ** 31, 2 ** 40]) {
      expect(accounts.set(id, { ...SETTINGS, canDownload: false })).toBe(false)
      accounts.addLeeching(id, 1)
      accounts.forget(id)
      expect([accounts.canDownload(id), accounts.isLimited(id), accounts.knows(id)]).toEqual([
        true,
        false,
        false,
      ])
    }
    expect([...new Int32Array(memory)]).toEqual(before)
    expect(accounts.set(10, SETTINGS)).toBe(true)
  })

  test('it is known whether any account is limited at all', () => {
    const accounts = new Accounts(Accounts.create(10))
    const limited = [{ canDownload: false }, { maxDownloads: 1 }, { maxPeers: 1 }]
    expect(accounts.restricts).toBe(false)
    for (const one of limited) {
      accounts.set(1, { ...SETTINGS, ...one })
      accounts.set(1, { ...SETTINGS, ...one })
      accounts.set(2, { ...SETTINGS, maxDownloads: 0 })
      expect(accounts.restricts).toBe(true)
      accounts.set(1, SETTINGS)
      expect(accounts.restricts).toBe(false)
      accounts.set(2, { ...SETTINGS, ...one })
      expect(accounts.restricts).toBe(true)
      accounts.forget(2)
      accounts.forget(2)
      expect(accounts.restricts).toBe(false)
    }
    accounts.setDefaults({ maxDownloads: 0, maxPeers: 2 })
    expect(accounts.restricts).toBe(true)
  })
})

test(`slots count clients and leechers as a map of them does (SEED=${seed})`, () => {
  const roll = dice()
  const memory = createSlots(SEED, 200)
  const slots = new Slots(memory, false)
  const reader = new Slots(memory, false)
  const naive = new Map<string, boolean>()
  const hashes = Int32Array.from([...hashWords(1), ...hashWords(2)])
  for (let step = 0; step < 4_000; step++) {
    const [account, torrent, peer, isLeecher] = [1 + roll(3), roll(2), 1 + roll(4), roll(2) === 0]
    const at = torrent * 5
    const own = `${account} ${torrent} `
    if (roll(3) === 0) {
      slots.leave(account, hashes, at, peer)
      naive.delete(own + peer)
    } else {
      slots.enter(account, hashes, at, peer, isLeecher)
      naive.set(own + peer, isLeecher)
    }
    const there = [...naive].filter(([name]) => name.startsWith(own))
    expect(reader.clients(account, hashes, at)).toBe(there.length)
    expect(reader.holdsDownload(account, hashes, at)).toBe(there.some(([, leeches]) => leeches))
    expect(reader.hasClient(account, hashes, at, peer)).toBe(naive.has(own + peer))
  }
  for (const name of naive.keys()) {
    const [account, torrent, peer] = name.split(' ').map(Number) as [number, number, number]
    slots.leave(account, hashes, torrent * 5, peer)
  }
  expect(slots.size).toBe(0)
})

test('slots that are full count no more clients, and forget those they count', () => {
  const slots = new Slots(createSlots(SEED, 3), true)
  const words = hashWords(1)
  slots.enter(1, words, 0, 5, true)
  slots.enter(1, words, 0, 6, true)
  slots.enter(1, words, 0, 5, false)
  expect([slots.clients(1, words), slots.holdsDownload(1, words)]).toEqual([1, false])
  slots.leave(1, words, 0, 6)
  slots.leave(1, words, 0, 5)
  expect(slots.size).toBe(0)
})

describe('an announce', () => {
  const OWN = 1
  const [TORRENT, OTHER] = [hashWords(1), hashWords(2)]
  const [CLIENT, SECOND] = [hashWords(10), hashWords(11)]

  function parts() {
    const memory = createAccountingMemory('users', 2, SEED)
    const accounts = new Accounts(memory.accounts)
    const slots = new Slots(memory.slots, false)
    const limits = Limits.over(memory, false)
    const announce = new Announce()
    const over = (
      torrent: Int32Array,
      client: Int32Array,
      /** Below zero: the high word. */
      left: number,
      event: Announce['event'] = EVENT.none,
      account = OWN,
    ) => {
      announce.words.set(torrent)
      announce.words.set(client, 5)
      announce.counts[COUNT.left] = Math.min(0, left)
      announce.counts[COUNT.left + 1] = Math.max(0, left)
      announce.event = event
      return limits.of(account, announce)
    }
    const enter = (torrent: Int32Array, client: Int32Array, isLeecher: boolean) => {
      slots.enter(OWN, torrent, 0, slots.peerWord(client, 0), isLeecher)
      if (isLeecher) accounts.addLeeching(OWN, 1)
      else accounts.addSeeding(OWN, 1)
    }
    return { memory, accounts, slots, over, enter }
  }

  test('is over no limit where there is none', () => {
    const { accounts, enter, over } = parts()
    enter(TORRENT, CLIENT, true)
    expect(over(OTHER, CLIENT, 1)).toBeUndefined()
    accounts.set(2, { ...SETTINGS, canDownload: false, maxDownloads: 1, maxPeers: 1 })
    expect(over(OTHER, CLIENT, 1)).toBeUndefined()
    expect(over(TORRENT, SECOND, 1)).toBeUndefined()
  })

  test('N23: is over the slots where all are in use by other torrents, and only with bytes left', () => {
    const { accounts, enter, over } = parts()
    accounts.set(OWN, { ...SETTINGS, maxDownloads: 1 })
    expect(over(TORRENT, CLIENT, 1)).toBeUndefined()
    enter(TORRENT, CLIENT, true)
    expect(over(TORRENT, CLIENT, 1)).toBeUndefined()
    // A second client of a torrent that has a slot needs none of its own.
    expect(over(TORRENT, SECOND, 1)).toBeUndefined()
    for (const event of [EVENT.none, EVENT.started])
      expect(over(OTHER, CLIENT, 1, event)).toBe('slots')
    expect(over(OTHER, CLIENT, 1, EVENT.stopped)).toBeUndefined()
    expect(over(OTHER, CLIENT, 1, EVENT.completed)).toBe('slots')
    for (const event of [EVENT.none, EVENT.completed])
      expect(over(OTHER, CLIENT, 0, event)).toBeUndefined()
    expect(over(OTHER, CLIENT, 1, EVENT.none, 2)).toBeUndefined()
    accounts.set(OWN, { ...SETTINGS, maxDownloads: 2 })
    expect(over(OTHER, CLIENT, 1)).toBeUndefined()
  })

  test('is over the clients where others are on the torrent, seeders as well', () => {
    const { accounts, enter, over } = parts()
    accounts.setDefaults({ maxDownloads: 0, maxPeers: 1 })
    expect(over(TORRENT, CLIENT, 0)).toBeUndefined()
    enter(TORRENT, CLIENT, false)
    expect(over(TORRENT, CLIENT, 0)).toBeUndefined()
    for (const left of [0, 1]) expect(over(TORRENT, SECOND, left)).toBe('clients')
    for (const event of [EVENT.completed, EVENT.stopped])
      expect(over(TORRENT, SECOND, 0, event)).toBeUndefined()
    expect(over(OTHER, SECOND, 0)).toBeUndefined()
    expect(over(TORRENT, SECOND, 0, EVENT.none, 2)).toBeUndefined()
  })

  test('N24: with bytes left it is over where the account may not download', () => {
    const { accounts, over } = parts()
    accounts.set(OWN, { ...SETTINGS, canDownload: false })
    expect(over(TORRENT, CLIENT, 1)).toBe('noDownload')
    // 2^63 bytes, whose low word is 0.
    expect(over(TORRENT, CLIENT, -(2 ** 31))).toBe('noDownload')
    expect(over(TORRENT, CLIENT, 0)).toBeUndefined()
    expect(over(TORRENT, CLIENT, 1, EVENT.stopped)).toBeUndefined()
    expect(over(TORRENT, CLIENT, 1, EVENT.completed)).toBe('noDownload')
  })

  test('torrents alone need no room for accounts', () => {
    const { rings, accounts, slots } = createAccountingMemory('torrents', 3, SEED)
    expect(rings).toHaveLength(3)
    expect(accounts.byteLength + slots.byteLength).toBeLessThan(2 ** 20)
  })
})
