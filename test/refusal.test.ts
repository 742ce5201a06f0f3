/** What clients are told when they are refused. */
import { expect, test } from 'bun:test'
import { REFUSALS, type Refusal, refusalWords } from '../src/refusal.ts'
import { ANNOUNCE, ANSWER } from '../src/wire/udp.ts'

const infoHash = Uint8Array.from({ length: 20 }, (_, i) => 0xf0 - i * 11)

test('the whitelist names the torrent in small hex digits', () => {
  expect(refusalWords('unlisted', infoHash)).toBe(
    `Tracker error: The torrent: ${Buffer.from(infoHash).toString('hex')}, is not whitelisted`,
  )
})

test.each(Object.keys(REFUSALS) as Refusal[])(
  '%s fits an answer to any UDP announce',
  (refusal) => {
    const words = refusalWords(refusal, infoHash)
    expect(words).toMatch(/^[ -~]+$/)
    expect(words.length + ANSWER.errorAt).toBeLessThanOrEqual(ANNOUNCE.end)
  },
)
