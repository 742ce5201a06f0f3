import { expect, test } from 'bun:test'
import { COUNT, EVENT } from '../../src/bittorrent.ts'
import { LIMITS } from '../../src/limits.ts'
import {
  escapeId,
  WebSocketRequest,
  writeAnnounced,
  writeAnswer,
  writeFailure,
  writeOffer,
  writeScraped,
} from '../../src/wire/websocket.ts'
import { type NaiveFault, type NaiveMessage, naiveMessage } from '../support/naive/websocket.ts'
import { dice, seed } from '../support/random.ts'
import { repeated } from '../support/thorough.ts'
import { acceptedByLibtorrent } from '../support/webtorrent/libtorrent-check.ts'
import {
  ANNOUNCE,
  ANSWER,
  asciiForm,
  bytesOf,
  INFO_HASH,
  LEECHER,
  OFFER,
  OFFER_ID,
  RELAYED_ANSWER,
  SEEDER,
  SEEDING,
  STOPPED,
} from '../support/webtorrent/messages.ts'

const sha1 = (text: string) => new Bun.CryptoHasher('sha1').update(text).digest('hex')
const latin1 = (words: Int32Array, at = 0) =>
  Buffer.from(words.buffer, words.byteOffset + at * 4, 20).toString('latin1')
const wordsOf = (bytes: string) =>
  new Int32Array(Uint8Array.from(Buffer.from(bytes, 'latin1')).buffer)
const isAscii = (text: string) => /^[\0-~]*$/.test(text)

const reader = new WebSocketRequest()

/** What the reader understands, in the form of its naive twin. */
function read(text: string, mostOffers = 10): NaiveMessage | NaiveFault {
  const { announce } = reader
  // What an earlier message left behind must not show.
  announce.words.fill(-1)
  announce.counts.fill(77)
  const wrong = reader.read(text, mostOffers)
  const infoHash = latin1(announce.words)
  if (wrong !== undefined)
    return {
      wrong: /^(?:not |nested |longer )/.test(wrong) ? 'text' : wrong.split(' ')[0]!,
      infoHash: reader.hasInfoHash ? infoHash : undefined,
    }
  const { kind, count, hashes, offers, offerIds, sdps } = reader
  expect(reader.hasInfoHash || kind === 'scrape').toBe(true)
  if (kind === 'scrape')
    return { kind, hashes: Array.from({ length: count }, (_, i) => latin1(hashes, i * 5)) }
  const peerId = latin1(announce.words, 5)
  if (kind === 'answer') {
    expect(sdps).toHaveLength(1)
    const toPeerId = latin1(reader.toPeerId)
    return { kind, infoHash, peerId, toPeerId, offerId: latin1(offerIds), sdp: sdps[0]! }
  }
  expect(sdps).toHaveLength(offers)
  const number = (at: number) =>
    (BigInt(announce.counts[at]!) << 32n) | BigInt(announce.counts[at + 1]! >>> 0)
  expect(reader.isLeftKnown).toBe(number(COUNT.left) !== -1n)
  return {
    kind,
    infoHash,
    peerId,
    event: announce.event,
    left: reader.isLeftKnown ? number(COUNT.left) : undefined,
    uploaded: number(COUNT.uploaded),
    downloaded: number(COUNT.downloaded),
    offers: sdps.map((sdp, i) => ({ id: latin1(offerIds, i * 5), sdp })),
  }
}

/** Reads like the naive twin, or says where they differ. */
function agrees(text: string, mostOffers = 10): NaiveMessage | NaiveFault {
  const read1 = read(text, mostOffers)
  const read2 = naiveMessage(text, mostOffers)
  // Of text that breaks off the reader knows more than the twin.
  if ('wrong' in read1 && read1.wrong === 'text' && 'wrong' in read2)
    read2.infoHash = read1.infoHash
  if (!Bun.deepEquals(read1, read2)) expect({ text, read: read1 }).toEqual({ text, read: read2 })
  return read1
}

const message = (fields: object): string =>
  JSON.stringify({
    action: 'announce',
    info_hash: bytesOf(INFO_HASH),
    peer_id: LEECHER,
    ...fields,
  })
const announced = (fields: object) => {
  const understood = agrees(message(fields))
  if (!('kind' in understood) || understood.kind !== 'announce') throw new Error('not understood')
  return understood
}
const oneOffer = (fields: object = {}) => ({
  offer: { type: 'offer', sdp: 'v=0' },
  offer_id: bytesOf(OFFER_ID),
  ...fields,
})

