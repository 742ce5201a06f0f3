/** What clients are told when they are refused. */
import { describe, expect, test } from 'bun:test'
import {
  REFUSALS,
  type Refusal,
  type RefusalSchema,
  refusalWords,
  udpRefusalWords,
} from '../src/refusal.ts'
import { ANNOUNCE, ANSWER } from '../src/wire/udp.ts'

const infoHash = Uint8Array.from({ length: 20 }, (_, i) => 0xf0 - i * 11)
const hex = Buffer.from(infoHash).toString('hex')

/** What the tests of each generation look for. */
const LOOKED_FOR: Record<RefusalSchema, Record<Exclude<Refusal, 'full'>, string>> = {
  '2.0.0': {
    keyMissing: 'Authentication error: Missing authentication key param for private tracker',
    keyMalformed: 'Authentication error: Invalid format for authentication key param',
    keyUnknown: 'Authentication error: Failed to read key',
    keyExpired: 'Authentication error: Key has expired',
    unlisted: `Tracker error: The torrent: ${hex}, is not whitelisted`,
  },
  '3.0.0': {
    keyMissing: 'Tracker authentication error: Missing authentication key',
    keyMalformed: 'Tracker authentication error: Invalid format for authentication key param',
    keyUnknown: 'Tracker authentication error: Failed to read key',
    keyExpired: 'Tracker authentication error: Key has expired',
    unlisted: `Tracker whitelist error: The torrent: ${hex}, is not whitelisted`,
  },
}

describe.each(Object.keys(REFUSALS) as RefusalSchema[])('in schema %s', (schema) => {
  test.each(Object.entries(LOOKED_FOR[schema]))('%s is said in its own words', (refusal, words) => {
    expect(refusalWords(refusal as Refusal, infoHash, schema)).toBe(words)
  })

  test.each(Object.keys(REFUSALS[schema]) as Refusal[])(
    '%s fits an answer to any UDP announce',
    (refusal) => {
      const words = udpRefusalWords(refusal, infoHash, schema)
      expect(words).toMatch(/^[ -~]+$/)
      expect(words.length + ANSWER.errorAt).toBeLessThanOrEqual(ANNOUNCE.end)
    },
  )
})

test('over UDP the words are those of HTTP, where they fit', () => {
  const differing = (schema: RefusalSchema) =>
    (Object.keys(REFUSALS[schema]) as Refusal[]).filter(
      (refusal) =>
        udpRefusalWords(refusal, infoHash, schema) !== refusalWords(refusal, infoHash, schema),
    )
  expect(differing('2.0.0')).toEqual([])
  expect(differing('3.0.0')).toEqual(['unlisted'])
  expect(udpRefusalWords('unlisted', infoHash, '3.0.0')).toBe(LOOKED_FOR['2.0.0'].unlisted)
})
