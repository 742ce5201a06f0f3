/** The words with which clients are refused. */
import { expect, test } from 'bun:test'
import { REFUSALS, type Refusal, refusalText, udpRefusalText } from '../src/refusal.ts'
import { ANNOUNCE, ANSWER } from '../src/wire/udp.ts'

const infoHash = Uint8Array.from({ length: 20 }, (_, i) => 0xf0 - i * 11)
const hex = infoHash.toHex()

/** What the tests of each generation of the reference look for; one text where both have the same. */
const WORDS: Record<Refusal, readonly [older: string, newer?: string]> = {
  badDatagram: [`bad request: ${hex}`],
  badQuery: [hex],
  announceUnproven: ['tracker announce error: Connection cookie error'],
  scrapeUnproven: ['Connection cookie error'],
  keyMissing: [
    'Authentication error: Missing authentication key param for private tracker',
    'Tracker authentication error: Missing authentication key',
  ],
  keyMalformed: [
    'Authentication error: Invalid format for authentication key param',
    'Tracker authentication error: Invalid format for authentication key param',
  ],
  keyUnknown: [
    'Authentication error: Failed to read key',
    'Tracker authentication error: Failed to read key',
  ],
  keyExpired: [
    'Authentication error: Key has expired',
    'Tracker authentication error: Key has expired',
  ],
  unlisted: [
    `Tracker error: The torrent: ${hex}, is not whitelisted`,
    `Tracker whitelist error: The torrent: ${hex}, is not whitelisted`,
  ],
  addressNotForwarded: [
    'Error resolving peer IP: missing or invalid the right most X-Forwarded-For IP (mandatory on reverse proxy tracker configuration)',
  ],
  addressUnknown: ['Error resolving peer IP: cannot get the client IP from the connection info'],
  addressIsName: ['DNS names are not supported for the announce ip parameter'],
  addressInvalid: ['The announce ip parameter must be an IPv4 or IPv6 literal'],
  banned: ['too many wrong connection ids'],
  full: ['Tracker error: tracker is full, come back later'],
}

test.each(REFUSALS)('H15, K11: %s has the words of each generation', (refusal) => {
  const [older, newer = older] = WORDS[refusal]
  expect(refusalText(refusal, '2.0.0', infoHash)).toBe(older)
  expect(refusalText(refusal, '3.0.0', infoHash)).toBe(newer)
})

test('what a reader says is repeated as it is', () => {
  expect(refusalText('badDatagram', '3.0.0', 'Invalid $& action')).toBe(
    'bad request: Invalid $& action',
  )
  expect(refusalText('badQuery', '3.0.0', 'Bad DETAIL')).toBe('Bad DETAIL')
})

test('U11: over UDP the words are the same, or the older ones where they do not fit an announce', () => {
  const overHttp = /^address|^badQuery/
  for (const refusal of REFUSALS.filter((one) => !overHttp.test(one))) {
    const [older, newer = older] = WORDS[refusal]
    expect(udpRefusalText(refusal, '2.0.0', infoHash)).toBe(older)
    const words = udpRefusalText(refusal, '3.0.0', infoHash)
    expect(words).toBe(refusal === 'unlisted' ? older : newer)
    expect(words).toMatch(/^[ -~]+$/)
    expect(words.length + ANSWER.errorAt).toBeLessThanOrEqual(ANNOUNCE.end)
  }
})
