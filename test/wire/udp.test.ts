import { describe, expect, test } from 'bun:test'
import { Announce, COUNT, EVENT, Key, WANT_DEFAULT } from '../../src/bittorrent.ts'
import { LIMITS } from '../../src/limits.ts'
import {
  ACTION,
  ANNOUNCE,
  ANSWER,
  PROTOCOL,
  peekInfoHash,
  peekKey,
  readI32,
  readRequest,
  readScrapeHash,
  UdpRequest,
  writeAnnounce,
  writeConnect,
  writeError,
  writeScrape,
  writeScrapeEntry,
  writeU32,
} from '../../src/wire/udp.ts'
import { dice, seed } from '../support/random.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

function read(packet: Uint8Array, family: 4 | 6 = 4) {
  const request = new UdpRequest()
  const announce = new Announce()
  announce.family = family
  readRequest(packet, 0, packet.length, request, announce)
  return { request, announce }
}

/** An announce as a real client lays it out; `change` edits it. */
function announcePacket(change: (view: DataView) => void = () => {}, extra = 0): Uint8Array {
  const packet = new Uint8Array(ANNOUNCE.end + extra)
  const view = new DataView(packet.buffer)
  view.setUint32(8, ACTION.announce)
  view.setUint32(12, 0xdead_beef)
  for (let i = 0; i < 40; i++) packet[16 + i] = i + 1
  view.setBigUint64(ANNOUNCE.downloaded, 0x0102_0304_0506_0708n)
  view.setBigUint64(ANNOUNCE.left, 0xffff_ffff_ffff_ffffn)
  view.setBigUint64(ANNOUNCE.uploaded, 1n)
  view.setUint32(ANNOUNCE.event, EVENT.started)
  view.setInt32(ANNOUNCE.want, -1)
  view.setUint16(ANNOUNCE.port, 6881)
  change(view)
  return packet
}

test('U1: a connect is read, and its answer is laid out as in the specification', () => {
  const { request } = read(hex('00000417 27101980 00000000 0a0b0c0d'))
  expect(request).toMatchObject({ kind: 'connect', transaction: 0x0a0b_0c0d })
  const out = new Uint8Array(20)
  expect(writeConnect(out, 4, request.transaction, 0x0102_0304, 0xfffe_fdfc)).toBe(16)
  expect(Buffer.from(out).toString('hex')).toBe('00000000000000000a0b0c0d01020304fffefdfc')
})

test('an announce is read in full', () => {
  const { request, announce } = read(announcePacket())
  expect(request).toMatchObject({ kind: 'announce', transaction: 0xdead_beef | 0 })
  expect([...announce.infoHash]).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  expect([...announce.peerId]).toEqual(Array.from({ length: 20 }, (_, i) => i + 21))
  expect([...announce.counts.subarray(COUNT.downloaded, COUNT.downloaded + 2)]).toEqual([
    0x0102_0304, 0x0506_0708,
  ])
  expect([...announce.counts.subarray(COUNT.left, COUNT.left + 2)]).toEqual([-1, -1])
  expect([...announce.counts.subarray(COUNT.uploaded, COUNT.uploaded + 2)]).toEqual([0, 1])
  expect(announce).toMatchObject({ event: EVENT.started, want: WANT_DEFAULT, port: 6881 })
})

test('a peek finds the info hash of an announce, and of no shorter or other datagram', () => {
  const words = new Int32Array(15).fill(-1)
  const packet = announcePacket()
  const bytes = new Uint8Array(200)
  bytes.set(packet, 50)
  expect(peekInfoHash(bytes, 50, packet.length, words, 5)).toBe(true)
  expect([...words.subarray(5, 10)]).toEqual([...read(packet).announce.words.subarray(0, 5)])
  expect([...words.subarray(0, 5), ...words.subarray(10)]).toEqual(Array(10).fill(-1))
  expect(peekInfoHash(bytes, 50, packet.length - 1, words, 0)).toBe(false)
  for (const action of [ACTION.connect, ACTION.scrape, ACTION.error]) {
    bytes[50 + 11] = action
    expect(peekInfoHash(bytes, 50, packet.length, words, 0)).toBe(false)
  }
})

