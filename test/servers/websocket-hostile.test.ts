/** Hostile bytes on a WebSocket get the documented answer or close code, are counted, and disturb no other client. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../../src/limits.ts'
import { COUNTERS, type Counter } from '../../src/memory/counters.ts'
import { exchange, parseResponse } from '../support/http-client.ts'
import { dice, seed } from '../support/random.ts'
import { type ServedWebSockets, serveWeb } from '../support/servers/served-websockets.ts'
import { until } from '../support/until.ts'
import {
  closing,
  converse,
  fragments,
  frame,
  framesOf,
  type Handshake,
  handshake,
  OPCODE,
  text,
} from '../support/webtorrent/frames.ts'
import { ANNOUNCE, ANSWER, asciiForm } from '../support/webtorrent/messages.ts'
import { announce, id, type Message, type Speaker, scrape } from '../support/webtorrent/speaker.ts'

/** Clients that ask and never read. */
const SOCKETS = 1_000
const MOST = LIMITS.webSocketMessage
const HASH = id('hostile')
const VALID = JSON.stringify(announce('hostile', 'stranger', { left: 1 }))
const NO_OBJECT = 'bad request: not a JSON object'

let served: ServedWebSockets
/** An honest peer, which is here from the first attack to the last. */
let witness: Speaker
beforeAll(async () => {
  served = await serveWeb({ mostConnections: 2 * SOCKETS })
  witness = await served.join()
  await witness.ask(announce('honest', 'witness', { left: 0 }))
})

afterAll(async () => {
  // It was sent nothing, its torrent is what it was, no stranger stayed in any, and nothing was an error of ours.
  expect(await witness.rest()).toEqual([])
  expect(await witness.ask(announce('honest', 'witness', { left: 0 }))).toMatchObject({
    complete: 1,
    incomplete: 0,
  })
  expect(served.swarm.totals()).toMatchObject({ seeders: 1, leechers: 0 })
  expect(served.all.open).toEqual({ ipv4: 1, ipv6: 0 })
  expect(served.reports).toEqual([])
  witness.close()
  await served[Symbol.asyncDispose]()
})

const IGNORED: readonly Counter[] = ['bytesReceived', 'bytesSent']
const counted = () => new Map(COUNTERS.map((counter) => [counter, served.count(counter)]))

/** What an attack adds to the counters. The connections it made are closed by then. */
async function countsOf(attack: () => Promise<void>): Promise<Partial<Record<Counter, number>>> {
  const before = counted()
  await attack()
  await until('the connections are closed', () => served.all.open.ipv4 === 1)
  const added = Array.from(counted(), ([counter, count]) => [counter, count - before.get(counter)!])
  return Object.fromEntries(
    added.filter(([counter, count]) => count !== 0 && !IGNORED.includes(counter as Counter)),
  )
}

/** A whole conversation on one connection, and what it adds to the counters. */
async function attack(...sent: readonly Uint8Array[]) {
  let answered: Awaited<ReturnType<typeof converse>> | undefined
  const added = await countsOf(async () => {
    answered = await converse(served.url, ...sent)
  })
  return { ...answered!, added }
}

const LEFT = { opened: 1, closedByClient: 1 }
const FAULTY = { opened: 1, closedFaulty: 1 }
const ANNOUNCED = { ...LEFT, received: 1, announces: 1, responses: 1 }
const REFUSED = { ...LEFT, received: 1, errors: 1, responses: 1 }