test('the fixtures are what was captured, byte for byte', () => {
  const forms = [ANNOUNCE, OFFER, ANSWER, RELAYED_ANSWER].flatMap((text) => [text, asciiForm(text)])
  expect(
    forms.map((text) => [text.length === Buffer.byteLength(text), Buffer.byteLength(text)]),
  ).toEqual([
    [false, 741],
    [true, 817],
    [false, 658],
    [true, 734],
    [false, 695],
    [true, 771],
    [false, 659],
    [true, 735],
  ])
  expect(forms.map(sha1)).toEqual([
    'adaf33a05191a528d64d19bbd1834c79f8ed2661',
    'ff559c0026cf398c9d810653ea112d328a81ba2d',
    'bda57944626c92ef30c7db02ed84802ebf0bb9b2',
    '36f428216c3f125cf40081eb3bd7c92278bb11a8',
    'abf5b33b143147d8e9951dc9f746a6ae9f887d67',
    '77547dc66f5940bb835d6f339adbc1e92be8b60d',
    '7a1aba050744f01c12b25b805b230989135429be',
    '0cbed3c649078acab9423a2b3732eba3cc0579d8',
  ])
})

test.each([
  ['as a browser writes it', ANNOUNCE, ANSWER],
  ['in ASCII', asciiForm(ANNOUNCE), asciiForm(ANSWER)],
])(
  'W18: an offer and its answer, %s, are relayed in the order and the bytes of the reference',
  (_, announce, answer) => {
    expect(reader.read(announce, 10)).toBeUndefined()
    const { words } = reader.announce
    const infoHash = escapeId(words, 0)
    const offer = writeOffer(
      infoHash,
      escapeId(words, 5),
      escapeId(reader.offerIds, 0),
      reader.sdps[0]!,
    )
    expect(offer).toBe(asciiForm(OFFER))
    expect(acceptedByLibtorrent(offer)).toBeUndefined()
    expect(reader.read(answer, 10)).toBeUndefined()
    expect(reader.kind).toBe('answer')
    expect(latin1(reader.toPeerId)).toBe(LEECHER)
    const relayed = writeAnswer(
      escapeId(words, 0),
      escapeId(words, 5),
      escapeId(reader.offerIds, 0),
      reader.sdps[0]!,
    )
    expect(relayed).toBe(asciiForm(RELAYED_ANSWER))
    expect(acceptedByLibtorrent(relayed)).toBeUndefined()
  },
)

const VECTOR = 'd0e1f2030a0d225c7f80ff00fefdaabbccddee11'

test('W1: all five encodings of the test vector name one torrent', () => {
  const raw = JSON.stringify(bytesOf(VECTOR))
  expect(Buffer.from(raw).toString('hex')).toBe(
    '22c390c3a1c3b25c75303030335c6e5c725c225c5c7fc280c3bf5c7530303030c3bec3bdc2aac2bbc38cc39dc3ae5c753030313122',
  )
  const ascii = asciiForm(raw)
  expect(ascii).toBe(
    String.raw`"\u00d0\u00e1\u00f2\u0003\n\r\"\\\u007f\u0080\u00ff\u0000\u00fe\u00fd\u00aa\u00bb\u00cc\u00dd\u00ee\u0011"`,
  )
  const upper = ascii.replaceAll(/\\u[0-9a-f]{4}/g, (one) => `\\u${one.slice(2).toUpperCase()}`)
  const all = raw.slice(1, -1).replaceAll(/\\u....|\\?./gs, (one) => {
    const byte = (JSON.parse(`"${one}"`) as string).charCodeAt(0)
    return `\\u${byte.toString(16).padStart(4, '0')}`
  })
  for (const hash of [raw, ascii, upper, `"${all}"`])
    expect(agrees(`{"action":"scrape","info_hash":${hash}}`)).toEqual({
      kind: 'scrape',
      hashes: [bytesOf(VECTOR)],
    })
  const odd = String.raw`"\u003c\u003E\u0026\/\/\b\f\n\r\t<>&/ÿ\u00fF+\"\\="`
  expect(agrees(`{"action":"scrape","info_hash":${odd}}`)).toEqual({
    kind: 'scrape',
    hashes: ['<>&//\b\f\n\r\t<>&/ÿÿ+"\\='],
  })
})

test("W1: a scrape of the vector has the sizes of a browser's", () => {
  const text = JSON.stringify({ action: 'scrape', info_hash: bytesOf(VECTOR) })
  expect([text.length, Buffer.byteLength(text)]).toEqual([73, 85])
})

test('W8: an id is written as ASCII, like JSON.stringify as far as that is ASCII, and reads back', () => {
  for (let first = 0; first < 256; first += 20) {
    const bytes = String.fromCharCode(...Array.from({ length: 20 }, (_, i) => (first + i) % 256))
    const text = escapeId(wordsOf(`${'x'.repeat(20)}${bytes}`), 5)
    expect(`"${text}"`).toBe(asciiForm(JSON.stringify(bytes)))
  }
})

