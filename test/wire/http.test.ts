import { expect, test } from 'bun:test'
import { COUNT, EVENT, type Family, type PeerList, WANT_DEFAULT } from '../../src/bittorrent.ts'
import { LIMITS } from '../../src/limits.ts'
import { decodeBencode } from '../../src/wire/bencode.ts'
import { AnnounceQuery, ScrapeQuery } from '../../src/wire/http.ts'
import { HttpAnswers } from '../../src/wire/http-answer.ts'
import { type NaiveAnnounce, naiveAnnounce, naiveScrape } from '../support/naive/http.ts'
import { dice, seed } from '../support/random.ts'

const HASH = '%9c8B%22%13%e3%0b%ff%21%2b0%c3%60%d2o%9a%02%13d%22'
const MANDATORY = `info_hash=${HASH}&peer_id=-qB00000000000000001&port=17548`
const PREFIX = 'Bad request. Cannot parse query params'

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
const asUrl = (query: string | undefined) =>
  query === undefined ? 'http://host:1/announce' : `http://host:1/announce?${query}`
const questionOf = (url: string) => url.indexOf('?')

const reader = new AnnounceQuery()

function announce(query: string | undefined): NaiveAnnounce | string {
  const url = asUrl(query)
  const failure = reader.read(url, questionOf(url))
  if (failure !== undefined) return failure
  const { request, port, compact, ip } = reader
  const count = (at: number) =>
    (BigInt(request.counts[at]! >>> 0) << 32n) | BigInt(request.counts[at + 1]! >>> 0)
  return {
    infoHash: latin1(request.infoHash),
    peerId: latin1(request.peerId),
    port,
    downloaded: count(COUNT.downloaded),
    uploaded: count(COUNT.uploaded),
    left: count(COUNT.left),
    event: request.event,
    compact,
    want: request.want,
    ip,
  }
}

const scraper = new ScrapeQuery()

function scrape(query: string | undefined): string[] | string {
  const url = asUrl(query)
  const failure = scraper.read(url, questionOf(url))
  if (failure !== undefined) return failure
  return Array.from({ length: scraper.count }, (_, i) => {
    const at = scraper.offset(i)
    const bytes = latin1(scraper.bytes.subarray(at, at + 20))
    const words = scraper.infoHash(i)
    expect(latin1(new Uint8Array(words.buffer, words.byteOffset, 20))).toBe(bytes)
    return bytes
  })
}

test('H5–H7: an announce with the three mandatory parameters is a compact one of a leecher', () => {
  expect(announce(MANDATORY)).toEqual({
    infoHash: latin1(Buffer.from('9c38422213e30bff212b30c360d26f9a02136422', 'hex')),
    peerId: '-qB00000000000000001',
    port: 17548,
    downloaded: 0n,
    uploaded: 0n,
    left: 2n ** 64n - 1n,
    event: EVENT.none,
    compact: true,
    want: WANT_DEFAULT,
    ip: '',
  })
})

test('H6: an announce with all parameters yields all of them', () => {
  const query = `${MANDATORY}&downloaded=1&uploaded=2&left=3&event=started&compact=0&numwant=50&peer_addr=192.168.1.88&ip=1.2.3.4`
  expect(announce(query)).toMatchObject({
    downloaded: 1n,
    uploaded: 2n,
    left: 3n,
    event: EVENT.started,
    compact: false,
    want: 50,
    ip: '1.2.3.4',
  })
})

const invalid = (raw: string, name: string) =>
  `${PREFIX} for announce request: invalid param value ${raw} for ${name}`

