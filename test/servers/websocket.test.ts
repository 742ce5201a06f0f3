/** What a WebSocket listener does with messages: real sockets, a real swarm, a clock of the test. */
import { describe, expect, spyOn, test } from 'bun:test'
import { Visitor } from '../../src/access/gate.ts'
import { LIMITS } from '../../src/limits.ts'
import { Client, type WebSocketRequests } from '../../src/servers/websocket-requests.ts'
import { nextTurn } from '../../src/time/turns.ts'
import { serveWeb } from '../support/servers/served-websockets.ts'
import { THOROUGH } from '../support/thorough.ts'
import { until } from '../support/until.ts'
import {
  announce,
  answerTo,
  id,
  type Message,
  offers,
  SDP,
  type Speaker,
  scrape,
} from '../support/webtorrent/speaker.ts'

/** A client that shows no sign of life is closed after 60 s, give or take. */
const IDLE_MILLISECONDS = 65_000

const counts = ({ complete, incomplete, downloaded }: Message) => [complete, incomplete, downloaded]

/** A torrent's counts, as a stranger is told. */
async function countsOf(speaker: Speaker, hash: string): Promise<number[]> {
  const { files } = await speaker.ask(scrape(hash))
  return counts(files[id(hash)])
}

describe('announces', () => {
  test('W9: the first announce of a seeder is answered with integers', async () => {
    await using served = await serveWeb()
    using seeder = await served.join()
    expect(await seeder.ask(announce('one', 'seeder', { left: 0, event: 'started' }))).toEqual({
      action: 'announce',
      interval: 120,
      info_hash: id('one'),
      complete: 1,
      incomplete: 0,
      downloaded: 0,
    })
  })

  for (const left of [null, undefined, -1, '0', '', [0]])
    test(`W10: left ${JSON.stringify(left)} is that of a leecher`, async () => {
      await using served = await serveWeb()
      using peer = await served.join()
      expect(counts(await peer.ask(announce('one', 'peer', { left })))).toEqual([0, 1, 0])
    })

  test('W10: a number that JSON cannot hold is that of a leecher', async () => {
    await using served = await serveWeb()
    using peer = await served.join()
    const text = JSON.stringify(announce('one', 'peer', { left: 1 })).replace(':1}', ':1e400}')
    expect(text).toEndWith('1e400}')
    expect(counts(await peer.ask(text))).toEqual([0, 1, 0])
  })

  test('W11: a seeder that does not say what is left stays one', async () => {
    await using served = await serveWeb()
    using peer = await served.join()
    await peer.ask(announce('one', 'peer', { left: 0 }))
    expect(counts(await peer.ask(announce('one', 'peer')))).toEqual([1, 0, 0])
    expect(counts(await peer.ask(announce('one', 'peer', { left: 5 })))).toEqual([0, 1, 0])
    expect(counts(await peer.ask(announce('one', 'peer')))).toEqual([0, 1, 0])
    // In another torrent it said nothing yet.
    expect(counts(await peer.ask(announce('two', 'peer')))).toEqual([0, 1, 0])
  })

  test('W12, W13: who completes is a seeder, and a download only if it was a leecher', async () => {
    await using served = await serveWeb()
    using peer = await served.join()
    const completed = { event: 'completed' }
    expect(counts(await peer.ask(announce('one', 'peer', completed)))).toEqual([1, 0, 0])
    using other = await served.join()
    expect(counts(await other.ask(announce('one', 'other', { left: 9 })))).toEqual([1, 1, 0])
    expect(counts(await other.ask(announce('one', 'other', completed)))).toEqual([2, 0, 1])
    expect(counts(await other.ask(announce('one', 'other', completed)))).toEqual([2, 0, 1])
  })

  test('W14: an event that is not known is an update', async () => {
    await using served = await serveWeb()
    using peer = await served.join()
    for (const event of ['', null, 'update', 'paused', 'empty', '<regular>', 7])
      expect(counts(await peer.ask(announce('one', 'peer', { left: 1, event })))).toEqual([0, 1, 0])
  })

  test('W15: who stops is gone and is told so; its offers go nowhere', async () => {
    await using served = await serveWeb()
    using other = await served.join()
    await other.ask(announce('one', 'other', { left: 1 }))
    using peer = await served.join()
    await peer.ask(announce('one', 'peer', { left: 0 }))
    const stopped = announce('one', 'peer', { event: 'stopped', ...offers('a') })
    expect(counts(await peer.ask(stopped))).toEqual([0, 1, 0])
    expect(await other.rest()).toEqual([])
    // Also one that was never here.
    expect(counts(await peer.ask(announce('one', 'ghost', { event: 'stopped' })))).toEqual([
      0, 1, 0,
    ])
    expect(served.count('opened')).toBe(2)
  })

  test('W35: peer ids of one socket are peers of their own', async () => {
    await using served = await serveWeb()
    using page = await served.join()
    await page.ask(announce('one', 'a', { left: 0 }))
    await page.ask(announce('two', 'b', { left: 0 }))
    expect(counts(await page.ask(announce('one', 'b', { left: 1 })))).toEqual([1, 1, 0])
    await page.ask(announce('one', 'a', { event: 'stopped' }))
    expect(await countsOf(page, 'one')).toEqual([0, 1, 0])
    page.close()
    await page.closed
    using stranger = await served.join()
    expect(await countsOf(stranger, 'one')).toEqual([0, 0, 0])
    expect(await countsOf(stranger, 'two')).toEqual([0, 0, 0])
  })

  test('W36: in one torrent a socket has sixteen peers at most', async () => {
    await using served = await serveWeb()
    using page = await served.join()
    for (let i = 0; i < LIMITS.webSocketSeats; i++)
      expect(await page.ask(announce('one', `peer ${i}`))).toHaveProperty('interval')
    expect(await page.ask(announce('one', 'too many'))).toEqual({
      action: 'announce',
      'failure reason': 'more than 16 peer ids in one torrent on one connection',
      info_hash: id('one'),
    })
    expect(await page.ask(announce('two', 'too many'))).toHaveProperty('interval')
    expect(await page.ask(announce('one', 'peer 7'))).toHaveProperty('interval')
    // A place that becomes free is given again.
    await page.ask(announce('one', 'peer 7', { event: 'stopped' }))
    expect(await page.ask(announce('one', 'too many'))).toHaveProperty('interval')
  })

  test('W36: a socket is in 2,000 torrents at most, with as many peer ids', async () => {
    await using served = await serveWeb()
    using page = await served.join()
    const most = LIMITS.webSocketTorrents
    // In the first hundred of a second each; the rest waits.
    const announces = Array.from({ length: most + 1 }, (_, i) => announce(`${i}`, `peer ${i}`))
    let last: Message = {}
    for (const [i, one] of announces.entries()) {
      if (i % 50 === 0) served.time.now++
      last = await page.ask(one)
    }
    expect(last['failure reason']).toBe('more than 2000 torrents on one connection')
    expect(await page.ask(announce('7', 'peer 7'))).not.toHaveProperty('failure reason')
    // A place that becomes free is given again.
    await page.ask(announce('7', 'peer 7', { event: 'stopped' }))
    expect(await page.ask(announce('fresh', 'fresh'))).not.toHaveProperty('failure reason')
    const another = announce('another', 'another')
    expect(await page.ask(another)).toHaveProperty('failure reason')
    // Those whose peers have expired do not count: libtorrent never says that it leaves one.
    served.time.now += 250
    expect(await page.ask(announce('7', 'fresh'))).toHaveProperty('failure reason')
    served.time.now += 20
    expect(await page.ask(another)).not.toHaveProperty('failure reason')
    page.close()
    await page.closed
    expect(served.swarm.totals()).toMatchObject({ seeders: 0, leechers: 0 })
  })
})

