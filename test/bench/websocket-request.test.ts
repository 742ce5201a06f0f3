/** The messages of a WebTorrent load. */
import { describe, expect, test } from 'bun:test'
import { Population } from '../../src/bench/population.ts'
import { WebSocketRequests } from '../../src/bench/websocket-requests.ts'
import type { WebMessage } from '../support/bench/web-tracker.ts'

const [ANNOUNCE, SCRAPE] = [1, 2]

const population = () => new Population({ seed: 7, torrents: 50, peers: 100, seeders: 50 })

/** Takes a frame apart: its payload is text as it stands, because its mask is zero. */
function parse(frame: Uint8Array): { text: string; message: WebMessage } {
  const bytes = Buffer.from(frame)
  expect(bytes[0]).toBe(0x81)
  const short = bytes[1]! & 0x7f
  const at = short === 126 ? 4 : 2
  expect(bytes.readUInt32BE(at)).toBe(0)
  const payload = bytes.subarray(at + 4)
  expect(payload.length).toBe(short === 126 ? bytes.readUInt16BE(2) : short)
  const text = payload.toString()
  return { text, message: JSON.parse(text) }
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

describe.each([false, true])('with ids in ASCII: %p', (ascii) => {
  test('announces and scrapes carry what the population knows of each peer', () => {
    const people = population()
    const requests = new WebSocketRequests({ population: people, seed: 1, offers: 5, ascii })
    const hash = new Uint8Array(20)
    const offerIds = new Set<string>()
    for (let turn = 0; turn < 200; turn++) {
      const peer = people.nextPeer()
      people.copyInfoHash(peer, hash)
      const { text, message } = parse(requests.write(ANNOUNCE, peer, turn % 3))
      const { offers, ...rest } = message
      expect(rest as unknown).toEqual({
        numwant: 5,
        uploaded: 0,
        downloaded: 0,
        left: people.leftOf(peer) === 0 ? 0 : expect.any(Number),
        ...(turn < 100 && { event: 'started' }),
        action: 'announce',
        info_hash: latin1(hash),
        peer_id: `-TB0100-${`${turn % 3}`.padStart(12, '0')}`,
      })
      expect(rest.left === 0).toBe(people.leftOf(peer) === 0)
      for (const { offer, offer_id } of offers!) {
        expect(offer).toMatchObject({ type: 'offer' })
        expect(offer.sdp.length).toBeWithin(630, 971)
        expect(offer_id.length).toBe(20)
        offerIds.add(offer_id)
      }
      expect(Buffer.byteLength(text)).toBeWithin(5_400, 5_900)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
      expect(/^[\x00-\x7f]*$/.test(text)).toBe(ascii)

      const scrape = parse(requests.write(SCRAPE, peer, 1))
      expect(scrape.message as unknown).toEqual({ action: 'scrape', info_hash: latin1(hash) })
      const copy = new Uint8Array(20)
      requests.copyInfoHash(copy)
      expect(copy).toEqual(hash)
    }
    expect(offerIds.size).toBe(200 * 5)
  })

  test('answers go to the peer that offered', () => {
    const requests = new WebSocketRequests({ population: population(), seed: 1, offers: 1, ascii })
    const ids = {
      infoHash: Uint8Array.from({ length: 20 }, (_, i) => i),
      peerId: Uint8Array.from({ length: 20 }, (_, i) => 0x20 + i * 5),
      offerId: Uint8Array.from({ length: 20 }, (_, i) => 0xff - i * 8),
    }
    const { message } = parse(requests.writeAnswer(ids, 4))
    expect(message as unknown).toEqual({
      action: 'announce',
      info_hash: latin1(ids.infoHash),
      peer_id: '-TB0100-000000000004',
      to_peer_id: latin1(ids.peerId),
      offer_id: latin1(ids.offerId),
      answer: { type: 'answer', sdp: expect.stringContaining('a=setup:active') },
    })
  })
})

test.each([0, 1, 20])('%d offers', (offers) => {
  const requests = new WebSocketRequests({
    population: population(),
    seed: 1,
    offers,
    ascii: false,
  })
  expect(parse(requests.write(ANNOUNCE, 3, 3)).message.offers!.length).toBe(offers)
})
