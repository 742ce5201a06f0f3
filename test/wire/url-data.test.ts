/** The key in BEP 41 options: as clients send it, malformed, and against a slow twin. */
import { expect, test } from 'bun:test'
import { Key } from '../../src/bittorrent.ts'
import { LIMITS } from '../../src/limits.ts'
import { ANNOUNCE } from '../../src/wire/udp.ts'
import { UrlKeys } from '../../src/wire/url-data.ts'
import { dice, seed } from '../support/random.ts'

const KEY = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const URL = `/announce/${KEY}`

const text = (value: string): number[] => [...Buffer.from(value, 'latin1')]
const urlData = (value: string): number[] => [2, value.length, ...text(value)]
const packetOf = (options: readonly number[]): Uint8Array => {
  const packet = new Uint8Array(ANNOUNCE.end + options.length).fill(7)
  packet.set(options, ANNOUNCE.end)
  return packet
}

/** The result, and the key if there is one. */
function read(options: readonly number[]): string {
  const key = new Key()
  // Placed between leftovers of other datagrams.
  const packet = packetOf(options)
  const memory = new Uint8Array(2 * LIMITS.datagram + packet.length).fill(0x41)
  memory.set(packet, 7)
  const verdict = new UrlKeys().read(memory, 7, packet.length, key)
  return verdict === 'key' ? Buffer.from(key.bytes).toString('latin1') : verdict
}

test.each<[result: string, what: string, options: number[]]>([
  [KEY, 'as libtorrent sends it', urlData(URL)],
  [KEY, 'with an end behind it', [...urlData(URL), 0]],
  [KEY, 'with a query', urlData(`${URL}?passkey=x&y=/announce/`)],
  [KEY, 'with an empty query', urlData(`${URL}?`)],
  [KEY, 'in several options', [...urlData('/announce/A1b2'), ...urlData(URL.slice(14))]],
  [KEY, 'in single characters', text(URL).flatMap((code) => [2, 1, code])],
  [KEY, 'between empty options', [2, 0, ...urlData(URL), 2, 0]],
  [KEY, 'behind padding', [1, 1, 1, ...urlData(URL)]],
  [KEY, 'with padding between its parts', [...urlData('/announc'), 1, ...urlData(URL.slice(8))]],
  [KEY, 'behind an option nobody knows', [77, 3, 2, 2, 2, ...urlData(URL)]],
  [KEY, 'behind an empty option nobody knows', [255, 0, ...urlData(URL)]],
  [KEY, 'when its query is cut off', [2, 255, ...text(`${URL}?cut`)]],
  [KEY, 'when the datagram ends with it, whatever was promised', [2, 255, ...text(URL)]],
  [KEY, 'before a stray byte', [...urlData(URL), 2]],
  [KEY, 'before the last segment', urlData(`/${KEY}/announce`)],
  [KEY, 'before the last segment, with a query', urlData(`/${KEY}/announce?passkey=x`)],
  [KEY, 'as passkey', urlData(`/announce?passkey=${KEY}`)],
  [KEY, 'as key', urlData(`/announce?key=${KEY}`)],
  [KEY, 'as a parameter among others', urlData(`/announce?a&b==c&passkey=${KEY}&d=e`)],
  [KEY, 'as a parameter of an empty key', urlData(`/announce/?key=${KEY}`)],
  [KEY, 'as a parameter behind the random key of a client', urlData(`/?key=1F2E3D4C&key=${KEY}`)],
  [
    KEY,
    'as a parameter in several options',
    [...urlData('/announce?passk'), ...urlData(`ey=${KEY}`)],
  ],
  [KEY, 'as a parameter that ends where it is cut off', [2, 255, ...text(`/?passkey=${KEY}`)]],
  ['none', 'without options', []],
  ['none', 'with padding only', [1, 1, 1]],
  ['none', 'behind the end of the options', [0, ...urlData(URL)]],
  ['none', 'without a URL', [2, 0]],
  ['none', 'with a stray byte', [2]],
  ['none', 'with the plain URL', urlData('/announce')],
  ['none', 'with the plain URL and a query', urlData('/announce?a=b&key=1F2E3D4C')],
  ['none', 'with a parameter that is too short', urlData(`/announce?passkey=${KEY.slice(1)}`)],
  ['none', 'with a parameter that is too long', urlData(`/announce?passkey=${KEY}0`)],
  [
    'none',
    'with a parameter of another name',
    urlData(`/announce?sitekey=${KEY}&keys=${KEY}&=${KEY}`),
  ],
  ['none', 'with a parameter that has an escape', urlData(`/announce?passkey=%41${KEY.slice(1)}`)],
  ['none', 'with two segments before the last', urlData(`/a/${KEY}/announce`)],
  ['none', 'with nothing before the last segment', urlData('//announce')],
  ['none', 'without a slash', urlData(`${KEY}/announce`)],
  ['none', 'with an empty key', urlData('/announce/')],
  ['none', 'with an empty key and a query', urlData('/announce/?a=b')],
  ['none', 'with the root', urlData('/')],
  ['none', 'with another path', urlData(`/scrape/${KEY}`)],
  ['none', 'with a bare key', urlData(`/${KEY}`)],
  ['none', 'with a path in capitals', urlData(`/ANNOUNCE/${KEY}`)],
  ['none', 'with a whole URL', urlData(`udp://tracker${URL}`)],
  ['none', 'inside an option nobody knows', [3, URL.length, ...text(URL)]],
  ['malformed', 'too short', urlData(URL.slice(0, -1))],
  ['malformed', 'too short, before the last segment', urlData(`/${KEY.slice(1)}/announce`)],
  ['malformed', 'too short, whatever the query says', urlData(`${URL.slice(0, -1)}?key=${KEY}`)],
  ['malformed', 'too short, with a query', urlData(`${URL.slice(0, -1)}?a`)],
  ['malformed', 'too long', urlData(`${URL}0`)],
  ['malformed', 'with a slash behind it', urlData(`${URL}/`)],
  ['malformed', 'with an escape', urlData(`/announce/%41${KEY.slice(1)}`)],
  ['malformed', 'with a zero byte', urlData(`/announce/\0${KEY.slice(1)}`)],
  ['malformed', 'with a byte above ASCII', urlData(`/announce/\xe4${KEY.slice(1)}`)],
  ['malformed', 'cut off', [2, 42, ...text(URL.slice(0, -1))]],
  [
    'malformed',
    'cut off by the end of the options',
    [...urlData(URL.slice(0, 20)), 0, ...urlData(URL.slice(20))],
  ],
  ['malformed', 'continued by another option', [...urlData(URL), ...urlData('x')]],
])('%s: %s', (result, _what, options) => {
  expect(read(options)).toBe(result)
})