describe('offers', () => {
  /** Open sockets of leechers in torrent `one`. */
  async function leechers(served: Awaited<ReturnType<typeof serveWeb>>, count: number) {
    const speakers: Speaker[] = []
    for (let i = 0; i < count; i++) {
      speakers.push(await served.join())
      await speakers[i]!.ask(announce('one', `leecher ${i}`, { left: 1 }))
    }
    return speakers
  }
  const inboxes = (speakers: readonly Speaker[]) => Promise.all(speakers.map((one) => one.rest()))

  test('W18, W27: one offer reaches the other peer as it is', async () => {
    await using served = await serveWeb()
    const [other] = await leechers(served, 1)
    using peer = await served.join()
    await peer.ask(announce('one', 'peer', { left: 0, ...offers('a') }))
    expect(await other!.rest()).toEqual([
      {
        action: 'announce',
        offer: { type: 'offer', sdp: `${SDP}a` },
        offer_id: id('a'),
        peer_id: id('peer'),
        info_hash: id('one'),
      },
    ])
  })

  test('W19: the first offers go to different peers', async () => {
    await using served = await serveWeb()
    const others = await leechers(served, 2)
    using peer = await served.join()
    await peer.ask(announce('one', 'peer', { left: 1, ...offers('a', 'b', 'c', 'd', 'e') }))
    const got = await inboxes(others)
    expect(got.map((one) => one.length)).toEqual([1, 1])
    expect(got.flat().map(({ offer_id }) => offer_id)).toEqual(
      expect.arrayContaining([id('a'), id('b')]),
    )
    expect(served.count('offersWithoutPeer')).toBe(3)
    expect(served.count('relayedOffers')).toBe(2)
  })

  test('W20: no more are relayed than the listener allows', async () => {
    await using served = await serveWeb()
    const others = await leechers(served, 20)
    using peer = await served.join()
    const ids = Array.from({ length: 11 }, (_, i) => `offer ${i}`)
    await peer.ask(announce('one', 'peer', { left: 1, ...offers(...ids) }))
    expect((await inboxes(others)).flat()).toHaveLength(10)
  })

  for (const numwant of [undefined, 0, 50, -1, 'x'])
    test(`W21: numwant ${numwant} changes nothing`, async () => {
      await using served = await serveWeb()
      const others = await leechers(served, 3)
      using peer = await served.join()
      await peer.ask(announce('one', 'peer', { numwant, left: 1, ...offers('a', 'b') }))
      expect((await inboxes(others)).flat()).toHaveLength(2)
    })

  test('W22: no offer goes to the offerer, nor to its peer id on another socket', async () => {
    await using served = await serveWeb()
    const [other] = await leechers(served, 1)
    using before = await served.join()
    await before.ask(announce('one', 'peer', { left: 1 }))
    using peer = await served.join()
    for (let i = 0; i < 20; i++) {
      await peer.ask(announce('one', 'peer', { left: 1, ...offers(`a ${i}`) }))
      expect((await other!.rest()).length).toBe(1)
    }
    expect(await before.rest()).toEqual([])
    expect(await peer.rest()).toEqual([])
  })

  test('W24: a seeder offers to leechers first, and to seeders where there are no others', async () => {
    await using served = await serveWeb()
    using seeder = await served.join()
    await seeder.ask(announce('one', 'other seeder', { left: 0 }))
    using peer = await served.join()
    await peer.ask(announce('one', 'peer', { left: 0, ...offers('a') }))
    expect(await seeder.rest()).toHaveLength(1)
    const others = await leechers(served, 8)
    for (let i = 0; i < 10; i++)
      await peer.ask(announce('one', 'peer', { left: 0, ...offers('a', 'b', 'c', 'd') }))
    expect((await inboxes(others)).flat()).toHaveLength(40)
    expect(await seeder.rest()).toEqual([])
  })

  const BAD: readonly unknown[] = [
    [{ offer: { type: 'offer' }, offer_id: id('b') }],
    [{ offer: { type: 'offer', sdp: 5 }, offer_id: id('b') }],
    [{ offer: { type: 'offer', sdp: SDP }, offer_id: id('b').slice(1) }],
    [{ offer: { type: 'answer', sdp: SDP }, offer_id: id('b') }],
    [{ offer: { type: 'offer', sdp: '\ud800' }, offer_id: id('b') }],
    [null],
    'abc',
  ]
  for (const bad of BAD)
    test(`W25, W26: of ${JSON.stringify(bad)} nothing is relayed`, async () => {
      await using served = await serveWeb()
      const [other] = await leechers(served, 1)
      using peer = await served.join()
      const good = offers('a').offers
      const all = Array.isArray(bad) ? [...good, ...bad] : bad
      const refused = await peer.ask(announce('one', 'peer', { left: 1, offers: all }))
      expect(refused['failure reason']).toStartWith('bad request: ')
      expect(refused).toMatchObject({ action: 'announce', info_hash: id('one') })
      expect(await other!.rest()).toEqual([])
      expect(await countsOf(peer, 'one')).toEqual([0, 1, 0])
    })

  test('W26: what an SDP may hold arrives unchanged', async () => {
    await using served = await serveWeb()
    const [other] = await leechers(served, 1)
    using peer = await served.join()
    const sdp = 'v=0\r\n"quoted" \\ é \u0001\u{1f600}'
    await peer.ask(
      announce('one', 'peer', { offers: [{ offer: { type: 'offer', sdp }, offer_id: id('a') }] }),
    )
    expect((await other!.next()).offer).toEqual({ type: 'offer', sdp })
  })

  test('a peer is sent so many offers a second, however many make them', async () => {
    await using served = await serveWeb({ max_offers: 1 })
    const others = await leechers(served, 1)
    const most = LIMITS.webSocketOffersTo
    using seeder = await served.join()
    for (let i = 0; i <= most; i++) {
      using peer = await served.join()
      await peer.ask(announce('one', `peer ${i}`, { left: 0, ...offers(`offer ${i}`) }))
      await peer.ask(announce('one', `peer ${i}`, { event: 'stopped' }))
    }
    expect((await inboxes(others)).flat()).toHaveLength(most)
    expect(served.count('offersToSlow')).toBe(1)
    served.time.now += 1
    await seeder.ask(announce('one', 'seeder', { left: 0, ...offers('again') }))
    expect((await inboxes(others)).flat()).toHaveLength(1)
  })

  test('more offers than a socket may make are dropped, and counted', async () => {
    await using served = await serveWeb({ max_offers: 50 })
    const others = await leechers(served, 51)
    using peer = await served.join()
    const ids = Array.from({ length: 50 }, (_, i) => `offer ${i}`)
    const all = announce('one', 'peer', { left: 1, ...offers(...ids) })
    for (let i = 0; i < 21; i++) await peer.ask(all)
    expect(served.count('relayedOffers')).toBe(LIMITS.webSocketOffersBurst)
    expect(served.count('offersOverRate')).toBe(50)
    served.time.now += 1
    await peer.ask(all)
    expect(served.count('relayedOffers')).toBe(LIMITS.webSocketOffersBurst + 50)
    for (const one of others) one.close()
  })

  test('a socket that announces without offers may make more meanwhile', async () => {
    await using served = await serveWeb({ max_offers: 50 })
    const others = await leechers(served, 51)
    using peer = await served.join()
    const ids = Array.from({ length: 50 }, (_, i) => `offer ${i}`)
    const all = announce('one', 'peer', { left: 1, ...offers(...ids) })
    for (let i = 0; i < 20; i++) await peer.ask(all)
    served.time.now += 1
    await peer.ask(announce('one', 'peer', { left: 1 }))
    await peer.ask(all)
    expect(served.count('offersOverRate')).toBe(0)
    // A clock that is set back takes none away.
    served.time.now -= 3_600
    await peer.ask(all)
    expect(served.count('offersOverRate')).toBe(0)
    for (const one of others) one.close()
  })
})

