/** HTTP queries and answers against the tracker's own side of the protocol, and answers of careless trackers. */
import { describe, expect, test } from 'bun:test'
import { COUNT, EVENT, WANT_DEFAULT } from '../../src/bittorrent.ts'
import { AnnounceQuery, ScrapeQuery } from '../../src/wire/http.ts'
import {
  announceQuery,
  readAnnounceBody,
  readScrapeBody,
  scrapeQuery,
} from '../../src/wire/http-client.ts'
import { dice, seed } from '../support/random.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')
const all = Uint8Array.from({ length: 256 }, (_, i) => i)
const fields = {
  infoHash: all.subarray(0, 20),
  peerId: all.subarray(0x20, 0x34),
  downloaded: 1,
  left: 2 ** 53 - 1,
  uploaded: 3,
  event: EVENT.started,
  key: -1,
  want: 7,
  port: 6881,
  compact: false,
}

describe('the tracker reads a query', () => {
  test.each(Array.from({ length: 13 }, (_, i) => i * 20))('with the bytes from %d on', (from) => {
    const reader = new AnnounceQuery()
    const infoHash = Uint8Array.from({ length: 20 }, (_, i) => (from + i) % 256)
    const query = announceQuery({ ...fields, infoHash, ip: Uint8Array.of(192, 0, 2, 1) })
    expect(reader.read(`/announce?${query}`, 9)).toBeUndefined()
    const { request, port, compact, ip } = reader
    expect([request.infoHash, request.peerId]).toEqual([infoHash, fields.peerId])
    expect([port, compact, ip, request.event, request.want]).toEqual([
      6881,
      false,
      '192.0.2.1',
      EVENT.started,
      7,
    ])
    expect([...request.counts].map((word) => word >>> 0)).toEqual([
      0, 3, 0, 1, 0x1fffff, 0xffffffff,
    ])
    expect(COUNT).toEqual({ uploaded: 0, downloaded: 2, left: 4 })
  })

  test('without optional parameters', () => {
    const query = announceQuery({ ...fields, event: EVENT.none, want: WANT_DEFAULT, compact: true })
    expect(query.replace(/^.*&port/, 'port')).toBe(
      'port=6881&uploaded=3&downloaded=1&left=9007199254740991&compact=1&key=ffffffff',
    )
  })

  test('of a scrape', () => {
    const reader = new ScrapeQuery()
    const hashes = [all.subarray(236), all.subarray(0, 20)]
    expect(reader.read(`/scrape?${scrapeQuery(hashes)}`, 7)).toBeUndefined()
    expect([reader.count, reader.bytes.slice(0, 20)]).toEqual([2, hashes[0]!])
  })
})

const announced = (text: string) => readAnnounceBody(bytes(text))
const scraped = (text: string) => readScrapeBody(bytes(text))