test('a peek finds the auth key where it is the end of the options', () => {
  const key = new Key()
  expect(key.read('0123456789ABCDEFGHIJKLMNOPQRSTUV')).toBe(true)
  const url = Buffer.concat([Buffer.from('/announce/'), key.bytes])
  const packet = Buffer.concat([announcePacket(), Uint8Array.of(2, url.length), url])
  const bytes = new Uint8Array(300)
  bytes.set(packet, 51)
  const words = new Int32Array(16)
  peekKey(bytes, 51, packet.length, words, 8)
  expect([...words]).toEqual([...new Int32Array(8), ...key.words])
})

test('the port follows the address in either family', () => {
  expect([...read(announcePacket(), 4).announce.endpoint.subarray(4, 6)]).toEqual([0x1a, 0xe1])
  expect([...read(announcePacket(), 6).announce.endpoint.subarray(16, 18)]).toEqual([0x1a, 0xe1])
})

test.each([
  [0, WANT_DEFAULT],
  [-1, WANT_DEFAULT],
  [-2147483648, WANT_DEFAULT],
  [1, 1],
  [2147483647, 2147483647],
])('U8: num_want %p means %p peers', (sent, want) => {
  expect(read(announcePacket((view) => view.setInt32(ANNOUNCE.want, sent))).announce.want).toBe(
    want,
  )
})

test.each([
  [0, EVENT.none],
  [1, EVENT.completed],
  [2, EVENT.started],
  [3, EVENT.stopped],
  [4, EVENT.none],
] as const)('event %p is %p (4 is the paused of BEP 21)', (sent, event) => {
  const { request, announce } = read(announcePacket((view) => view.setUint32(ANNOUNCE.event, sent)))
  expect([request.kind, announce.event]).toEqual(['announce', event])
})

test('U15: any bytes after an announce (BEP 41) are accepted', () => {
  const roll = dice()
  for (let extra = 0; extra < 300; extra++) {
    const packet = announcePacket(() => {}, extra)
    for (let i = ANNOUNCE.end; i < packet.length; i++) packet[i] = roll(256)
    expect(read(packet).request.kind).toBe('announce')
  }
})

test('U6: the answer to an announce is the worked example of the specification', () => {
  const out = new Uint8Array(26)
  out.set(hex('cb007107 1ae1'), ANSWER.peersAt)
  expect(writeAnnounce(out, 0, 0x0a0b_0c0e, 120, 1, 2, 6)).toBe(26)
  expect(Buffer.from(out)).toEqual(
    Buffer.from(hex('00000001 0a0b0c0e 00000078 00000001 00000002 cb007107 1ae1')),
  )
})

const scrapePacket = (bytes: number) => {
  const packet = new Uint8Array(16 + bytes)
  writeU32(packet, 8, ACTION.scrape)
  for (let i = 16; i < packet.length; i++) packet[i] = Math.floor((i - 16) / 20)
  return packet
}

test('U10: a scrape yields its hashes in order, and no more than the limit', () => {
  for (const hashes of [1, 2, LIMITS.udpScrapeHashes]) {
    const packet = scrapePacket(hashes * 20)
    expect(read(packet).request).toMatchObject({ kind: 'scrape', hashes })
    const hash = new Uint8Array(20)
    readScrapeHash(packet, 0, hashes - 1, hash)
    expect([...hash]).toEqual(Array(20).fill(hashes - 1))
  }
  const longer = scrapePacket((LIMITS.udpScrapeHashes + 1) * 20)
  expect(read(longer).request).toMatchObject({ kind: 'scrape', hashes: LIMITS.udpScrapeHashes })
  expect(read(scrapePacket(60_000)).request.hashes).toBe(LIMITS.udpScrapeHashes)
})