const HASH_TEXT = asciiForm(JSON.stringify(bytesOf(VECTOR))).slice(1, -1)

test('W8: every answer parses, is ASCII, and libtorrent accepts it', () => {
  const failure = writeFailure('Größe "\\\u007f\ud83d\ude00\ud83d', 'announce', HASH_TEXT)
  const response = writeAnnounced(HASH_TEXT, 120, 1, 2, 3)
  for (const text of [failure, response]) {
    expect(acceptedByLibtorrent(text)).toBeUndefined()
    expect(isAscii(text)).toBe(true)
  }
  expect(JSON.parse(failure)).toEqual({
    action: 'announce',
    'failure reason': 'Größe "\\\u007f\ud83d\ude00\ufffd',
    info_hash: bytesOf(VECTOR),
  })
  expect(response).toBe(
    `{"action":"announce","interval":120,"info_hash":"${HASH_TEXT}","complete":1,"incomplete":2,"downloaded":3}`,
  )
  expect(writeFailure('no', 'scrape')).toBe('{"action":"scrape","failure reason":"no"}')
})

test('W42: the answer to a scrape has the counts of each hash and how long to wait', () => {
  expect(writeScraped([], 120)).toBe(
    '{"action":"scrape","files":{},"flags":{"min_request_interval":120}}',
  )
  const entry = { seeders: 1, leechers: 2, downloaded: 3 }
  const text = writeScraped(
    [
      { hash: HASH_TEXT, entry },
      { hash: 'b'.repeat(20), entry: { seeders: 0, leechers: 0, downloaded: 0 } },
    ],
    60,
  )
  expect(isAscii(text)).toBe(true)
  expect(JSON.parse(text)).toEqual({
    action: 'scrape',
    files: {
      [bytesOf(VECTOR)]: { complete: 1, incomplete: 2, downloaded: 3 },
      [`${'b'.repeat(20)}`]: { complete: 0, incomplete: 0, downloaded: 0 },
    },
    flags: { min_request_interval: 60 },
  })
})

test.each([
  ['a'.repeat(19), 'has 19 characters, expected 20'],
  ['a'.repeat(21), 'has 21 characters, expected 20'],
  ['', 'has 0 characters, expected 20'],
  [`${'é'.repeat(19)}`, 'has 19 characters, expected 20'],
  [`${'a'.repeat(19)}\u0100`, 'has a character above U+00FF'],
  [`${'a'.repeat(20)}\u{1f600}`, 'has a character above U+00FF'],
  [undefined, 'is missing'],
  [null, 'is missing'],
  [7, 'is not a string'],
  [true, 'is not a string'],
  [{}, 'is not a string'],
])('W2: the id %j is refused in each of its places, with its name', (id, what) => {
  const named = { to_peer_id: SEEDER, offer_id: bytesOf(OFFER_ID), answer: { sdp: '' } }
  const cases: [string, string][] = [
    ['info_hash', message({ info_hash: id })],
    ['peer_id', message({ peer_id: id })],
    ['to_peer_id', message({ ...named, to_peer_id: id })],
    ['offer_id', message({ ...named, offer_id: id })],
    ['offers[1].offer_id', message({ offers: [oneOffer(), oneOffer({ offer_id: id })] })],
    ['info_hash[1]', message({ action: 'scrape', info_hash: [LEECHER, id ?? null] })],
  ]
  for (const [name, text] of cases) {
    const words = name === 'info_hash[1]' && what === 'is missing' ? 'is not a string' : what
    for (const form of [text, asciiForm(text)]) {
      expect(reader.read(form, 10)).toBe(`${name} ${words}`)
      agrees(form)
    }
  }
})

test('W3: a message of 65,536 bytes is read, one of 65,537 is not', () => {
  const padded = (bytes: number, letter: string) => {
    const rest = bytes - Buffer.byteLength(message({ pad: '' }))
    const wide = letter.repeat(Math.floor(rest / Buffer.byteLength(letter)))
    return message({ pad: wide + 'x'.repeat(rest - Buffer.byteLength(wide)) })
  }
  for (const letter of ['x', 'é', '€', '\u{1f600}']) {
    const longest = padded(LIMITS.webSocketMessage, letter)
    expect(Buffer.byteLength(longest)).toBe(65_536)
    expect(read(longest)).toMatchObject({ kind: 'announce' })
    for (const more of [1, 2, 3, 4, 70_000])
      expect(reader.read(padded(LIMITS.webSocketMessage + more, letter), 10)).toBe(
        'longer than 65536 bytes',
      )
  }
})