describe('frames', () => {
  test.each([
    ['binary', [frame(OPCODE.binary, VALID)]],
    ['in two parts', [fragments(VALID.slice(0, 9), VALID.slice(9))]],
    ['byte by byte', [fragments(...VALID)]],
    ['in parts of which some are empty', [fragments('', '', VALID, '')]],
    ['with a length in more bytes than it needs', [text(VALID, { lengthBytes: 8 })]],
    ['of the longest message', [text(VALID.padEnd(MOST))]],
    ['in parts, of the longest message', [fragments(VALID, ' '.repeat(MOST - VALID.length))]],
  ])('W3, W7: an announce %s is answered in one text frame', async (_what, sent) => {
    const { messages, code, added } = await attack(...sent)
    expect(messages.map((one) => JSON.parse(one))).toEqual([
      expect.objectContaining({ info_hash: HASH, complete: 0, incomplete: 1 }),
    ])
    expect([code, added]).toEqual([1000, ANNOUNCED])
  })

  const begun = (opcode: number, payload = VALID) => frame(opcode, payload, { isLast: false })
  const bytes = (...values: number[]) => Uint8Array.from(values)
  const wide = Buffer.concat([Buffer.from(VALID), bytes(0xff)])
  test.each([
    ['one byte more than the longest message', 1009, text(VALID.padEnd(MOST + 1))],
    ['the same in two frames', 1009, fragments(VALID, ' '.repeat(MOST + 1 - VALID.length))],
    ['the same in many', 1009, fragments(VALID, ...Array(70).fill(' '.repeat(1_000)))],
    ['a length of 2^63 bytes', 1009, text(VALID, { length: 2n ** 63n })],
    ['a length of 2^64 - 1 bytes', 1009, text(VALID, { length: 2n ** 64n - 1n })],
    ['text that is no UTF-8', 1007, text(wide)],
    ['half a character', 1007, text(Buffer.concat([Buffer.from(VALID), bytes(0xc3)]))],
    ['a surrogate in UTF-8', 1007, text(bytes(0xed, 0xa0, 0x80))],
    ['an overlong form', 1007, text(bytes(0xc0, 0xaf))],
    ...[4, 2, 1, 7].map((reserved) => [
      `reserved bits ${reserved}`,
      1002,
      text(VALID, { reserved }),
    ]),
    ['compression that was not agreed on', 1002, frame(OPCODE.binary, VALID, { reserved: 4 })],
    ['no mask', 1002, text(VALID, { isMasked: false })],
    ...[3, 7, 11, 15].map((opcode) => [`opcode ${opcode}`, 1002, frame(opcode, VALID)]),
    ['the middle of a message that did not begin', 1002, frame(OPCODE.more, VALID)],
    ['a message inside of another', 1002, Buffer.concat([begun(OPCODE.text), text(VALID)])],
    ['a ping in parts', 1002, begun(OPCODE.ping, 'a')],
    ['a long ping', 1002, frame(OPCODE.ping, 'a'.repeat(126))],
    ['a long pong', 1002, frame(OPCODE.pong, 'a'.repeat(126))],
    ['a second handshake', 1002, handshake()],
    ['a close frame of one byte', 1002, frame(OPCODE.close, 'a')],
    ['a close frame in parts', 1002, begun(OPCODE.close, '')],
    ['a long close frame', 1002, closing(1000, 'a'.repeat(124))],
    ['a close frame that is no UTF-8', 1007, closing(1000, bytes(0xff))],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map((code) => [
      `close code ${code}`,
      1002,
      closing(code),
    ]),
  ] as [string, number, Buffer][])(
    'W3, W7: %s closes the socket with %d',
    async (_what, code, sent) => {
      const answered = await attack(sent, text(VALID))
      expect([answered.code, answered.messages, answered.added]).toEqual([code, [], FAULTY])
    },
  )

  test.each([1000, 1001, 1002, 1003, 1007, 1014, 3000, 4999])(
    'close code %d is sent back, and what follows it is not read',
    async (code) => {
      const answered = await attack(closing(code), text(VALID))
      expect([answered.code, answered.messages, answered.added]).toEqual([code, [], LEFT])
    },
  )

  test('a close frame without a code is answered with one', async () => {
    const answered = await attack(frame(OPCODE.close), text(VALID))
    expect([answered.code, answered.messages, answered.added]).toEqual([undefined, [], LEFT])
    expect(answered.reason).toBe('')
  })

  test('pings are answered in their order, also inside of a message', async () => {
    const ping = (payload: string) => frame(OPCODE.ping, payload)
    const [head, tail] = [VALID.slice(0, 9), VALID.slice(9)]
    const first = frame(OPCODE.text, head, { isLast: false })
    const { pongs, messages, code } = await attack(
      ping('a'),
      first,
      ping('b'.repeat(125)),
      frame(OPCODE.more, tail),
      frame(OPCODE.pong, 'not asked for'),
      ping(''),
    )
    expect(pongs).toEqual(['a', 'b'.repeat(125), ''])
    expect([messages.length, code]).toEqual([1, 1000])
  })

  test('a frame that breaks off anywhere is no message', async () => {
    const whole = text(VALID)
    const added = await countsOf(async () => {
      await Promise.all(
        Array.from({ length: whole.length }, (_, length) => cutOff(whole.subarray(0, length))),
      )
    })
    expect(added).toEqual({ opened: whole.length, closedByClient: whole.length })
  })
})

