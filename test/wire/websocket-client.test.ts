/** Messages to WebTorrent trackers against this tracker's own side, and what trackers in the field answer. */
import { describe, expect, test } from 'bun:test'
import { COUNT, EVENT, WANT_DEFAULT } from '../../src/bittorrent.ts'
import {
  WebSocketRequest,
  writeAnnounced,
  writeFailure,
  writeScraped,
} from '../../src/wire/websocket.ts'
import {
  announceMessage,
  readAnnounceMessage,
  readScrapeMessage,
  scrapeMessage,
} from '../../src/wire/websocket-client.ts'
import { OFFER, RELAYED_ANSWER } from '../support/webtorrent/messages.ts'

const all = Uint8Array.from({ length: 256 }, (_, i) => i)
const infoHash = all.subarray(236)
const fields = {
  infoHash,
  peerId: all.subarray(0x20, 0x34),
  downloaded: 1,
  left: 2 ** 53 - 1,
  uploaded: 3,
  event: EVENT.started,
  key: -1,
  want: 7,
  port: 6881,
}

describe('the tracker reads', () => {
  const reader = new WebSocketRequest()

  test.each(Array.from({ length: 13 }, (_, i) => i * 20))(
    'an announce with the bytes from %d on',
    (from) => {
      const hash = Uint8Array.from({ length: 20 }, (_, i) => (from + i) % 256)
      expect(reader.read(announceMessage({ ...fields, infoHash: hash }), 10)).toBeUndefined()
      const { announce, isLeftKnown, kind, offers } = reader
      expect([kind, isLeftKnown, offers, announce.event]).toEqual([
        'announce',
        true,
        0,
        EVENT.started,
      ])
      expect([announce.infoHash, announce.peerId]).toEqual([hash, fields.peerId])
      expect([...announce.counts].map((word) => word >>> 0)).toEqual([
        0, 3, 0, 1, 0x1fffff, 0xffffffff,
      ])
      expect(COUNT).toEqual({ uploaded: 0, downloaded: 2, left: 4 })
    },
  )

  test('an announce without event and number of peers', () => {
    const text = announceMessage({ ...fields, event: EVENT.none, want: WANT_DEFAULT })
    expect(reader.read(text, 10)).toBeUndefined()
    expect(reader.announce.event).toBe(EVENT.none)
    expect(text).not.toMatch(/event|numwant/)
  })

  test('a scrape of one torrent and of several', () => {
    for (const hashes of [[infoHash], [all.subarray(0, 20), infoHash]]) {
      expect(reader.read(scrapeMessage(hashes), 10)).toBeUndefined()
      expect([reader.kind, reader.count]).toEqual(['scrape', hashes.length])
      const bytes = new Uint8Array(reader.hashes.buffer, 0, hashes.length * 20)
      expect(Buffer.from(bytes)).toEqual(Buffer.concat(hashes))
    }
  })
})

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
const escaped = JSON.stringify(text(infoHash)).slice(1, -1)
const read = (message: object) => readAnnounceMessage(JSON.stringify(message), infoHash)
const about = { action: 'announce', info_hash: text(infoHash) }

describe('an announce is answered by', () => {
  test('this tracker', () => {
    expect(readAnnounceMessage(writeAnnounced(escaped, 120, 1, 2, 3), infoHash)).toEqual({
      answer: {
        interval: 120,
        minInterval: undefined,
        seeders: 1,
        leechers: 2,
        downloaded: 3,
        warning: undefined,
        peers: [],
      },
    })
    const refused = writeFailure('no', 'announce', escaped)
    expect(readAnnounceMessage(refused, infoHash)).toEqual({ failure: 'no' })
  })

  test('one that says less or more', () => {
    expect(read({ ...about, interval: 5 })).toMatchObject({ answer: { seeders: 0, leechers: 0 } })
    const warning = { 'min interval': 4, 'warning message': 'slow' }
    expect(read({ ...about, interval: 5, ...warning })).toMatchObject({
      answer: { minInterval: 4, warning: 'slow' },
    })
    expect(read({ ...about })).toEqual({ fault: 'an announce without interval' })
  })

  test('a refusal that does not say of what', () => {
    expect(read({ 'failure reason': 'Invalid request' })).toEqual({ failure: 'Invalid request' })
    expect(read({ 'failure reason': 7 })).toEqual({ failure: 'no reason given' })
  })
})

test('messages about something else are no answer', () => {
  expect(readAnnounceMessage(OFFER, infoHash)).toBeUndefined()
  expect(read({ ...about, interval: 5, offer: {}, offer_id: '' })).toBeUndefined()
  expect(readAnnounceMessage(RELAYED_ANSWER, infoHash)).toBeUndefined()
  expect(read({ ...about, info_hash: 'another', interval: 5 })).toBeUndefined()
  expect(read({ ...about, info_hash: 'another', 'failure reason': 'no' })).toBeUndefined()
  expect(read({ action: 'scrape', files: {} })).toBeUndefined()
  expect(readScrapeMessage(JSON.stringify({ ...about, interval: 5 }))).toBeUndefined()
  // Only a refusal may be without these.
  expect(read({ interval: 5 })).toBeUndefined()
})

test.each([
  ['', 'no JSON'],
  ['d5:filesdee', 'no JSON'],
  ['null', 'no JSON object'],
  ['[]', 'no JSON object'],
  ['7', 'no JSON object'],
])('%j is no message', (message, fault) => {
  expect(readAnnounceMessage(message, infoHash)).toEqual({ fault })
  expect(readScrapeMessage(message)).toEqual({ fault })
})

describe('a scrape is answered by', () => {
  test('this tracker', () => {
    const entry = { seeders: 1, leechers: 2, downloaded: 3 }
    const answer = readScrapeMessage(writeScraped([{ hash: escaped, entry }], 120))
    expect(answer).toEqual({ answer: new Map([[infoHash.toHex(), entry]]) })
    expect(readScrapeMessage(writeFailure('no', 'scrape'))).toEqual({ failure: 'no' })
  })

  test.each([
    [undefined, 'a scrape without files'],
    [[], 'a scrape without files'],
    [{ short: {} }, 'a scrape with a malformed file'],
    [{ ['\u0100'.repeat(20)]: {} }, 'a scrape with a malformed file'],
    [{ ['a'.repeat(20)]: 7 }, 'a scrape with a malformed file'],
  ])('files %j: %s', (files, fault) => {
    expect(readScrapeMessage(JSON.stringify({ action: 'scrape', files }))).toEqual({ fault })
  })
})