test.each([
  ['H5: no query', undefined, ' for announce request: missing query params for announce request'],
  ['an empty query', '', ': invalid param '],
  ['H4: two equals signs', 'a=b=c', ': invalid param a=b=c'],
  ['a piece without an equals sign', `${MANDATORY}&foo`, ': invalid param foo'],
  ['a trailing ampersand', `${MANDATORY}&`, ': invalid param '],
  ['an empty piece', `${MANDATORY}&&left=0`, ': invalid param '],
  [
    'a raw equals sign in a hash',
    `info_hash=aaaaaaaaaaaaaaaaaaa=&${MANDATORY}`,
    ': invalid param info_hash=aaaaaaaaaaaaaaaaaaa=',
  ],
  [
    'H5: no info_hash',
    'peer_id=-qB00000000000000001&port=1',
    ' for announce request: missing param info_hash',
  ],
  ['H5: no peer_id', `info_hash=${HASH}&port=1`, ' for announce request: missing param peer_id'],
  [
    'H5: no port',
    `info_hash=${HASH}&peer_id=-qB00000000000000001`,
    ' for announce request: missing param port',
  ],
  [
    'an escaped name',
    MANDATORY.replace('info_hash', 'info%5Fhash'),
    ' for announce request: missing param info_hash',
  ],
  [
    'a name in capitals',
    MANDATORY.replace('port', 'PORT'),
    ' for announce request: missing param port',
  ],
])('%s is refused in the documented words', (_what, query, words) => {
  expect(announce(query)).toBe(PREFIX + words)
})

test.each([
  ['info_hash', '0', ' in not enough bytes for infohash: got 1 bytes, expected 20'],
  ['info_hash', '-1', ' in not enough bytes for infohash: got 2 bytes, expected 20'],
  [
    'info_hash',
    '9c38422213e30bff212b30c360d26f9a0213642',
    ' in too many bytes for infohash: got 39 bytes, expected 20',
  ],
  ['info_hash', `${HASH}%`, ' in too many bytes for infohash: got 21 bytes, expected 20'],
  ['peer_id', '0', ' in not enough bytes for peer id: got 1 bytes, expected 20'],
  ['peer_id', '-qB0000000000000000', ' in not enough bytes for peer id: got 19 bytes, expected 20'],
  ['peer_id', '-qB000000000000000001', ' in too many bytes for peer id: got 21 bytes, expected 20'],
])('H6: %s=%s is refused with its length', (name, raw, why) => {
  const query = `${name}=${raw}&${MANDATORY}`
  expect(announce(query)).toBe(invalid(raw, name) + why)
})

const NO_NUMBERS = ['-1', '1.1', 'a', '', '+', '-0', '1e3', '%31', ' 1', '0x1', '1+']

test.each([
  ...NO_NUMBERS.flatMap((raw) =>
    ['port', 'downloaded', 'uploaded', 'left', 'numwant'].map((name) => [name, raw]),
  ),
  ...['0', '-1', '1.1', 'a', 'Started', 'Stopped', 'Completed', '%73tarted', 'none'].map((raw) => [
    'event',
    raw,
  ]),
  ...['-1', '1.1', 'a', '', '2', '01'].map((raw) => ['compact', raw]),
  ['port', '0'],
  ['port', '+0'],
  ['port', '65536'],
  ['numwant', '4294967296'],
  ['left', '18446744073709551616'],
  ['left', '99999999999999999999999999999999999'],
] as [string, string][])('H6, H9, H10: %s=%s is refused', (name, raw) => {
  expect(announce(`${name}=${raw}&${MANDATORY}`)).toBe(invalid(raw, name))
})

test.each([
  ['port=+80', { port: 80 }],
  ['port=00080', { port: 80 }],
  ['port=65535', { port: 65535 }],
  ['left=+0', { left: 0n }],
  ['left=9007199254740993', { left: 9007199254740993n }],
  ['left=9223372036854775807', { left: 2n ** 63n - 1n }],
  ['uploaded=4294967295', { uploaded: 4294967295n }],
  ['uploaded=4294967296', { uploaded: 4294967296n }],
  ['uploaded=0000000000000000000000000000000000042', { uploaded: 42n }],
  ['numwant=0', { want: 0 }],
  ['numwant=4294967295', { want: 4294967295 }],
  ['event=', { event: EVENT.none }],
  ['event=empty', { event: EVENT.none }],
  ['event=paused', { event: EVENT.none }],
  ['event=stopped', { event: EVENT.stopped }],
  ['event=completed', { event: EVENT.completed }],
  ['compact=1', { compact: true }],
  ['ip=', { ip: '' }],
  ['=value', {}],
  ['trackerid=', {}],
  ['a_name_of_exactly_the_folded_size=1', {}],
  ['port=7&port=a', { port: 7 }],
])('%s is accepted', (piece, said) => {
  expect(announce(`${piece}&${MANDATORY}`)).toMatchObject(said)
})

