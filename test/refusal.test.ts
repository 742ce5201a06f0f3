/** The words with which clients are refused. */
import { describe, expect, test } from 'bun:test'
import {
  REFUSALS,
  type Refusal,
  type RefusalSchema,
  refusalText,
  udpRefusalText,
} from '../src/refusal.ts'
import { ANNOUNCE, ANSWER } from '../src/wire/udp.ts'

const infoHash = Uint8Array.from({ length: 20 }, (_, i) => 0xf0 - i * 11)
const hex = Buffer.from(infoHash).toString('hex')

const SCHEMAS: readonly RefusalSchema[] = ['2.0.0', '3.0.0']
const HTTP_ONLY: readonly Refusal[] = [
  'badQuery',
  'addressNotForwarded',
  'addressUnknown',
  'addressIsName',
  'addressInvalid',
]
/** Its length depends on the problem; the server checks each. */
const OVER_UDP = REFUSALS.filter(
  (refusal) => !HTTP_ONLY.includes(refusal) && refusal !== 'badDatagram',
)

/** What the tests of each generation look for. */
const BOTH = {
  announceUnproven: 'tracker announce error: Connection cookie error',
  scrapeUnproven: 'Connection cookie error',
  addressNotForwarded:
    'Error resolving peer IP: missing or invalid the right most X-Forwarded-For IP (mandatory on reverse proxy tracker configuration)',
  addressUnknown: 'Error resolving peer IP: cannot get the client IP from the connection info',
  addressIsName: 'DNS names are not supported for the announce ip parameter',
  addressInvalid: 'The announce ip parameter must be an IPv4 or IPv6 literal',
  full: 'Tracker error: tracker is full, come back later',
}
const LOOKED_FOR: Record<RefusalSchema, Partial<Record<Refusal, string>>> = {
  '2.0.0': {
    ...BOTH,
    keyMissing: 'Authentication error: Missing authentication key param for private tracker',
    keyMalformed: 'Authentication error: Invalid format for authentication key param',
    keyUnknown: 'Authentication error: Failed to read key',
    keyExpired: 'Authentication error: Key has expired',
    unlisted: `Tracker error: The torrent: ${hex}, is not whitelisted`,
  },
  '3.0.0': {
    ...BOTH,
    keyMissing: 'Tracker authentication error: Missing authentication key',
    keyMalformed: 'Tracker authentication error: Invalid format for authentication key param',
    keyUnknown: 'Tracker authentication error: Failed to read key',
    keyExpired: 'Tracker authentication error: Key has expired',
    unlisted: `Tracker whitelist error: The torrent: ${hex}, is not whitelisted`,
  },
}

describe.each(SCHEMAS)('in schema %s', (schema) => {
  test.each(Object.entries(LOOKED_FOR[schema]))('%s has its own words', (refusal, words) => {
    expect(refusalText(refusal as Refusal, schema, infoHash)).toBe(words)
  })

  test('every refusal has words of its own, those of a reader in its words', () => {
    const listed = [...Object.keys(LOOKED_FOR[schema]), 'badDatagram', 'badQuery']
    expect(listed.toSorted()).toEqual(REFUSALS.toSorted())
    expect(refusalText('badDatagram', schema, 'Invalid $& action')).toBe(
      'bad request: Invalid $& action',
    )
    expect(refusalText('badQuery', schema, 'Bad DETAIL')).toBe('Bad DETAIL')
  })

  test.each(OVER_UDP)('%s fits an answer to any UDP announce', (refusal) => {
    const words = udpRefusalText(refusal, schema, infoHash)
    expect(words).toMatch(/^[ -~]+$/)
    expect(words.length + ANSWER.errorAt).toBeLessThanOrEqual(ANNOUNCE.end)
  })
})

test('over UDP the words are those of HTTP, where they fit', () => {
  const differing = (schema: RefusalSchema) =>
    REFUSALS.filter(
      (refusal) =>
        udpRefusalText(refusal, schema, infoHash) !== refusalText(refusal, schema, infoHash),
    )
  expect(differing('2.0.0')).toEqual([])
  expect(differing('3.0.0')).toEqual(['unlisted'])
  expect(udpRefusalText('unlisted', '3.0.0', infoHash)).toBe(LOOKED_FOR['2.0.0'].unlisted!)
})