test.each([
  ['', 'not a JSON object'],
  ['null', 'not a JSON object'],
  ['7', 'not a JSON object'],
  ['[{}]', 'not a JSON object'],
  ['hello', 'not a JSON object'],
  ['\ufeff{}', 'not a JSON object'],
  ['{}', 'action is neither announce nor scrape'],
  ['{"action":"answer"}', 'action is neither announce nor scrape'],
  ['{"action":["announce"]}', 'action is neither announce nor scrape'],
  ['{"action":"announce"', 'not JSON at byte 20'],
  ['{"action":"announce"} x', 'not JSON at byte 22'],
  ['{"action":"announce",}', 'not JSON at byte 21'],
  ['{"action":"announce","é":01}', 'not JSON at byte 27'],
  ['{"action":"announce\n"}', 'not JSON at byte 19'],
  [String.raw`{"action":"\x"}`, 'not JSON at byte 11'],
])('W4: %j is refused: %s', (text, words) => {
  expect(reader.read(text, 10)).toBe(words)
  expect(agrees(text)).toMatchObject({ wrong: words.startsWith('not') ? 'text' : 'action' })
})

test('W5: what is nested deeper than eight levels is refused at once, wherever it stands', () => {
  const nested = (levels: number) => '['.repeat(levels - 1) + ']'.repeat(levels - 1)
  const wheres = [
    (value: string) => `{"deep":${value},${message({}).slice(1)}`,
    (value: string) => `{"left":${value},${message({}).slice(1)}`,
  ]
  for (const where of wheres) {
    expect(agrees(where(nested(8)))).toMatchObject({ kind: 'announce' })
    expect(agrees(where(nested(9)))).toMatchObject({ wrong: 'text' })
    expect(reader.read(where(nested(9)), 10)).toBe('nested deeper than 8 levels')
  }
  const offers = (deep: string) =>
    message({ offers: [oneOffer({ offer: { deep: 0, sdp: '' } })] }).replace(
      '"deep":0',
      `"deep":${deep}`,
    )
  expect(agrees(offers('[[[[]]]]'))).toMatchObject({ kind: 'announce' })
  expect(agrees(offers('[[[[{}]]]]'))).toMatchObject({ wrong: 'text' })
  // Bad ones end at the limit, so the rest of the text is not looked at.
  for (const text of ['{"a":', '{"offers":', '{"info_hash":', '{"answer":{"sdp":'])
    for (const open of ['[', '{"a":'])
      expect(reader.read((text + open.repeat(65_536)).slice(0, 65_536), 10)).toBe(
        'nested deeper than 8 levels',
      )
})

/** Of each kind one that has everything. */
const WHOLE = [
  ANNOUNCE,
  asciiForm(ANNOUNCE),
  ANSWER,
  STOPPED,
  message({ action: 'scrape', info_hash: [bytesOf(VECTOR), LEECHER, LEECHER] }),
]

test('W6: every prefix of a message is refused', () => {
  for (const text of WHOLE) {
    expect(agrees(text)).toHaveProperty('kind')
    for (let end = 0; end < text.length; end++)
      expect(agrees(text.slice(0, end))).toHaveProperty('wrong', 'text')
  }
})

test('W6: a message with any byte changed is read exactly as JSON.parse would read it', () => {
  const random = dice()
  const bytes = [
    '\0',
    '\n',
    ' ',
    '"',
    ',',
    '-',
    '0',
    '1',
    ':',
    'D',
    '[',
    '\\',
    ']',
    'e',
    'u',
    '{',
    '}',
    'é',
    '\u{1f600}',
    '\ud800',
  ]
  let understood = 0
  for (const text of WHOLE)
    for (let at = 0; at < text.length; at++)
      for (const byte of [...bytes, String.fromCharCode(random(256))])
        if ('kind' in agrees(text.slice(0, at) + byte + text.slice(at + 1))) understood++
  expect(understood).toBeGreaterThan(1_000)
})