test('H6: a count from 2^63 is an overflow, from 2^64 invalid', () => {
  const overflow = (raw: string) =>
    `${PREFIX} for announce request: param value overflow ${raw} for left`
  for (const raw of ['9223372036854775808', '18446744073709551615', '+18446744073709551615'])
    expect(announce(`left=${raw}&${MANDATORY}`)).toBe(overflow(raw))
})

test('H3: mandatory parameters are judged before optional ones, and the grammar before all', () => {
  expect(announce('compact=7&port=a&left=x')).toContain('missing param info_hash')
  expect(announce(`numwant=a&compact=7&${MANDATORY}`)).toContain('for compact')
  expect(announce(`left=a&${MANDATORY}&x`)).toContain('invalid param x')
})

test('H4: leading question marks and a fragment are not part of the query', () => {
  expect(announce(`??${MANDATORY}&left=5#&left`)).toMatchObject({ left: 5n })
})

test('H15: a value is repeated up to the limit and no further', () => {
  const longest = 'x'.repeat(LIMITS.echo)
  expect(announce(`port=${longest}&${MANDATORY}`)).toBe(invalid(longest, 'port'))
  expect(announce(`port=${longest}x&${MANDATORY}`)).toBe(invalid(`${longest}...`, 'port'))
  expect(announce(`${'y'.repeat(60_000)}&${MANDATORY}`)).toHaveLength(
    `${PREFIX}: invalid param ...`.length + LIMITS.echo,
  )
})

test('a character that no URL contains is not a byte of a hash', () => {
  expect(announce(`info_hash=aaaaaaaaaaaaaaaaaaa\ufffd&${MANDATORY}`)).toContain('info_hash')
  expect(announce(`info_hash=aaaaaaaaaaaaaaaaa%\u0131\u0131&${MANDATORY}`)).toContain('info_hash')
  expect(announce(`port=\u0131&${MANDATORY}`)).toContain('for port')
})

test('nothing of one announce is left in the next', () => {
  announce(`${MANDATORY}&left=5&event=stopped&compact=0&numwant=3&ip=1.2.3.4`)
  expect(announce(MANDATORY)).toMatchObject({
    left: 2n ** 64n - 1n,
    event: EVENT.none,
    compact: true,
    want: WANT_DEFAULT,
    ip: '',
  })
})

const hashNumber = (n: number) =>
  `%${(n >> 4).toString(16)}${(n & 15).toString(16)}${'a'.repeat(19)}`
const hashes = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `info_hash=${hashNumber(from + i)}`)

test('H16: a scrape yields its distinct hashes in order', () => {
  const asked = [...hashes(3, 6), ...hashes(1, 4)].join('&')
  expect(scrape(asked)).toEqual([1, 2, 3, 4, 5].map((n) => String.fromCharCode(n) + 'a'.repeat(19)))
})

test('H16: a scrape reads as many hashes as the limit, and ignores the rest', () => {
  const most = LIMITS.httpScrapeHashes
  expect(scrape(hashes(0, most).join('&'))).toHaveLength(most)
  expect(scrape(hashes(0, most + 1).join('&'))).toHaveLength(most)
  expect(scrape([...hashes(0, most), 'info_hash=nonsense'].join('&'))).toHaveLength(most)
  expect(scrape([...hashes(0, most - 1), 'info_hash=nonsense'].join('&'))).toContain('not enough')
  // Duplicates count against the limit.
  const repeated = Array(most).fill(`info_hash=${hashNumber(0)}`)
  expect(scrape([...repeated, `info_hash=${hashNumber(1)}`].join('&'))).toHaveLength(1)
})

