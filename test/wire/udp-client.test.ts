/** UDP requests and answers, written and read by both sides of the protocol. */
import { describe, expect, test } from 'bun:test'
import { Announce, COUNT, EVENT, Key } from '../../src/bittorrent.ts'
import * as udp from '../../src/wire/udp.ts'
import {
  readAnnounceAnswer,
  readConnection,
  readScrapeAnswer,
  urlDataBytes,
  writeAnnounceRequest,
  writeConnectRequest,
  writeScrapeRequest,
  writeUrlData,
} from '../../src/wire/udp-client.ts'
import { UrlKeys } from '../../src/wire/url-data.ts'

const fields = {
  infoHash: Uint8Array.from({ length: 20 }, (_, i) => i),
  peerId: Uint8Array.from({ length: 20 }, (_, i) => 100 + i),
  downloaded: 2 ** 53 - 1,
  left: 2 ** 32 + 7,
  uploaded: 5,
  event: EVENT.completed,
  ip: Uint8Array.of(192, 0, 2, 1),
  key: 0x8000_0001,
  want: -1,
  port: 0xabcd,
}
const connection = { high: -5, low: 0x7fff_ffff }

function received(packet: Uint8Array) {
  const request = new udp.UdpRequest()
  const announce = new Announce()
  udp.readRequest(packet, 0, packet.length, request, announce)
  return { request, announce }
}

test('the tracker reads a connect request', () => {
  const packet = new Uint8Array(20)
  expect(writeConnectRequest(packet, 4, -77)).toBe(16)
  const { request } = received(packet.subarray(4))
  expect([request.kind, request.transaction]).toEqual(['connect', -77])
})

test('the tracker reads an announce, whatever was in the memory before', () => {
  const packet = new Uint8Array(200).fill(0xff)
  expect(writeAnnounceRequest(packet, 10, connection, 9, fields)).toBe(98)
  const { request, announce } = received(packet.subarray(10, 108))
  expect([request.kind, request.transaction, request.idHigh, request.idLow]).toEqual([
    'announce',
    9,
    -5,
    0x7fff_ffff,
  ])
  expect([announce.infoHash, announce.peerId]).toEqual([fields.infoHash, fields.peerId])
  expect([announce.port, announce.event, announce.want]).toEqual([0xabcd, EVENT.completed, -1])
  const count = (at: number) =>
    (announce.counts[at]! >>> 0) * 2 ** 32 + (announce.counts[at + 1]! >>> 0)
  expect([count(COUNT.downloaded), count(COUNT.left), count(COUNT.uploaded)]).toEqual([
    fields.downloaded,
    fields.left,
    fields.uploaded,
  ])
  // Fields that the tracker ignores: address and key (BEP 15).
  expect(Buffer.from(packet.subarray(10 + 84, 10 + 92)).toString('hex')).toBe('c000020180000001')
  expect([packet[9], packet[108]]).toEqual([0xff, 0xff])
})

test('an address that is not IPv4 is left out', () => {
  const packet = new Uint8Array(98).fill(0xff)
  writeAnnounceRequest(packet, 0, connection, 9, { ...fields, ip: new Uint8Array(16).fill(1) })
  expect([...packet.subarray(84, 88)]).toEqual([0, 0, 0, 0])
})

test.each([0, 1, 254, 255, 256, 600])(
  'a URL of %d characters as options of an announce is read',
  (more) => {
    const key = 'K'.repeat(32)
    const path = `/announce/${key}?${'x'.repeat(more)}`
    const packet = new Uint8Array(98 + urlDataBytes(path))
    writeAnnounceRequest(packet, 0, connection, 9, fields)
    expect(98 + writeUrlData(packet, 98, path)).toBe(packet.length)
    const read = new Key()
    expect(new UrlKeys().read(packet, 0, packet.length, read)).toBe('key')
    expect(Buffer.from(read.bytes).toString()).toBe(key)
  },
)

test('the tracker reads a scrape', () => {
  const packet = new Uint8Array(60)
  expect(writeScrapeRequest(packet, 4, connection, 3, [fields.infoHash, fields.peerId])).toBe(56)
  const { request } = received(packet.subarray(4))
  expect([request.kind, request.hashes, request.transaction]).toEqual(['scrape', 2, 3])
  const hash = new Uint8Array(20)
  udp.readScrapeHash(packet, 4, 1, hash)
  expect(hash).toEqual(fields.peerId)
})

describe('answers', () => {
  const out = new Uint8Array(100)

  test('to a connect', () => {
    const length = udp.writeConnect(out, 0, 1, -5, 6)
    expect(readConnection(out.subarray(0, length))).toEqual({ high: -5, low: 6 })
    expect(readConnection(out.subarray(0, length + 1))).toBeUndefined()
  })

  test('to an announce, by family', () => {
    out.set([192, 0, 2, 9, 1, 2], 20)
    const length = udp.writeAnnounce(out, 0, 1, 120, 3, 4, 6)
    const answer = { interval: 120, leechers: 3, seeders: 4 }
    const four = out.subarray(0, length)
    expect(readAnnounceAnswer(four, 4)).toEqual({
      ...answer,
      peers: [{ ip: '192.0.2.9', port: 258 }],
    })
    expect(readAnnounceAnswer(four, 6)).toBeUndefined()
    out.fill(0, 20, 36)
    out[35] = 1
    out.set([1, 2], 36)
    udp.writeAnnounce(out, 0, 1, 120, 3, 4, 18)
    expect(readAnnounceAnswer(out.subarray(0, 38), 6)).toEqual({
      ...answer,
      peers: [{ ip: '::1', port: 258 }],
    })
    expect(readAnnounceAnswer(out.subarray(0, 20), 6)).toEqual({ ...answer, peers: [] })
    expect(readAnnounceAnswer(out.subarray(0, 19), 6)).toBeUndefined()
  })

  test('to a scrape', () => {
    udp.writeScrapeEntry(out, 0, 0, 1, 2, 3)
    udp.writeScrapeEntry(out, 0, 1, 4, 0xffff_fffe, 6)
    const length = udp.writeScrape(out, 0, 1, 2)
    const packet = out.subarray(0, length)
    expect(readScrapeAnswer(packet)).toEqual([
      { seeders: 1, downloaded: 2, leechers: 3 },
      { seeders: 4, downloaded: 0xffff_fffe, leechers: 6 },
    ])
    expect(readScrapeAnswer(packet.subarray(1))).toBeUndefined()
    expect(readScrapeAnswer(packet.subarray(0, 7))).toBeUndefined()
  })
})