test(`W6: random messages are read exactly as JSON.parse would read them (seed ${seed})`, () => {
  const random = dice()
  const one = <T>(...choices: readonly T[]): T => choices[random(choices.length)]!
  const space = () => one('', '', '', ' ', '\n', '\t\r ')
  const odd = (): string =>
    one(
      'null',
      'true',
      'false',
      '0',
      '-1',
      '1e3',
      '"x"',
      '""',
      '[]',
      '{}',
      '[1,[2]]',
      '{"a":{"b":[null]}}',
    )
  const id = () =>
    one(
      JSON.stringify(bytesOf(one(INFO_HASH, OFFER_ID, VECTOR))),
      asciiForm(JSON.stringify(bytesOf(one(INFO_HASH, VECTOR)))),
      JSON.stringify(one(LEECHER, SEEDER)),
      one('"short"', odd()),
    )
  const good = () => JSON.stringify(one(LEECHER, bytesOf(VECTOR)))
  const number = () =>
    one(
      '0',
      '-0',
      '5',
      '0.5',
      '1e400',
      '-1',
      '1e-400',
      '9007199254740993',
      '123456789012345',
      '9223372036854775807',
      '9223372036854775808',
      '16384',
      '2.5e10',
      '-0.0',
      odd(),
      '"0"',
      '01',
      '1.',
      '.5',
      '+1',
      '1E+2',
    )
  const sdp = () =>
    one(
      '"v=0\\r\\n"',
      '"é"',
      '"\u{1f600}"',
      '"\\ud83d\\ude00"',
      '"\\\\ud800"',
      '"\ud800"',
      '"\\udc00"',
      '"\\u00e9\\/"',
      '"a\\"b"',
      odd(),
    )
  const text = () =>
    one('"started"', '"completed"', '"stopped"', '"\\u0073topped"', '"update"', '""', odd())
  const list = (element: () => string) =>
    `[${space()}${Array.from({ length: random(4) }, element).join(`${space()},${space()}`)}${space()}]`
  const object = (fields: [string, () => string][]): string => {
    const parts = fields
      .filter(() => random(12) > 0)
      .concat(random(6) === 0 ? [one(...fields)] : [])
      .toSorted(() => random(3) - 1)
      .map(([name, value]) => {
        const written =
          random(20) === 0
            ? name.replace(/[a-z]/, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)
            : name
        return `${space()}"${written}"${space()}:${space()}${value()}${space()}`
      })
    return `{${parts.join(',')}${parts.length === 0 ? space() : ''}}`
  }
  const description = (type: string) => () =>
    random(10) === 0
      ? odd()
      : object([
          ['type', () => one(`"${type}"`, `"${type}"`, 'null', odd())],
          ['sdp', () => (random(3) > 0 ? '"v=0\\r\\n"' : sdp())],
        ])
  const offer = () =>
    random(12) === 0
      ? odd()
      : object([
          ['offer', description('offer')],
          ['offer_id', () => (random(5) > 0 ? good() : id())],
          ['more', odd],
        ])
  const whole = () =>
    object([
      [
        'action',
        () =>
          one(
            '"announce"',
            '"announce"',
            '"announce"',
            '"scrape"',
            '"\\u0061nnounce"',
            random(9) === 0 ? odd() : '"announce"',
          ),
      ],
      ['info_hash', () => (random(8) > 0 ? good() : one(id(), list(id), list(good)))],
      ['peer_id', () => (random(8) > 0 ? good() : id())],
      ['left', number],
      ['uploaded', number],
      ['downloaded', () => one('0', number())],
      ['event', text],
      ['offers', () => one(list(offer), list(offer), 'null', odd())],
      ['numwant', odd],
      ...(random(3) === 0
        ? ([
            ['answer', description('answer')],
            ['to_peer_id', () => (random(5) > 0 ? good() : id())],
            ['offer_id', () => (random(5) > 0 ? good() : id())],
          ] satisfies [string, () => string][])
        : []),
    ])
  const seen = { announce: 0, answer: 0, scrape: 0, refused: 0 }
  for (let i = 0; i < repeated(50_000); i++) {
    const understood = agrees(whole() + space(), random(4))
    seen['kind' in understood ? understood.kind : 'refused']++
  }
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(100)
})

const MOST = 2n ** 63n - 1n

test.each([
  ['0', 0n],
  ['-0', 0n],
  ['16384', 16384n],
  ['4294967296', 2n ** 32n],
  ['1.9', 1n],
  ['9007199254740992', 2n ** 53n],
  ['9223372036854775807', MOST],
  ['9223372036854774784', 9223372036854774784n],
  ['1e400', MOST],
  ['null', undefined],
  ['-1', undefined],
  ['-0.5', undefined],
  ['"0"', undefined],
  ['""', undefined],
  ['true', undefined],
  ['[0]', undefined],
  ['{}', undefined],
])('W10: `left` of %s is %s bytes', (left, bytes) => {
  const text = message({ left: 12345 }).replace('12345', left)
  expect(agrees(text)).toMatchObject({ kind: 'announce', left: bytes })
  const counts = text.replace('"left"', '"uploaded"')
  expect(agrees(counts)).toMatchObject({ uploaded: bytes ?? 0n, downloaded: 0n })
})