/** Sends a handshake and these bytes, and closes the connection when the handshake is answered. */
async function cutOff(bytes: Uint8Array): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  await Bun.connect({
    hostname: '127.0.0.1',
    port: served.address.port,
    socket: {
      open: (socket) => void socket.write(Buffer.concat([handshake(), bytes])),
      data: (socket) => void socket.end(),
      close: () => resolve(),
      error: () => resolve(),
    },
  })
  await promise
}

describe('messages', () => {
  test.each([
    ['64 KiB of brackets', '['.repeat(MOST), NO_OBJECT],
    ['64 KiB of quotes', '"'.repeat(MOST), NO_OBJECT],
    ['64 KiB of nothing', ' '.repeat(MOST), NO_OBJECT],
    ['nothing', '', NO_OBJECT],
    ['a NUL', '\0', NO_OBJECT],
    [
      '64 KiB of objects in each other',
      '{"a":'.repeat(MOST / 5),
      'bad request: nested deeper than 8 levels',
    ],
    [
      '64 KiB of brackets in a field',
      `{"offers":${'['.repeat(MOST - 10)}`,
      'bad request: nested deeper than 8 levels',
    ],
  ])('W4, W5: %s is refused', async (_what, sent, why) => {
    const { messages, code, added } = await attack(text(sent))
    expect(messages.map((one) => JSON.parse(one))).toEqual([
      { action: 'announce', 'failure reason': why },
    ])
    expect([code, added]).toEqual([1000, REFUSED])
  })

  test('W4: of a thousand of them in one piece ten are answered', async () => {
    const { messages, code, reason, added } = await attack(...Array(1_000).fill(text('')))
    expect(messages).toHaveLength(LIMITS.webSocketFaults)
    expect([code, reason]).toEqual([1008, 'too many bad messages'])
    expect(added).toEqual({ ...FAULTY, received: 10, errors: 10, responses: 10 })
  })

  test('W1: one torrent in every encoding of its name', async () => {
    const hash = 'a</b>\u0001\u001f"\\\u007f\u0080\u00a0\u00ff\u00e9cdefgh'
    const message = announce('', 'stranger', { info_hash: hash, left: 1 })
    const plain = JSON.stringify(message)
    const upper = asciiForm(plain).replaceAll(
      /\\u[\da-f]{4}/g,
      (one) => `\\u${one.slice(2).toUpperCase()}`,
    )
    const forms = [
      plain,
      asciiForm(plain),
      upper,
      plain.replaceAll('<', '\\u003c').replaceAll('>', '\\u003E'),
      plain.replaceAll('/', '\\/'),
    ]
    expect(new Set(forms).size).toBe(forms.length)
    const { messages, added } = await attack(...forms.map((one) => text(one)))
    for (const one of messages)
      expect(JSON.parse(one)).toMatchObject({ info_hash: hash, incomplete: 1 })
    expect([messages.length, added.announces]).toEqual([forms.length, forms.length])
  })

  /** Sends each on a connection of its own; what they were answered with. */
  async function tell(all: readonly Uint8Array[]) {
    let failures = 0
    let served = 0
    for (const sent of all) {
      const { messages, code, added } = await attack(text(sent))
      if (!isUtf8(sent)) {
        expect([code, messages, added]).toEqual([1007, [], FAULTY])
        continue
      }
      expect(code).toBe(1000)
      const [answer] = messages.map((one): Message => JSON.parse(one))
      if (answer?.['failure reason'] !== undefined) {
        failures++
        expect(added).toEqual(REFUSED)
      } else {
        served++
        expect({ received: added.received, errors: added.errors }).toEqual({
          received: 1,
          errors: undefined,
        })
      }
    }
    return { failures, served }
  }

  for (const [what, message] of [
    ['an announce with an offer', ANNOUNCE],
    ['an answer', ANSWER],
  ] as const) {
    const whole = Buffer.from(message)

    test(`W6: each beginning of ${what} is refused, or closes the socket`, async () => {
      const all = Array.from(whole, (_, length) => whole.subarray(0, length))
      const { failures, served } = await tell(all)
      expect([failures, served]).toEqual([all.filter((one) => isUtf8(one)).length, 0])
    })

    test(`W6: ${what} with any byte changed is served, refused, or closes the socket (SEED=${seed})`, async () => {
      const roll = dice()
      const odd = Buffer.from('"\\{}[],:0\0\x80\xff', 'latin1')
      const all = Array.from(whole, (was, at) => {
        const changed = Buffer.from(whole)
        changed[at] = roll(2) === 0 ? odd[roll(odd.length)]! : was ^ (1 << roll(8))
        return changed
      })
      const { failures, served } = await tell(all)
      expect(failures).toBeGreaterThan(0)
      // What changes the text of an SDP changes nothing for the tracker.
      expect(served).toBeGreaterThan(0)
    })
  }
})

