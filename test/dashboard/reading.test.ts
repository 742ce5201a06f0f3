/** What people paste and drop: info hashes, magnet links, .torrent files, auth keys, lines of all that. */
import { describe, expect, test } from 'bun:test'
import { readInfoHash as readOfClient } from '../../src/client/torrent-file.ts'
import { readInfoHash, readTorrentFile } from '../../src/dashboard/page/info-hash.ts'
import { keyLine } from '../../src/dashboard/page/key-line.ts'
import { checkLines, sendInParts } from '../../src/dashboard/page/lines.ts'
import { sha1 } from '../../src/dashboard/page/sha1.ts'

const HASH = '9c38422213e30bff212b30c360d26f9a02136422'
const BASE32 = 'TQ4EEIQT4MF76IJLGDBWBUTPTIBBGZBC'
const KEY = '0123456789abcdefghijklmnopqrstuv'

test('sha1 is that of the runtime, at every length of the last block', () => {
  for (const length of [...Array(131).keys(), 10_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff)
    expect(sha1(bytes)).toBe(new Bun.CryptoHasher('sha1').update(bytes).digest('hex'))
  }
})

test('an info hash is read as the commands read it', () => {
  for (const text of [
    HASH,
    HASH.toUpperCase(),
    `magnet:?xt=urn:btih:${HASH}&dn=<b>`,
    `magnet:?dn=x&xt.1=urn:btih:${BASE32}`,
    `MAGNET:?xt=urn:btih:${BASE32.toLowerCase()}`,
    `magnet:?xt=urn:btmh:1220${'ab'.repeat(32)}`,
  ]) {
    const bytes = readOfClient(text, () => new Uint8Array())
    expect(readInfoHash(` ${text}\t`)).toEqual({ hash: Buffer.from(bytes).toString('hex') })
  }
  expect(readInfoHash(BASE32)).toEqual({ hash: HASH })
})

test('what is no info hash is said to be wrong', () => {
  expect(readInfoHash(HASH.slice(1))).toEqual({ mistake: 'has 39 digits instead of 40' })
  for (const text of [
    '',
    'x',
    '<img src=x>',
    'magnet:',
    'magnet:?xt=urn:btih:12',
    `${HASH} ${HASH}`,
  ])
    expect(readInfoHash(text)).toEqual({ mistake: expect.any(String) })
})

describe('a .torrent file', () => {
  const info = `d6:lengthi1e4:name1:x12:piece lengthi1e6:pieces20:${'p'.repeat(20)}e`
  const file = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))

  test('is known by its info dictionary, byte for byte', () => {
    const text = `d8:announce3:udp4:info${info}4:listl4:infoee`
    const read = readTorrentFile(file(text))
    expect(read).toEqual({ hash: new Bun.CryptoHasher('sha1').update(info).digest('hex') })
    const ofClient = readOfClient('x.torrent', () => file(text))
    expect(read).toEqual({ hash: Buffer.from(ofClient).toString('hex') })
  })

  test('that is cut, or is something else, is refused', () => {
    const text = `d4:info${info}e`
    for (let length = 0; length < text.length; length++)
      expect(readTorrentFile(file(text.slice(0, length)))).toHaveProperty('mistake')
    for (const other of ['de', 'le', 'd4:infoi1ee', 'd4:info99999999999:xe', '<html>', `${text}x`])
      expect(readTorrentFile(file(other))).toHaveProperty('mistake')
    expect(readTorrentFile(file('d4:infod12:meta versioni2eee'))).toEqual({
      mistake: expect.stringContaining('version 2'),
    })
  })

  test('of nothing but brackets does not overflow the stack', () => {
    const deep = `d4:info${'l'.repeat(1e6)}${'e'.repeat(1e6)}e`
    expect(readTorrentFile(file(deep))).toHaveProperty('mistake')
  })
})

test('a key may have a time', () => {
  const read = keyLine({ seconds_valid: 60 })
  const entry = (seconds_valid: number) => ({ entry: { key: KEY, seconds_valid }, name: KEY })
  expect(read(KEY)).toEqual(entry(60))
  expect(read(`${KEY} 12h`)).toEqual(entry(43_200))
  expect(read(`${KEY},7`)).toEqual(entry(7))
  expect(keyLine({ seconds_valid: null })(KEY)).toEqual({
    entry: { key: KEY, seconds_valid: null },
    name: KEY,
  })
  for (const wrong of [
    KEY.slice(1),
    `${KEY}!`,
    `${KEY} soon`,
    `${KEY} 1h 2h`,
    `${KEY} 9999999999999y`,
    `${KEY} user=17`,
  ])
    expect(read(wrong)).toHaveProperty('mistake')
})

test('N25: where users have accounts, a key may have a user', () => {
  const read = keyLine({ seconds_valid: 60, user_id: '5' })
  const entry = (user_id: string, seconds_valid = 60) => ({
    entry: { key: KEY, seconds_valid, user_id },
    name: KEY,
  })
  expect(read(KEY)).toEqual(entry('5'))
  expect(read(`${KEY} user=17`)).toEqual(entry('17'))
  // JSON has no zeroes in front, and numbers are not so exact.
  expect(read(`${KEY} 12h user=0009223372036854775807`)).toHaveProperty('mistake')
  expect(read(`${KEY} 12h user=9223372036854775807`)).toEqual(entry('9223372036854775807', 43_200))
  expect(read(`${KEY} user=007`)).toEqual(entry('7'))
  for (const wrong of ['user=', 'user=x', 'user=-1', 'user=9223372036854775808', 'user=1 12h'])
    expect(read(`${KEY} ${wrong}`)).toHaveProperty('mistake')
})

describe('lines', () => {
  const read = (word: string) =>
    word.startsWith('!') ? { mistake: 'is wrong' } : { entry: word, name: word }
  const never = new AbortController().signal

  test('are counted from one, blanks and comments are nothing, repetitions are sent once', async () => {
    const checked = await checkLines('a # b\r\n\n# c\n!x\nb\na\r!y # z', read, never)
    expect(checked).toEqual({
      entries: ['a', 'b'],
      repeated: 1,
      mistakes: 2,
      wrong: [
        { line: 4, text: '!x', mistake: 'is wrong' },
        { line: 7, text: '!y', mistake: 'is wrong' },
      ],
    })
  })

  test('let others have their turn, and are given up', async () => {
    const text = Array.from({ length: 10_000 }, (_, i) => i).join('\n')
    const stop = new AbortController()
    let turns = 0
    const timer = setInterval(() => turns++ === 2 && stop.abort())
    expect(await checkLines(text, read, stop.signal)).toBeUndefined()
    expect(turns).toBeGreaterThan(2)
    clearInterval(timer)
    expect((await checkLines(text, read, never))?.entries).toHaveLength(10_000)
  })

  test('are sent in parts until one fails', async () => {
    const sent: number[][] = []
    const done: number[] = []
    const send = async (part: readonly number[]) => {
      if (part.includes(5)) throw new Error('no')
      sent.push([...part])
    }
    const sending = sendInParts([1, 2, 3, 4, 5], 2, send, (count) => done.push(count))
    await expect(sending).rejects.toThrow('no')
    expect([sent, done]).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
      [2, 4],
    ])
  })
})