describe('answers', () => {
  /** Two peers of which the first was sent an offer. */
  async function offered(changes: Parameters<typeof serveWeb>[0] = {}) {
    const served = await serveWeb(changes)
    const answerer = await served.join()
    await answerer.ask(announce('one', 'answerer', { left: 0 }))
    const offerer = await served.join()
    await offerer.ask(announce('one', 'offerer', { left: 1, ...offers('a') }))
    return { served, offerer, answerer, offer: await answerer.next() }
  }

  test('W28, W31: an answer arrives once, and is no announce', async () => {
    const { served, offerer, answerer, offer } = await offered()
    await using _ = served
    answerer.send(answerTo(offer, 'answerer'))
    expect(await answerer.rest()).toEqual([])
    expect(await offerer.rest()).toEqual([
      {
        action: 'announce',
        answer: { type: 'answer', sdp: `${SDP}answer` },
        offer_id: id('a'),
        peer_id: id('answerer'),
        info_hash: id('one'),
      },
    ])
    answerer.send(answerTo(offer, 'answerer'))
    expect(await answerer.rest()).toEqual([])
    expect(await offerer.rest()).toEqual([])
    // The seeder, which said nothing of `left`, is still one.
    expect(await countsOf(offerer, 'one')).toEqual([1, 1, 0])
    expect([served.count('answers'), served.count('strayAnswers')]).toEqual([1, 1])
    expect([served.count('announces'), served.count('responses')]).toEqual([2, 7])
  })

  for (const [what, wrong] of Object.entries({
    'another offer id': { offer_id: id('b') },
    'another peer': { to_peer_id: id('another') },
    'another torrent': { info_hash: id('two') },
    'a peer id that is not here': { peer_id: id('stranger') },
  }))
    test(`W29: an answer with ${what} goes nowhere, and the right one still does`, async () => {
      const { served, offerer, answerer, offer } = await offered()
      await using _ = served
      await answerer.ask(announce('two', 'answerer', { left: 0 }))
      answerer.send(answerTo(offer, 'answerer', wrong))
      expect(await answerer.rest()).toEqual([])
      expect(await offerer.rest()).toEqual([])
      answerer.send(answerTo(offer, 'answerer'))
      await answerer.rest()
      expect(await offerer.rest()).toHaveLength(1)
    })

  test('W29: nor from a socket that the offer was not sent to', async () => {
    const { served, offerer, offer } = await offered()
    await using _ = served
    using thief = await served.join()
    await thief.ask(announce('one', 'answerer', { left: 0 }))
    thief.send(answerTo(offer, 'answerer'))
    expect(await thief.rest()).toEqual([])
    expect(await offerer.rest()).toEqual([])
  })

  test('W37: who knows the offer of another can neither offer it again nor have its answer', async () => {
    const { served, offerer, answerer, offer } = await offered()
    await using _ = served
    using thief = await served.join()
    await thief.ask(announce('one', 'offerer', { left: 1, ...offers('a') }))
    expect(await answerer.rest()).toEqual([])
    answerer.send(answerTo(offer, 'answerer'))
    await answerer.rest()
    expect(await thief.rest()).toEqual([])
    expect(await offerer.rest()).toHaveLength(1)
    // Once it is answered, or too old to be, the name is free: the client may have come back on another socket.
    await thief.ask(announce('one', 'offerer', { left: 1, ...offers('a') }))
    expect(await answerer.rest()).toHaveLength(1)
    served.time.now += 121
    await offerer.ask(announce('one', 'offerer', { left: 1, ...offers('a') }))
    expect(await answerer.rest()).toHaveLength(1)
  })

  test('W30: an answer after two minutes goes nowhere', async () => {
    for (const [seconds, arrives] of [
      [120, 1],
      [121, 0],
    ] as const) {
      const { served, offerer, answerer, offer } = await offered()
      await using _ = served
      served.time.now += seconds
      answerer.send(answerTo(offer, 'answerer'))
      await answerer.rest()
      expect(await offerer.rest()).toHaveLength(arrives)
    }
  })

  test('W31: an answer does not keep a peer', async () => {
    const { served, offerer, answerer, offer } = await offered()
    await using _ = served
    served.time.now += 100
    answerer.send(answerTo(offer, 'answerer'))
    await answerer.rest()
    expect(await offerer.rest()).toHaveLength(1)
    served.time.now += 200
    expect(await countsOf(offerer, 'one')).toEqual([0, 0, 0])
  })

  test('W32: an answer whose offerer is gone is dropped', async () => {
    const { served, offerer, answerer, offer } = await offered()
    await using _ = served
    offerer.close()
    await offerer.closed
    answerer.send(answerTo(offer, 'answerer'))
    expect(await answerer.rest()).toEqual([])
    expect(served.count('relayedAnswers')).toBe(0)
    expect(served.reports).toEqual([])
  })
})