describe('an announce answer', () => {
  const nothing = { minInterval: undefined, downloaded: undefined, warning: undefined }

  test('in its compact form, both families', () => {
    const text =
      'd8:completei1e10:downloadedi9e10:incompletei2e8:intervali300e12:min intervali60e' +
      '5:peers6:\x7f\x00\x00\x01\x1a\xe16:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50' +
      '15:warning message5:oldiee'
    expect(announced(text)).toEqual({
      answer: {
        interval: 300,
        minInterval: 60,
        seeders: 1,
        leechers: 2,
        downloaded: 9,
        warning: 'oldie',
        peers: [
          { ip: '127.0.0.1', port: 6881 },
          { ip: '2001:db8::1', port: 80 },
        ],
      },
    })
  })

  test('as dictionaries, with names for addresses and without ids', () => {
    const text =
      'd8:intervali5e5:peersld2:ip9:2001:DB8:7:peer id3:abc4:porti1eed2:ip9:localhost4:porti2eeee'
    expect(announced(text)).toEqual({
      answer: {
        ...nothing,
        interval: 5,
        seeders: 0,
        leechers: 0,
        peers: [
          { ip: '2001:DB8:', port: 1, id: bytes('abc') },
          { ip: 'localhost', port: 2 },
        ],
      },
    })
  })

  test('with its keys in any order, and without peers', () => {
    expect(announced('d5:peers0:8:intervali5ee')).toMatchObject({
      answer: { interval: 5, peers: [] },
    })
    expect(announced('d8:intervali5ee')).toMatchObject({ answer: { interval: 5, peers: [] } })
  })

  test.each([
    ['', 'no bencoded answer (empty)'],
    ['<html>', 'no bencoded answer (not a digit at byte 0)'],
    ['i5e', 'no bencoded dictionary'],
    ['de', 'an announce without interval'],
    ['d8:interval1:5e', 'an announce without interval'],
    ['d8:intervali5e5:peers5:aaaaae', 'an announce with a malformed peer list'],
    ['d8:intervali5e5:peersi1ee', 'an announce with a malformed peer list'],
    ['d8:intervali5e5:peersli1eee', 'an announce with a malformed peer list'],
    ['d8:intervali5e5:peersld2:ip1:aeee', 'an announce with a malformed peer list'],
    ['d8:intervali5e6:peers61:ae', 'an announce with a malformed peer list'],
  ])('%# is malformed', (text, fault) => {
    expect(announced(text)).toEqual({ fault })
  })
})

test('one line break may follow an answer', () => {
  expect(announced('d8:intervali5ee\r\n')).toMatchObject({ answer: { interval: 5 } })
  expect(scraped('d5:filesdee\r\n')).toEqual({ answer: new Map() })
  expect(scraped('d5:filesdee\r\n\r\n')).toHaveProperty('fault')
})

test('a refusal is the tracker’s own words', () => {
  const text = 'd14:failure reason7:go awaye'
  expect([announced(text), scraped(text)]).toEqual([{ failure: 'go away' }, { failure: 'go away' }])
  expect(announced('d14:failure reasoni1ee')).toEqual({ failure: 'no reason given' })
})

test('a scrape answer, with missing counts as zeros', () => {
  const hash = 'x'.repeat(20)
  const text = `d5:filesd20:${hash}d8:completei1e10:downloadedi2e10:incompletei3ee20:${'y'.repeat(20)}deee`
  expect(scraped(text)).toEqual({
    answer: new Map([
      ['78'.repeat(20), { seeders: 1, downloaded: 2, leechers: 3 }],
      ['79'.repeat(20), { seeders: 0, downloaded: 0, leechers: 0 }],
    ]),
  })
  // As the npm package `bittorrent-tracker` writes a hash.
  const utf8 = Buffer.from('\xf2'.repeat(20)).toString('latin1')
  expect(scraped(`d5:filesd40:${utf8}deee`)).toMatchObject({
    answer: new Map([['f2'.repeat(20), { seeders: 0, downloaded: 0, leechers: 0 }]]),
  })
  const wide = Buffer.from('\u0416'.repeat(20)).toString('latin1')
  expect(scraped(`d5:filesd40:${wide}deee`)).toEqual({ fault: 'a scrape with a malformed file' })
  expect(scraped('d5:filesdee')).toEqual({ answer: new Map() })
  expect(scraped('de')).toEqual({ fault: 'a scrape without files' })
  expect(scraped('d5:filesd1:adeee')).toEqual({ fault: 'a scrape with a malformed file' })
})

test(`no body makes a reader throw (SEED=${seed})`, () => {
  const roll = dice()
  const start = bytes(
    'd8:completei1e14:failure reason1:a8:intervali300e5:peersld2:ip1:a4:porti1eeee',
  )
  const seen = new Set<string>()
  for (let i = 0; i < 20_000; i++) {
    const body = new Uint8Array(start.subarray(0, 1 + roll(start.length)))
    for (let n = roll(4); n > 0; n--) body[roll(body.length)] = roll(256)
    seen.add(Object.keys(readAnnounceBody(body))[0]!)
    readScrapeBody(body)
  }
  expect([...seen].sort()).toEqual(['answer', 'failure', 'fault'])
})