test.each([
  ['H5: no query', undefined, ' for scrape request: missing query params for scrape request'],
  ['no hash', 'a=b', ' for scrape request: missing param info_hash'],
  ['a bad pair', 'a', ': invalid param a'],
  [
    'H16: a short hash',
    'info_hash=0',
    ' for scrape request: invalid param value 0 for info_hash in not enough bytes for infohash: got 1 bytes, expected 20',
  ],
  [
    'one malformed hash among good ones',
    `info_hash=${HASH}&info_hash=0`,
    ' for scrape request: invalid param value 0 for info_hash in not enough bytes for infohash: got 1 bytes, expected 20',
  ],
])('a scrape with %s is refused', (_what, query, words) => {
  expect(scrape(query)).toBe(PREFIX + words)
})

/** Queries near valid ones, with the bytes that matter to the grammar well represented. */
function near(roll: (sides: number) => number, names: readonly string[]): string {
  const some = (length: number, alphabet: string) =>
    Array.from({ length }, () => alphabet[roll(alphabet.length)]).join('')
  const token = () =>
    roll(2) ? `%${some(2, roll(99) ? '0123456789abcdefABCDEF' : '0g%x')}` : some(1, 'aZ09-._~')
  const twenty = () => Array.from({ length: roll(30) ? 20 : 18 + roll(5) }, token).join('')
  const number = () =>
    [
      () => String(1 + roll(65_535)),
      () => String(1 + roll(65_535)),
      () => `+${roll(10)}`,
      () => some(1 + roll(24), '0123456789'),
      () => (roll(4) ? '00080' : some(roll(6), '01+-.% a')),
      () => String(2n ** BigInt(roll(66)) - BigInt(roll(2))),
    ][roll(6)]!()
  const value = (name: string) => {
    if (/hash|peer_id/.test(name)) return twenty()
    if (/event/.test(name))
      return ['started', 'stopped', 'completed', 'empty', 'paused', '', 'Started'][roll(7)]!
    if (/compact/.test(name)) return some(roll(8) ? 1 : roll(3), '0011a')
    return number()
  }
  const keep = roll(4) > 0
  const query = names
    .filter(() => keep || roll(8) > 0)
    .flatMap((name) => [...Array(roll(12) ? 1 : 2)].map(() => `${name}=${value(name)}`))
    .join('&')
  if (roll(3)) return query
  const at = roll(query.length + 1)
  const junk = ['&', '=', '%', '#', '?', '+', '%00', 'z', '&a=b', '&&', '\xff'][roll(11)]!
  return query.slice(0, at) + junk + query.slice(at + roll(2))
}

const ANNOUNCE_NAMES = [
  'info_hash',
  'peer_id',
  'port',
  'downloaded',
  'uploaded',
  'left',
  'event',
  'compact',
  'numwant',
  'ip',
  'key',
  'supportcrypto',
  'infohash',
]

test(`the announce reader agrees with the slow truth (SEED=${seed})`, () => {
  const roll = dice()
  let understood = 0
  const refusals = new Set<string>()
  for (let i = 0; i < 30_000; i++) {
    const names = ANNOUNCE_NAMES.slice(0, 3 + roll(ANNOUNCE_NAMES.length - 2))
    const query = near(roll, names)
    const said = announce(query)
    if (/\xff/.test(query)) continue // no URL has such bytes: it is enough that nothing throws
    expect([query, said]).toEqual([query, naiveAnnounce(query)])
    if (typeof said === 'string')
      refusals.add(said.replace(/(value|param|overflow) .*? for/, '').slice(0, 90))
    else understood++
  }
  expect(understood).toBeWithin(1_000, 25_000)
  expect(refusals.size).toBeGreaterThan(12)
})

test(`the scrape reader agrees with the slow truth (SEED=${seed})`, () => {
  const roll = dice()
  let understood = 0
  for (let i = 0; i < 5_000; i++) {
    const names = Array.from({ length: roll(roll(5) ? 6 : 130) }, () =>
      roll(9) ? 'info_hash' : 'key',
    )
    const query = near(roll, names)
    const said = scrape(query)
    if (/\xff/.test(query)) continue
    expect([query, said]).toEqual([query, naiveScrape(query)])
    if (typeof said !== 'string') understood++
  }
  expect(understood).toBeGreaterThan(500)
})