describe('upgrades', () => {
  const refused = { malformed: 1 }
  test.each([
    ['of version 8', 426, refused, { headers: { 'sec-websocket-version': '8' } }],
    ['of two versions', 426, refused, { headers: { 'sec-websocket-version': '8, 13' } }],
    ['without a version', 426, refused, { headers: { 'sec-websocket-version': undefined } }],
    ['without a key', 426, refused, { headers: { 'sec-websocket-key': undefined } }],
    ['with an empty key', 426, refused, { headers: { 'sec-websocket-key': '' } }],
    ['with a short key', 426, refused, { headers: { 'sec-websocket-key': 'AAAA' } }],
    ['to something else', 426, refused, { headers: { upgrade: 'h2c' } }],
    ['without Upgrade', 426, refused, { headers: { upgrade: undefined } }],
    ['to something else, elsewhere', 404, refused, { headers: { upgrade: 'h2c' }, path: '/a' }],
    ['without a Host', 400, {}, { headers: { host: undefined } }],
    ['with a header of 20,000 bytes', 431, {}, { headers: { a: 'b'.repeat(20_000) } }],
    ['to a path of 20,000 bytes', 431, {}, { path: `/${'a'.repeat(20_000)}` }],
  ] as [string, number, object, Handshake][])(
    'W63: %s are refused with %d',
    async (_what, status, expected, how) => {
      const changed = { ...how, headers: { connection: 'close, Upgrade', ...how.headers } }
      const added = await countsOf(async () => {
        const answer = await exchange(served.url, Buffer.concat([handshake(changed), text(VALID)]))
        expect(parseResponse(answer).status).toBe(status)
      })
      expect(added).toEqual(expected)
    },
  )

  test.each(['/', '/..', '//', '/%00', '/%', '/a?info_hash=b', `/${'a'.repeat(10_000)}`])(
    'to the path %p are let in',
    async (path) => {
      const sent = Buffer.concat([handshake({ path }), text(VALID), closing(1000)])
      const { status, body } = parseResponse(await exchange(served.url, sent))
      expect(status).toBe(101)
      expect(framesOf(body).frames.map(({ opcode }) => opcode)).toEqual([OPCODE.text, OPCODE.close])
    },
  )

  // Bun gives the head of a request 12 seconds, in steps of 4.
  test('that never end are cut off', async () => {
    const head = handshake()
    const heads = [head.subarray(0, 1), head.subarray(0, 40), head.subarray(0, head.length - 2)]
    const answers = heads.map((part) => exchange(served.url, part))
    expect((await Promise.all(answers)).map((answer) => answer.length)).toEqual([0, 0, 0])
  })
})