test('W10: without `left`, and with text like NaN, a client is a leecher or is not understood', () => {
  expect(announced({})).toMatchObject({ left: undefined })
  expect([...reader.announce.counts.subarray(COUNT.left)]).toEqual([-1, -1])
  expect(agrees(message({ left: 12345 }).replace('12345', 'NaN'))).toMatchObject({ wrong: 'text' })
})

test('W12: `completed` without `left` has nothing left', () => {
  for (const left of [undefined, null, -1, '5'])
    expect(announced({ event: 'completed', left })).toMatchObject({ left: 0n })
  expect(announced({ event: 'completed', left: 5 })).toMatchObject({ left: 5n })
  expect(agrees(SEEDING)).toMatchObject({ event: EVENT.completed, left: 0n })
})

test('W14: an event that is not one of the three is none', () => {
  const odd = [
    '',
    null,
    'update',
    'paused',
    'empty',
    '<regular>',
    7,
    'Started',
    'stopped ',
    'none',
    [],
    {},
    true,
  ]
  for (const event of odd) expect(announced({ event }).event).toBe(EVENT.none)
  expect(agrees(message({ event: 'E' }).replace('"E"', '"\\u003cregular\\u003e"'))).toMatchObject({
    event: EVENT.none,
  })
  for (const event of ['started', 'completed', 'stopped'] as const)
    expect(announced({ event }).event).toBe(EVENT[event])
})

test('W15: offers with `stopped` are ignored, whatever they are and wherever the event stands', () => {
  for (const offers of [[oneOffer()], 'abc', [null]])
    for (const text of [
      message({ event: 'stopped', offers }),
      message({ offers, event: 'stopped' }),
    ]) {
      expect(agrees(text)).toMatchObject({ event: EVENT.stopped, offers: [] })
      expect(reader.offers).toBe(0)
    }
})

test('W16: null in an optional field is as if it were absent', () => {
  const none = Object.fromEntries(
    [
      'left',
      'event',
      'uploaded',
      'downloaded',
      'offers',
      'numwant',
      'answer',
      'to_peer_id',
      'offer_id',
      'key',
      'trackerid',
    ].map((name) => [name, null]),
  )
  expect(announced(none)).toEqual(announced({}))
  expect(announced({ offers: [oneOffer({ offer: { type: null, sdp: '' } })] }).offers).toHaveLength(
    1,
  )
  expect(agrees('{"action":"scrape","info_hash":null}')).toMatchObject({ wrong: 'info_hash' })
})

test('W17: unknown fields are skipped, and of a repeated one the last counts', () => {
  const rest = message({}).slice(1)
  const twice = `{"left":0,"offers":"abc","info_hash":7,"answer":{"sdp":""},"left":5,"offers":[],"answer":null,${rest}`
  expect(agrees(twice)).toMatchObject({ kind: 'announce', left: 5n, offers: [] })
  const back = `${message({ left: 5, offers: [oneOffer()] }).slice(0, -1)},"left":null,"offers":null}`
  expect(agrees(back)).toMatchObject({ left: undefined, offers: [] })
  const unknown = `{"lefts":0,"Left":0,"":0,"__proto__":{"left":0},"x":{"left":0,"offers":[{}]},"sdp":1,"type":2,"offer":3,${rest}`
  expect(agrees(unknown)).toEqual(announced({}))
  // Names count where they belong and nowhere else.
  const inside = { offers: [oneOffer(), 7], info_hash: [LEECHER], answer: { sdp: '' } }
  const misplaced = { ...oneOffer({ offer: { ...inside, sdp: 'x' } }), ...inside }
  expect(announced({ offers: [misplaced, oneOffer()] }).offers).toHaveLength(2)
  const answer = { answer: { sdp: 'a' }, to_peer_id: SEEDER, offer_id: bytesOf(OFFER_ID) }
  expect(agrees(message({ ...answer, offers: [misplaced] }))).toMatchObject({ sdp: '"a"' })
  const sdps = (sdp: string) =>
    message({ offers: [oneOffer({ offer: {} })] }).replace('"offer":{}', `"offer":{${sdp}}`)
  expect(agrees(sdps('"sdp":1,"sdp":"b"'))).toMatchObject({ offers: [{ sdp: '"b"' }] })
  expect(agrees(sdps('"sdp":"b","sdp":1'))).toMatchObject({ wrong: 'offers[0].offer.sdp' })
})

test('W17: a name may be written with escapes', () => {
  const text = message({ left: 5 })
    .replace('"left"', '"\\u006ceft"')
    .replace('"action"', '"\\u0061ction"')
  expect(agrees(text)).toMatchObject({ kind: 'announce', left: 5n })
})