describe('sockets', () => {
  for (const [how, end] of Object.entries({
    'close frame 1000': (one: Speaker) => one.close(1000),
    'close frame 1001': (one: Speaker) => one.close(1001),
    'cut connection': (one: Speaker) => one.terminate(),
    'a message that is too long': (one: Speaker) =>
      one.send(' '.repeat(LIMITS.webSocketMessage + 1)),
  }))
    test(`W34: a socket that ends by ${how} leaves all its torrents`, async () => {
      await using served = await serveWeb()
      using stranger = await served.join()
      const peer = await served.join()
      for (const hash of ['one', 'two', 'three'])
        await peer.ask(announce(hash, 'peer', { left: 0 }))
      end(peer)
      await peer.closed
      await until('the peer is gone', () => served.swarm.totals().seeders === 0)
      for (const hash of ['one', 'two', 'three'])
        expect(await countsOf(stranger, hash)).toEqual([0, 0, 0])
      expect(served.all.open).toEqual({ ipv4: 1, ipv6: 0 })
    })

  test('W37, W38: a peer id on two sockets is two peers; neither stops the other', async () => {
    await using served = await serveWeb()
    using old = await served.join()
    await old.ask(announce('one', 'peer', { left: 0 }))
    using fresh = await served.join()
    expect(counts(await fresh.ask(announce('one', 'peer', { left: 1 })))).toEqual([1, 1, 0])
    expect(counts(await fresh.ask(announce('one', 'peer', { event: 'stopped' })))).toEqual([
      1, 0, 0,
    ])
    using other = await served.join()
    await other.ask(announce('one', 'other', { left: 1, ...offers('a') }))
    expect(await old.rest()).toHaveLength(1)
  })

  test('W39: a peer that falls silent is gone in time, while its socket lives', async () => {
    await using served = await serveWeb()
    using silent = await served.join()
    await silent.ask(announce('one', 'silent', { left: 1 }))
    using peer = await served.join()
    served.time.now += 299
    expect(counts(await peer.ask(announce('one', 'peer', { left: 1 })))).toEqual([0, 2, 0])
    served.time.now += 1
    const again = announce('one', 'peer', { left: 1, ...offers('a') })
    expect(counts(await peer.ask(again))).toEqual([0, 1, 0])
    expect(await silent.rest()).toEqual([])
    expect(counts(await silent.ask(announce('one', 'silent', { left: 1 })))).toEqual([0, 2, 0])
  })

  test('W40: a socket that is in no torrent is closed in time', async () => {
    await using served = await serveWeb()
    using idle = await served.join()
    using left = await served.join()
    await left.ask(announce('one', 'left', { left: 1 }))
    await left.ask(announce('one', 'left', { event: 'stopped' }))
    using peer = await served.join()
    await peer.ask(announce('one', 'peer', { left: 1 }))
    served.time.now += LIMITS.webSocketUnused
    served.sockets.requests.look()
    await Promise.all([idle, left, peer].map((one) => one.rest()))
    served.time.now += 1
    served.sockets.requests.look()
    for (const one of [idle, left])
      expect(await one.closed).toEqual({ code: 1000, reason: 'in no torrent' })
    expect(await peer.rest()).toEqual([])
    // Its peer has expired as well by now.
    served.time.now += 300
    served.sockets.requests.look()
    expect((await peer.closed).code).toBe(1000)
    expect(served.count('closedIdle')).toBe(3)
  })

  test.skipIf(!THOROUGH)(
    'W38, W41: a client that answers no ping is closed in time, one that does lives',
    async () => {
      await using served = await serveWeb()
      await using _ = await deafClient(served.address.port, announce('one', 'peer', { left: 1 }))
      using peer = await served.join()
      // It has lost the other connection, and is served at once.
      expect(await peer.ask(announce('one', 'peer', { left: 1 }))).toMatchObject({ incomplete: 2 })
      await Bun.sleep(IDLE_MILLISECONDS)
      await until('the silent one is closed', () => served.count('closedIdle') === 1)
      expect(await countsOf(peer, 'one')).toEqual([0, 1, 0])
    },
    // This and the patience of `until`.
    3 * IDLE_MILLISECONDS,
  )

  test('W58: more than a hundred messages in a second wait, and others do not', async () => {
    await using served = await serveWeb()
    using busy = await served.join()
    using other = await served.join()
    for (let i = 0; i < 1_000; i++) busy.send(announce('one', 'busy', { left: 1 }))
    const asked = await other.ask(announce('one', 'other', { left: 1 }))
    expect(asked.incomplete).toBe(2)
    for (let i = 0; i < 1_000; i++) {
      served.time.now += 0.01
      expect(await busy.next()).toMatchObject({ interval: 120 })
    }
  })

  test('W58: a client that is read again is limited again, also within the same second', async () => {
    await using served = await serveWeb()
    const { requests } = served.sockets
    const { client, calls } = silentClient(requests)
    const text = JSON.stringify(scrape('one'))
    const fill = () => {
      for (let i = 0; i < LIMITS.webSocketMessages; i++) requests.message(client, text)
    }
    fill()
    await until('it is read again', () => calls.length === 2)
    fill()
    expect(calls).toEqual(['pause', 'resume', 'pause'])
    requests.closed(client, 'closedByClient')
  })

  test('W58: pings and pongs wait, too', async () => {
    await using served = await serveWeb()
    const { requests } = served.sockets
    const { client, calls } = silentClient(requests)
    for (let i = 0; i < LIMITS.webSocketMessages; i++) requests.pinged(client)
    expect(calls).toEqual(['pause'])
    using pinged = spyOn(requests, 'pinged')
    const socket = new WebSocket(served.url)
    socket.onopen = () => {
      socket.ping()
      socket.pong()
    }
    await until('both are counted', () => pinged.mock.calls.length === 2)
    socket.close()
  })

  test('W57: a client that sends pings and does not read the answers is closed', async () => {
    await using served = await serveWeb()
    const { client, calls } = silentClient(served.sockets.requests, LIMITS.webSocketUnsent + 1)
    served.sockets.requests.pinged(client)
    expect(calls).toEqual(['terminate'])
    expect(client.closing).toBe('closedSlow')
  })

  test('nothing is kept of a peer id that left its torrents, nor of a socket that ended', async () => {
    await using served = await serveWeb()
    const { sockets, relay } = served
    const { client } = silentClient(sockets.requests)
    const say = (hash: string, more: Message = {}) =>
      sockets.requests.message(client, JSON.stringify(announce(hash, 'peer', more)))
    say('one')
    expect(relay.answer(1, 1, 'text')).toBe('here')
    say('one', { event: 'stopped' })
    expect(client.seats.size).toBe(0)
    expect(relay.answer(1, 1, 'text')).toBe('gone')
    say('two')
    expect(relay.answer(1, 2, 'text')).toBe('here')
    sockets.requests.closed(client, 'closedByClient')
    expect(relay.answer(1, 2, 'text')).toBe('gone')
  })

  test('W57: a client that gets no more offers still gets answers', async () => {
    await using served = await serveWeb()
    const { sockets, relay } = served
    const { client } = silentClient(sockets.requests, LIMITS.webSocketUnsentOffers + 1)
    sockets.requests.message(client, JSON.stringify(announce('one', 'peer')))
    const stranger = relay.seat(client, id('stranger'))
    expect(relay.offer(1, 1, new Int32Array(15), stranger, 'text')).toBe('slow')
    expect(relay.answer(1, 1, 'text')).toBe('here')
  })

  test('W67: while very many sockets are closed, others have their turns', async () => {
    await using served = await serveWeb()
    const { requests } = served.sockets
    for (let i = 0; i < 500; i++) {
      const { client } = silentClient(requests)
      for (let j = 0; j < 20; j++)
        requests.message(client, JSON.stringify(announce(`${j}`, `peer ${i}`, { left: 1 })))
    }
    const stopped = requests.stop()
    await nextTurn()
    const inTheFirstTurn = served.count('closedStopped')
    await stopped
    expect(served.count('closedStopped')).toBe(500)
    expect(inTheFirstTurn).toBeWithin(1, 500)
    expect(served.swarm.totals()).toMatchObject({ seeders: 0, leechers: 0 })
  })

  test('W58: answers that were asked for are not counted: others cannot use up what a client may send', async () => {
    await using served = await serveWeb({ max_offers: 1 })
    // What waits, waits for ever.
    spyOn(served.sockets.requests, 'tick').mockImplementation(() => {})
    using answerer = await served.join()
    await answerer.ask(announce('one', 'answerer', { left: 1 }))
    const offered: Message[] = []
    for (let i = 0; i < LIMITS.webSocketOffersTo / 50; i++) {
      using seeder = await served.join()
      for (let j = 0; j < 50; j++)
        await seeder.ask(announce('one', 'seeder', { left: 0, ...offers(`${i} ${j}`) }))
      offered.push(...(await answerer.rest()))
      for (const offer of offered.splice(0)) answerer.send(answerTo(offer, 'answerer'))
    }
    expect(await answerer.rest()).toEqual([])
    expect(served.count('answers')).toBe(LIMITS.webSocketOffersTo)
  })

  test('W57: a client that does not read is closed, and its torrent mates notice nothing', async () => {
    await using served = await serveWeb({ max_offers: 50 })
    await using deaf = await deafClient(served.address.port, announce('one', 'deaf', { left: 0 }))
    await until('it is here', () => served.count('announces') === 1)
    using peer = await served.join()
    const sdp = 'x'.repeat(40_000)
    let answered = 0
    while (served.count('offersToSlow') === 0) {
      const offer = { offer: { type: 'offer', sdp }, offer_id: id(`${answered++}`) }
      served.time.now += 1
      expect(await peer.ask(announce('one', 'peer', { left: 1, offers: [offer] }))).toMatchObject({
        complete: 1,
      })
    }
    // Offers stop at the first limit; answers to requests of its own go on to the second.
    expect(served.all.open.ipv4).toBe(2)
    while (served.count('closedSlow') === 0) {
      served.time.now += 1
      deaf.ask(scrape(...Array.from({ length: 100 }, (_, i) => `torrent ${i}`)))
      await peer.rest()
    }
    expect(counts(await peer.ask(announce('one', 'peer', { left: 1 })))).toEqual([0, 1, 0])
  })
})