describe('floods', () => {
  /** Sends these bytes again and again, as many as the tracker reads. Stopped when it reads no more. */
  async function flood(bytes: Buffer, most: number) {
    let taken = 0
    const push = (socket: { write(bytes: Uint8Array): number }) => {
      while (taken < most) {
        const rest = bytes.subarray(taken % bytes.length)
        const written = socket.write(rest)
        taken += Math.max(0, written)
        if (written < rest.length) return
      }
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port: served.address.port,
      socket: {
        open: (socket) => {
          socket.write(handshake())
          push(socket)
        },
        drain: push,
        data() {},
        close: () => resolve(),
        error() {},
      },
    })
    // The other client is served, and nothing more is read meanwhile.
    for (let before = -1, still = 0; still < 20; before = taken) {
      await witness.rest()
      still = taken === before ? still + 1 : 0
    }
    return {
      taken,
      [Symbol.asyncDispose]: async () => {
        socket.terminate()
        await promise
        await until('it is closed', () => served.all.open.ipv4 === 1)
      },
    }
  }
  const MUCH = 64 * 2 ** 20

  for (const opcode of [OPCODE.ping, OPCODE.pong])
    test(`W58: frames of opcode ${opcode} count as messages: the rest waits`, async () => {
      const one = frame(opcode, 'a'.repeat(125))
      await using it = await flood(Buffer.concat(Array(1_000).fill(one)), MUCH)
      expect(it.taken).toBeLessThan(MUCH)
    })

  test('W58: messages that come in one piece are waited for, each hundred a second', async () => {
    const before = served.count('scrapes')
    const one = text(JSON.stringify({ action: 'scrape', info_hash: [] }))
    const many = 20_000
    await using _ = await flood(Buffer.concat(Array(many).fill(one)), many * one.length)
    const first = served.count('scrapes') - before
    // What was read at once.
    expect(first).toBeWithin(1_000, many)
    const { requests } = served.sockets
    for (let second = 0; second < 5; second++) {
      requests.tick()
      await witness.rest()
    }
    expect(served.count('scrapes') - before - first).toBe(5)
    await until('all are answered', () => {
      requests.tick()
      return served.count('scrapes') - before > many
    })
  })

  test('a thousand sockets that ask and never read cost a bounded amount of memory', async () => {
    const scrapes = 10
    const many = Array.from({ length: LIMITS.webSocketScrapeHashes }, (_, i) => `torrent ${i}`)
    const asked = Array(scrapes).fill(text(JSON.stringify(scrape(...many))))
    const sent = Buffer.concat([handshake(), ...asked])
    const added = await countsOf(async () => {
      const before = served.count('scrapes')
      Bun.gc(true)
      const resident = process.memoryUsage.rss()
      const open = await Promise.all(
        Array.from({ length: SOCKETS }, () =>
          Bun.connect({
            hostname: '127.0.0.1',
            port: served.address.port,
            socket: {
              open: (socket) => {
                socket.pause()
                socket.write(sent)
              },
              data() {},
            },
          }),
        ),
      )
      await until('all are answered', () => served.count('scrapes') >= before + SOCKETS * scrapes)
      Bun.gc(true)
      // The answers have 90 MB.
      expect(process.memoryUsage.rss() - resident).toBeLessThan(64 * 2 ** 20)
      await witness.rest()
      for (const socket of open) socket.terminate()
    })
    expect(added.opened).toBe(SOCKETS)
    expect(added.closedByClient).toBe(SOCKETS)
  })
})