test('W20, W21: at most as many offers are kept as asked for, whatever `numwant` says', () => {
  const offers = Array.from({ length: 12 }, (_, i) => oneOffer({ offer: { sdp: `${i}` } }))
  for (const numwant of [undefined, 0, 50, -1, 'x', [{}]]) {
    const text = message({ numwant, offers })
    expect(agrees(text, 10)).toMatchObject({
      offers: offers
        .slice(0, 10)
        .map(({ offer_id, offer }) => ({ id: offer_id, sdp: `"${offer.sdp}"` })),
    })
    expect(agrees(text, 0)).toMatchObject({ offers: [] })
  }
  // Further ones need only be JSON.
  expect(agrees(message({ offers: [oneOffer(), null] }), 1)).toMatchObject({ kind: 'announce' })
  expect(agrees(message({ offers: [oneOffer(), null] }), 2)).toMatchObject({ wrong: 'offers[1]' })
})

test('every offer of a message that is full of them can be kept', () => {
  const shortest = JSON.stringify({ offer: { sdp: '' }, offer_id: 'x'.repeat(20) })
  const text = message({ offers: 7 }).replace('7', () => {
    const count = Math.floor(
      (LIMITS.webSocketMessage - message({}).length - 12) / (shortest.length + 1),
    )
    return `[${Array.from({ length: count }, () => shortest).join(',')}]`
  })
  expect(Buffer.byteLength(text)).toBeGreaterThan(65_000)
  const understood = read(text, 1_000_000)
  expect(understood).toMatchObject({ kind: 'announce' })
  expect(Bun.deepEquals(understood, naiveMessage(text, 1_000_000))).toBe(true)
})

test.each([
  [[oneOffer({ offer: {} })], 'offers[0].offer.sdp is missing'],
  [[oneOffer({ offer: { sdp: 7 } })], 'offers[0].offer.sdp is not a string'],
  [[oneOffer({ offer: { sdp: null } })], 'offers[0].offer.sdp is missing'],
  [[oneOffer({ offer: { type: 'answer', sdp: '' } })], 'offers[0].offer.type is not offer'],
  [[oneOffer({ offer: { type: 7, sdp: '' } })], 'offers[0].offer.type is not offer'],
  [[oneOffer({ offer: 5 })], 'offers[0].offer is not an object'],
  [[oneOffer({ offer: [] })], 'offers[0].offer is not an object'],
  [[oneOffer({ offer: null })], 'offers[0].offer is missing'],
  [[oneOffer(), oneOffer({ offer_id: 9 })], 'offers[1].offer_id is not a string'],
  [[oneOffer({ offer_id: 'a'.repeat(19) })], 'offers[0].offer_id has 19 characters, expected 20'],
  [[null], 'offers[0] is not an object'],
  [[[]], 'offers[0] is not an object'],
  ['abc', 'offers is not a list'],
  [{}, 'offers is not a list'],
  [7, 'offers is not a list'],
  [true, 'offers is not a list'],
])('W25: bad offers are refused: %#', (offers, words) => {
  const text = message({ offers })
  expect(reader.read(text, 10)).toBe(words)
  expect(agrees(text)).toMatchObject({ infoHash: bytesOf(INFO_HASH) })
})

test.each([
  ['{"answer":7}', 'answer is not an object'],
  ['{"answer":[]}', 'answer is not an object'],
  ['{"answer":{}}', 'answer.sdp is missing'],
  ['{"answer":{"type":"offer","sdp":""}}', 'answer.type is not answer'],
  ['{"answer":{"type":"answer","sdp":"\\ud800"}}', 'answer.sdp has a surrogate'],
])('W25: the answer %s is refused: %s', (fields, words) => {
  const known = { to_peer_id: SEEDER, offer_id: bytesOf(OFFER_ID) }
  const text = `${message(known).slice(0, -1)},${fields.slice(1)}`
  expect(reader.read(text, 10)).toBe(words)
  expect(reader.kind).toBe('answer')
  expect(agrees(text)).toMatchObject({ infoHash: bytesOf(INFO_HASH) })
})

test('W26: an SDP with a lone or an escaped surrogate is refused', () => {
  const withSdp = (sdp: string) =>
    message({ offers: [oneOffer({ offer: { sdp: 'SDP' } })] }).replace('"SDP"', () => `"${sdp}"`)
  for (const sdp of ['\\ud800', '\\uDFFF', '\\ud83d\\ude00', '\ud800', 'a\udc00', '\\ud800\udc00'])
    expect(agrees(withSdp(sdp))).toMatchObject({ wrong: 'offers[0].offer.sdp' })
  // Elsewhere they do no harm.
  expect(agrees(message({ key: 1 }).replace('1', '"\\ud800"'))).toHaveProperty('kind')
})