/** A client on a socket that goes nowhere, and what is asked of that. */
function silentClient(requests: WebSocketRequests, unsent = 0) {
  const calls: string[] = []
  const client: Client = new Client(requests, new Visitor('connected'), 1, {
    place: 0,
    now: 1_000_000_000,
  })
  requests.opened(client, {
    send: ({ length }) => length,
    getBufferedAmount: () => unsent,
    pause: () => calls.push('pause'),
    resume: () => calls.push('resume'),
    close: () => requests.closed(client, 'closedByClient'),
    terminate: () => calls.push('terminate'),
  })
  return { client, calls }
}

describe('scrapes', () => {
  test('W42: one, some, the same twice, too many', async () => {
    await using served = await serveWeb()
    using peer = await served.join()
    await peer.ask(announce('one', 'peer', { left: 0 }))
    const none = { complete: 0, incomplete: 0, downloaded: 0 }
    const one = { complete: 1, incomplete: 0, downloaded: 0 }
    const flags = { min_request_interval: 120 }
    const files = (answer: Message) => answer.files
    expect(await peer.ask(scrape('one'))).toEqual({
      action: 'scrape',
      files: { [id('one')]: one },
      flags,
    })
    expect(files(await peer.ask(scrape('one', 'two', 'one')))).toEqual({
      [id('one')]: one,
      [id('two')]: none,
    })
    const many = Array.from({ length: 101 }, (_, i) => `torrent ${i}`)
    expect(Object.keys(files(await peer.ask(scrape(...many))))).toHaveLength(100)
    expect(files(await peer.ask({ action: 'scrape', info_hash: [] }))).toEqual({})
  })

  for (const info_hash of [undefined, 7, {}])
    test(`W43: a scrape of ${JSON.stringify(info_hash)} fails`, async () => {
      await using served = await serveWeb()
      using peer = await served.join()
      const refused = await peer.ask({ action: 'scrape', info_hash })
      expect(refused).toMatchObject({ action: 'scrape', 'failure reason': expect.any(String) })
      expect(served.count('errors')).toBe(1)
    })
})