/** Puts peers into the answer a transport prepared, as the tracker would. */
function fill(list: PeerList, peers: readonly { endpoint: number[]; id: string }[]): void {
  const bytes = new Uint8Array(list.halves.buffer)
  let at = 0
  list.count = peers.length
  for (const [i, { endpoint, id }] of peers.entries()) {
    bytes.set(endpoint, at)
    at += endpoint.length
    if (list.ids) new Uint8Array(list.ids.buffer).set(Buffer.from(id), i * 20)
  }
}

const four = { endpoint: [203, 0, 113, 7, 0x1a, 0xe1], id: '-TR4060-abcdefghijkl' }
const six = {
  endpoint: [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0xc8, 0xd5],
  id: '-TR4060-mnopqrstuvwx',
}
const answers = new HttpAnswers({ interval: 120, intervalMin: 60, maxPeers: 74 })

function filled(asker: Family, compact: boolean, peers4: (typeof four)[], peers6: (typeof six)[]) {
  const answer = answers.prepare(asker, compact)
  answer.seeders = 2
  answer.leechers = 1
  for (const list of answer.lists) fill(list, list.family === 4 ? peers4 : peers6)
}

test('H7: a compact answer is these bytes', () => {
  filled(4, true, [four], [six])
  const endpoint6 = String.fromCharCode(...six.endpoint)
  expect(latin1(answers.compact())).toBe(
    `d8:completei2e10:incompletei1e8:intervali120e12:min intervali60e5:peers6:\xcb\x00\x71\x07\x1a\xe16:peers618:${endpoint6}e`,
  )
})

test('a compact answer without peers still has both lists', () => {
  filled(4, true, [], [])
  expect(latin1(answers.compact())).toBe(
    'd8:completei2e10:incompletei1e8:intervali120e12:min intervali60e5:peers0:6:peers60:e',
  )
})

const HEAD = 'd8:completei2e10:incompletei1e8:intervali120e12:min intervali60e5:peersl'
const DICTIONARY4 = 'd2:ip11:203.0.113.77:peer id20:-TR4060-abcdefghijkl4:porti6881ee'
const DICTIONARY6 = 'd2:ip11:2001:db8::77:peer id20:-TR4060-mnopqrstuvwx4:porti51413ee'

test("H8, H11: an answer of dictionaries is these bytes, the client's own family first", () => {
  filled(4, false, [four], [six])
  expect(latin1(answers.dictionaries())).toBe(`${HEAD}${DICTIONARY4}${DICTIONARY6}ee`)
  filled(6, false, [four], [six])
  expect(latin1(answers.dictionaries())).toBe(`${HEAD}${DICTIONARY6}${DICTIONARY4}ee`)
  filled(6, false, [], [])
  expect(latin1(answers.dictionaries())).toBe(`${HEAD}ee`)
})

test('peer ids are requested only where they are written', () => {
  for (const { ids } of answers.prepare(4, true).lists) expect(ids).toBeUndefined()
  for (const { ids } of answers.prepare(6, false).lists) expect(ids).toHaveLength(74 * 5)
})

test('H16: a scrape answer is these bytes', () => {
  const bytes = Buffer.from('..aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb')
  answers.beginScrape()
  answers.scraped(bytes, 2, { seeders: 1, downloaded: 5, leechers: 2 })
  answers.scraped(bytes, 22, { seeders: 0, downloaded: 4294967295, leechers: 0 })
  expect(latin1(answers.endScrape())).toBe(
    'd5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi5e10:incompletei2ee20:bbbbbbbbbbbbbbbbbbbbd8:completei0e10:downloadedi4294967295e10:incompletei0eeee',
  )
})

test('H15: a failure is one key, whatever it repeats of the client', () => {
  expect(latin1(answers.failure('no'))).toBe('d14:failure reason2:noe')
  const hostile = answers.failure('5:peers0:e\r\n\u{1f600}\0d')
  expect(decodeBencode(hostile)).toEqual(
    new Map([['failure reason', new Uint8Array(Buffer.from('5:peers0:e?????d'))]]),
  )
})