test('U13: bytes beyond the limit of a datagram are ignored', () => {
  const room = LIMITS.datagram - ANNOUNCE.end
  const padding = (length: number) => Array<number>(length).fill(1)
  const option = urlData(URL)
  expect(read([...padding(room - option.length), ...option])).toBe(KEY)
  expect(read([...padding(room - option.length + 1), ...option])).toBe('malformed')
  expect(read([...padding(room), ...option])).toBe('none')
})

/** The slow twin: joins all URL data, then reads its path and query. */
function naive(options: readonly number[]): string {
  let url = ''
  for (let at = 0; at < options.length && options[at] !== 0; ) {
    if (options[at] === 1) at++
    else {
      const length = options[at + 1] ?? 0
      if (options[at] === 2) url += String.fromCharCode(...options.slice(at + 2, at + 2 + length))
      at += 2 + length
    }
  }
  const [path = ''] = url.split('?', 1)
  const inPath = /^\/announce\/(.+)$/s.exec(path) ?? /^\/([^/]+)\/announce$/.exec(path)
  const isKey = (text = '') => /^[0-9A-Za-z]{32}$/.test(text)
  if (inPath !== null) return isKey(inPath[1]) ? inPath[1]! : 'malformed'
  const pairs = url.slice(path.length + 1).split('&')
  const values = pairs.map((pair) => /^(?:key|passkey)=(.*)$/s.exec(pair)?.[1])
  return values.find(isKey) ?? 'none'
}

test(`any datagram is read as the slow twin reads it, and none throws (SEED=${seed})`, () => {
  const roll = dice()
  const seen = { none: 0, malformed: 0, key: 0 }
  for (let i = 0; i < 20_000; i++) {
    const options: number[] = []
    const url = [
      URL,
      `${URL}?q`,
      '/announce',
      URL.slice(0, roll(50)),
      `${URL}${roll(9)}`,
      `/${KEY}/announce`,
      `/announce?${['', 'a&', 'key=12&'][roll(3)]}${['pass', ''][roll(2)]}key=${KEY}${['', '&b', '0'][roll(3)]}`,
    ][roll(7)]!
    for (let at = 0; at < url.length; ) {
      const length = 1 + roll(40)
      options.push(...urlData(url.slice(at, at + length)))
      at += length
      if (roll(4) === 0) options.push(...[[1], [1, 1], [9, 2, 5, 5], [200, 0], [0]][roll(5)]!)
    }
    // Damage: a byte changed, or the end cut off.
    if (roll(4) === 0 && options.length > 0) options[roll(options.length)] = roll(256)
    if (roll(4) === 0) options.length = roll(options.length + 1)
    const verdict = read(options)
    expect([options, verdict]).toEqual([options, naive(options)])
    seen[verdict === KEY ? 'key' : verdict === 'none' ? 'none' : 'malformed']++
  }
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(1_500)
})