describe('messages', () => {
  test('W4: what is not understood gets a failure; the tenth closes the socket', async () => {
    await using served = await serveWeb()
    using peer = await served.join()
    const bad = [
      '',
      'x',
      'null',
      '5',
      '[]',
      '{}',
      '{"action":"dance"}',
      '{"action":"announce"}',
      '"',
    ]
    for (const text of bad)
      expect(await peer.ask(text)).toMatchObject({
        action: 'announce',
        'failure reason': expect.stringContaining('bad request: '),
      })
    expect(await peer.rest()).toEqual([])
    peer.send('{')
    expect(await peer.closed).toEqual({ code: 1008, reason: 'too many bad messages' })
    expect([served.count('errors'), served.count('closedFaulty')]).toEqual([10, 1])
  })

  test('W3: the longest message is read, one byte more closes the socket', async () => {
    await using served = await serveWeb()
    using peer = await served.join()
    const text = JSON.stringify(announce('one', 'peer'))
    expect(await peer.ask(text.padEnd(LIMITS.webSocketMessage))).toMatchObject({ incomplete: 1 })
    peer.send(text.padEnd(LIMITS.webSocketMessage + 1))
    // It was told 1009; some clients report the cut that follows.
    expect([1006, 1009]).toContain((await peer.closed).code)
    await until('it is counted', () => served.count('closedFaulty') === 1)
  })

  test('W7: bytes are read like text', async () => {
    await using served = await serveWeb()
    using peer = await served.join()
    peer.sendBytes(Buffer.from(JSON.stringify(announce('onÿ', 'peer'))))
    expect(await peer.next()).toMatchObject({ info_hash: id('onÿ'), incomplete: 1 })
    peer.sendBytes(Buffer.from([0xff, 0xfe]))
    expect(await peer.next()).toHaveProperty('failure reason')
  })

  test('W59: an error of ours is reported once, and the others are served', async () => {
    await using served = await serveWeb()
    using peer = await served.join()
    const { announceSeat } = served.tracker
    served.tracker.announceSeat = () => {
      throw new Error('out of order')
    }
    for (let i = 0; i < 2; i++)
      expect(await peer.ask(announce('one', 'peer'))).toEqual({
        action: 'announce',
        'failure reason': 'internal error',
        info_hash: id('one'),
      })
    served.tracker.announceSeat = announceSeat
    expect(served.reports).toEqual(['a WebSocket message: Error: Error: out of order'])
    expect(await peer.ask(announce('one', 'peer'))).toMatchObject({ incomplete: 1 })
  })

  test('W59: an error in a scrape that had to wait names no request of another', async () => {
    await using served = await serveWeb()
    using waiting = await served.join()
    using other = await served.join()
    const { tracker } = served
    tracker.scrape = () => 'awaited'
    const { promise: asked, resolve } = Promise.withResolvers<() => void>()
    tracker.whenKnown = (_words, answer) => {
      resolve(() =>
        answer(() => {
          throw new Error('out of order')
        }),
      )
      return () => {}
    }
    waiting.send(scrape('one'))
    const known = await asked
    await other.ask(announce('secret', 'other', { left: 1 }))
    known()
    expect(await waiting.next()).toEqual({ action: 'scrape', 'failure reason': 'internal error' })
  })

  test('W52: when memory is spent, unknown torrents are refused and known ones go on', async () => {
    await using served = await serveWeb({ bytes: 128 * 1024 })
    using peer = await served.join()
    let last: Message = await peer.ask(announce('0', 'peer'))
    for (let i = 1; i < 1_900 && last['failure reason'] === undefined; i++) {
      if (i % 50 === 0) served.time.now++
      last = await peer.ask(announce(`${i}`, 'peer'))
    }
    expect(last).toMatchObject({
      'failure reason': 'Tracker error: tracker is full, come back later',
      action: 'announce',
      info_hash: expect.any(String),
    })
    expect(await peer.ask(announce('0', 'peer'))).toMatchObject({ incomplete: 1 })
  })
})

/** A client that never reads what it is sent. */
async function deafClient(port: number, first: Message) {
  const opened = Promise.withResolvers<void>()
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data(_socket, bytes) {
        if (bytes.includes('101')) opened.resolve()
        socket.pause()
      },
    },
  })
  const handshake = [
    'GET / HTTP/1.1',
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  socket.write(`${handshake.join('\r\n')}\r\n\r\n`)
  await opened.promise
  const ask = (message: Message) => {
    const text = Buffer.from(JSON.stringify(message))
    const length = text.length < 126 ? [0x80 | text.length] : [0xfe, text.length >> 8, text.length]
    socket.write(Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), text]))
  }
  ask(first)
  return {
    ask,
    [Symbol.asyncDispose]: async () => {
      socket.terminate()
    },
  }
}
