/**
 * The closed list of reasons for which the tracker itself refuses a well-formed announce, and the
 * words a client is told, the same over every transport (spec/torrust-http-tracker §9–§11). A
 * closed list is also a bounded set of metric labels. None repeats a key.
 */
export const REFUSALS = {
  keyMissing: 'Authentication error: Missing authentication key param for private tracker',
  keyMalformed: 'Authentication error: Invalid format for authentication key param',
  keyUnknown: 'Authentication error: Failed to read key',
  keyExpired: 'Authentication error: Key has expired',
  unlisted: 'Tracker error: The torrent: HASH, is not whitelisted',
  full: 'Tracker error: tracker is full, come back later',
} as const

export type Refusal = keyof typeof REFUSALS

/**
 * Never more than 90 characters: with the 8 bytes in front of them no longer than any announce, so
 * that they may be told over UDP.
 */
export const refusalWords = (refusal: Refusal, infoHash: Uint8Array): string =>
  REFUSALS[refusal].replace('HASH', () => infoHash.toHex())
