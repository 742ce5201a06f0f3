/**
 * The closed list of reasons for which the tracker itself refuses a well-formed announce, and the
 * words a client is told (spec/torrust-http-tracker §9–§11). A closed list is also a bounded set of
 * metric labels. None repeats a key.
 */

/** By schema: each generation of the reference has words of its own, and clients that look for them. */
export const REFUSALS = {
  '2.0.0': {
    keyMissing: 'Authentication error: Missing authentication key param for private tracker',
    keyMalformed: 'Authentication error: Invalid format for authentication key param',
    keyUnknown: 'Authentication error: Failed to read key',
    keyExpired: 'Authentication error: Key has expired',
    unlisted: 'Tracker error: The torrent: HASH, is not whitelisted',
    full: 'Tracker error: tracker is full, come back later',
  },
  '3.0.0': {
    keyMissing: 'Tracker authentication error: Missing authentication key',
    keyMalformed: 'Tracker authentication error: Invalid format for authentication key param',
    keyUnknown: 'Tracker authentication error: Failed to read key',
    keyExpired: 'Tracker authentication error: Key has expired',
    unlisted: 'Tracker whitelist error: The torrent: HASH, is not whitelisted',
    full: 'Tracker error: tracker is full, come back later',
  },
} as const

export type RefusalSchema = keyof typeof REFUSALS
export type Refusal = keyof (typeof REFUSALS)[RefusalSchema]

/** What HTTP clients are told. */
export const refusalWords = (
  refusal: Refusal,
  infoHash: Uint8Array,
  schema: RefusalSchema,
): string => REFUSALS[schema][refusal].replace('HASH', () => infoHash.toHex())

/** With the 8 bytes in front of them no longer than any announce. */
const MOST_UDP_CHARACTERS = 90

/** The same over UDP, where those of 2.0.0 stand for what does not fit. */
export function udpRefusalWords(
  refusal: Refusal,
  infoHash: Uint8Array,
  schema: RefusalSchema,
): string {
  const words = refusalWords(refusal, infoHash, schema)
  return words.length <= MOST_UDP_CHARACTERS ? words : refusalWords(refusal, infoHash, '2.0.0')
}