test('the answer to a scrape has an entry of three words for each hash', () => {
  const out = new Uint8Array(8 + 24)
  writeScrapeEntry(out, 0, 0, 1, 2, 3)
  writeScrapeEntry(out, 0, 1, 4, 5, 0xffff_ffff)
  expect(writeScrape(out, 0, 7, 2)).toBe(32)
  expect(Array.from({ length: 8 }, (_, i) => readI32(out, i * 4))).toEqual([
    2, 7, 1, 2, 3, 4, 5, -1,
  ])
})

test.each([
  [2 ** 31, 2 ** 31],
  [2 ** 32 - 1, 2 ** 32 - 1],
  [2 ** 32, 2 ** 32 - 1],
  [Number.MAX_SAFE_INTEGER, 2 ** 32 - 1],
])('%d completions are written as %d: the field has 32 bits', (downloaded, told) => {
  const out = new Uint8Array(8 + 12)
  writeScrapeEntry(out, 0, 0, 1, downloaded, 3)
  const words = Array.from({ length: 3 }, (_, i) => readI32(out, 8 + i * 4) >>> 0)
  expect(words).toEqual([1, told, 3])
})

test('an error carries its text', () => {
  const out = new Uint8Array(20)
  expect(writeError(out, 0, 9, 'bad request')).toBe(19)
  expect(Buffer.from(out.subarray(8, 19)).toString()).toBe('bad request')
  expect([readI32(out, 0), readI32(out, 4)]).toEqual([ACTION.error, 9])
})

describe('U11: a problem is named', () => {
  test.each([
    ['no protocol id', () => new Uint8Array(16), 'Protocol identifier missing'],
    ['1,496 zero bytes', () => new Uint8Array(1496), 'Protocol identifier missing'],
    ['a short announce', () => announcePacket().subarray(0, 97), 'Announce too short'],
    ['port 0', () => announcePacket((v) => v.setUint16(ANNOUNCE.port, 0)), "Port can't be 0"],
    [
      'event 5',
      () => announcePacket((v) => v.setUint32(ANNOUNCE.event, 5)),
      'Invalid announce event',
    ],
    ['a full scrape', () => scrapePacket(0), 'Full scrapes are not allowed'],
    ['half a hash', () => scrapePacket(30), 'Invalid info hash list'],
    ['action 4', () => hex('0000041727101980 00000004 00000001'), 'Invalid action'],
  ])('%s', (_what, packet, problem) => {
    expect(read(packet()).request).toMatchObject({ kind: 'refuse', problem })
  })

  test('the port is checked before the event', () => {
    const both = announcePacket((view) => {
      view.setUint16(ANNOUNCE.port, 0)
      view.setUint32(ANNOUNCE.event, 9)
    })
    expect(read(both).request.problem).toBe("Port can't be 0")
  })

  test('U11: a datagram too short for a transaction id is dropped', () => {
    for (let length = 0; length < 16; length++)
      expect(read(new Uint8Array(length)).request.kind).toBe('drop')
  })
})

test(`no datagram makes the reader throw, and it reads nothing but the datagram (SEED=${seed})`, () => {
  const roll = dice()
  const seen = new Map<string, number>()
  const request = new UdpRequest()
  const announce = new Announce()
  for (let length = 0; length < 1600; length++)
    for (let action = 0; action < 6; action++) {
      const packet = Uint8Array.from({ length }, () => roll(256))
      const view = new DataView(packet.buffer)
      if (length >= 12) view.setUint32(8, action)
      if (length >= 8 && action === 0 && roll(2) === 0) {
        view.setUint32(0, PROTOCOL.high)
        view.setUint32(4, PROTOCOL.low)
      }
      if (length >= 84) view.setUint32(80, roll(6))
      announce.family = roll(2) === 0 ? 4 : 6
      readRequest(packet, 0, packet.length, request, announce)
      seen.set(request.kind, (seen.get(request.kind) ?? 0) + 1)
      // The same reader still works.
      const whole = announcePacket()
      readRequest(whole, 0, whole.length, request, announce)
      expect(request.kind).toBe('announce')
    }
  expect([...seen.keys()].sort()).toEqual(['announce', 'connect', 'drop', 'refuse', 'scrape'])
})
