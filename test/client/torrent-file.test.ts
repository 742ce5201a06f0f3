/** Info hashes from digits, magnet links and .torrent files. */
import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readInfoHash } from '../../src/client/torrent-file.ts'

const HEX = '9c38422213e30bff212b30c360d26f9a02136422'
const nothing = () => {
  throw new Error('asked for a file')
}
const hexOf = (read: Uint8Array | string) =>
  typeof read === 'string' ? read : Buffer.from(read).toString('hex')
const read = (word: string, file?: string) =>
  hexOf(readInfoHash(word, file === undefined ? nothing : () => Buffer.from(file, 'latin1')))

describe('a word that names a torrent', () => {
  test.each([
    ['digits', HEX],
    ['upper-case digits', HEX.toUpperCase()],
    ['a magnet link', `magnet:?xt=urn:btih:${HEX}&dn=a&tr=udp%3A%2F%2Fb%3A1`],
    ['an upper-case one', `MAGNET:?xt=urn:BTIH:${HEX.toUpperCase()}`],
    ['its second topic', `magnet:?xt.1=urn:ed2k:31D6CFE0&xt.2=urn:btih:${HEX}`],
    // RFC 4648 of the same bytes, by Python's base64.b32encode.
    ['base32', 'magnet:?xt=urn:btih:TQ4EEIQT4MF76IJLGDBWBUTPTIBBGZBC'],
    ['base32 in lower case', 'magnet:?xt=urn:btih:tq4eeiqt4mf76ijlgdbwbutptibbgzbc'],
    ['base32 without a link', 'tq4eeiqt4mf76ijlgdbwbutptibbgzbc'],
    ['version 2', `magnet:?xt=urn:btmh:1220${HEX}${'00'.repeat(12)}`],
  ])('%s', (_what, word) => {
    expect(read(word)).toBe(HEX)
  })

  test.each([
    [HEX.slice(1), `info hash ${HEX.slice(1)} has 39 digits instead of 40`],
    [`${HEX}0`, `info hash ${HEX}0 has 41 digits instead of 40`],
    ['magnet:?dn=a', 'magnet:?dn=a names no torrent (xt=urn:btih:…)'],
    ['magnet:?xt=urn:btih:12', 'magnet:?xt=urn:btih:12 names no torrent (xt=urn:btih:…)'],
    [
      `magnet:?xt=urn:btmh:1320${HEX}`,
      `magnet:?xt=urn:btmh:1320${HEX} names no torrent (xt=urn:btih:…)`,
    ],
    [
      'magnet:?xt=urn:btih:1q4eeiqt4mf76ijlgdbwbutptibbgzbc',
      'magnet:?xt=urn:btih:1q4eeiqt4mf76ijlgdbwbutptibbgzbc names no torrent (xt=urn:btih:…)',
    ],
  ])('%s does not', (word, problem) => {
    expect(read(word)).toBe(problem)
  })

  test('a file that does not exist is reported with what is accepted', () => {
    expect(hexOf(readInfoHash('no such', (path) => readFileSync(`/nonexistent/${path}`)))).toBe(
      `no such is neither an info hash (40 hexadecimal digits, such as ${HEX}) nor a magnet link, and no file has that name`,
    )
    expect(hexOf(readInfoHash('/tmp', readFileSync))).toBe('/tmp: is a directory')
  })
})

describe('a .torrent file', () => {
  const info = 'd6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae'
  const sha = (algorithm: string, text: string) =>
    createHash(algorithm).update(text, 'latin1').digest('hex').slice(0, 40)

  test('has the hash of its info dictionary, byte for byte', () => {
    expect(read('a.torrent', `d8:announce3:udp4:info${info}e`)).toBe(sha('sha1', info))
    // Keys out of order, which no writer should produce: the hash is still that of the bytes.
    const odd = 'd6:pieces20:aaaaaaaaaaaaaaaaaaaa4:name1:ae'
    expect(read('a.torrent', `d4:info${odd}8:announce0:e`)).toBe(sha('sha1', odd))
  })

  test('of version 2 has its SHA-256, cut; of both versions the SHA-1', () => {
    const second = `d9:file tree${'d1:a'.repeat(100)}de${'e'.repeat(100)}12:meta versioni2ee`
    expect(read('a', `d4:info${second}e`)).toBe(sha('sha256', second))
    const hybrid = 'd12:meta versioni2e6:pieces0:e'
    expect(read('a', `d4:info${hybrid}e`)).toBe(sha('sha1', hybrid))
  })

  test.each([
    ['empty', ''],
    ['HTML', '<html>'],
    ['a list', 'l4:infodee'],
    ['without info', 'd8:announce0:e'],
    ['with an info that is text', 'd4:info2:dee'],
    ['with an info that has no pieces', 'd4:infod4:name1:aee'],
    ['cut short', `d4:info${info}`],
    ['with trailing bytes', `d4:info${info}ee`],
    ['with a string longer than itself', 'd4:info99:ae'],
    ['with a length of too many digits', `d4:info${'9'.repeat(400)}:ae`],
    ['made of brackets', 'd'.repeat(1_000_000)],
    ['made of deep brackets', `d4:infod6:pieces${'l'.repeat(1_000_000)}`],
  ])('%s is refused', (_what, text) => {
    expect(read('a.torrent', text)).toBe('a.torrent is not a .torrent file')
  })
})