test('W26: an SDP with line ends, quotes, backslashes and wide characters arrives unchanged', () => {
  const sdp = 'v=0\r\n"quoted" \\ud800 \\ é / €\t\u{1f600}\u007f'
  for (const fields of [
    { offers: [oneOffer({ offer: { sdp } })] },
    { answer: { sdp }, to_peer_id: SEEDER, offer_id: bytesOf(OFFER_ID) },
  ]) {
    agrees(message(fields))
    expect(reader.sdps).toEqual([JSON.stringify(sdp)])
    const { words } = reader.announce
    const write = reader.kind === 'answer' ? writeAnswer : writeOffer
    const relayed = write(
      escapeId(words, 0),
      escapeId(words, 5),
      escapeId(reader.offerIds, 0),
      reader.sdps[0]!,
    )
    expect(acceptedByLibtorrent(relayed)).toBeUndefined()
    const description = { type: reader.kind === 'answer' ? 'answer' : 'offer', sdp }
    expect(JSON.parse(relayed)).toEqual({
      action: 'announce',
      [description.type]: description,
      offer_id: bytesOf(OFFER_ID),
      peer_id: LEECHER,
      info_hash: bytesOf(INFO_HASH),
    })
  }
})

test('W42: of a scrape at most 100 distinct hashes are kept', () => {
  const hash = (i: number) => String(i).padStart(20, '\u00ff')
  const scrape = (hashes: unknown[]) =>
    agrees(JSON.stringify({ action: 'scrape', info_hash: hashes }))
  const many = Array.from({ length: 101 }, (_, i) => hash(i))
  expect(scrape(many)).toEqual({ kind: 'scrape', hashes: many.slice(0, 100) })
  expect(scrape([...many.slice(0, 3), ...many])).toEqual({
    kind: 'scrape',
    hashes: many.slice(0, 100),
  })
  // Behind the last that counts, anything may stand.
  expect(scrape([...many, 7])).toHaveProperty('kind')
  expect(scrape([...many.slice(0, 99), 7])).toHaveProperty('wrong', 'info_hash[99]')
})

test('W43: a scrape of an empty list asks for nothing; one of no list and no hash is refused', () => {
  expect(agrees('{"action":"scrape","info_hash":[]}')).toEqual({ kind: 'scrape', hashes: [] })
  for (const text of [
    '{"action":"scrape"}',
    '{"action":"scrape","info_hash":7}',
    '{"info_hash":{},"action":"scrape"}',
  ]) {
    expect(agrees(text)).toMatchObject({ wrong: 'info_hash' })
    expect(reader.kind).toBe('scrape')
  }
})

test('what could be read before the text breaks off is there for the failure', () => {
  const text = message({ event: 'started' })
  expect(reader.read(text.slice(0, -3), 10)).toStartWith('not JSON')
  expect(reader.hasInfoHash).toBe(true)
  expect(latin1(reader.announce.words)).toBe(bytesOf(INFO_HASH))
  expect(reader.read('{"action":"scrape","info_hash":"aaaaaaaaaaaaaaaaaaaa"', 10)).toStartWith(
    'not JSON',
  )
  expect([reader.kind, reader.hasInfoHash]).toEqual(['scrape', true])
  expect(reader.read('x', 10)).toBe('not a JSON object')
  expect([reader.kind, reader.hasInfoHash]).toEqual(['announce', false])
  expect(reader.read(message({ action: 'unknown' }), 10)).toStartWith('action')
  expect([reader.kind, reader.hasInfoHash]).toEqual(['announce', true])
})

test.each([
  ['not JSON', OFFER.slice(1)],
  ['not an object', '[]'],
  ['no info_hash of 20 bytes', '{"info_hash":"short"}'],
  ['offer without sdp', OFFER.replace('"sdp":', '"spd":')],
  ['offer without offer_id of 20 bytes', OFFER.replace('"offer_id":"', '"offer_id":"x')],
  ['answer without peer_id of 20 bytes', RELAYED_ANSWER.replace('-WW', '-WWW')],
  ['a lone surrogate', OFFER.replace('v=0', '\\ud800')],
  ['interval is no integer', writeAnnounced(HASH_TEXT, 1.5, 0, 0, 0)],
  ['offer with an sdp above 64 KiB', OFFER.replace('v=0', 'x'.repeat(65_536))],
  ['longer than 128 KiB', OFFER.replace('v=0', 'x'.repeat(131_072))],
])('the check itself: libtorrent refuses what is %s', (words, text) => {
  expect(acceptedByLibtorrent(text)).toBe(words)
})
