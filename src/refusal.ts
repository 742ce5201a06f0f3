/**
 * The closed list of reasons for which a client is refused, whatever the transport, and the words it gets
 * (docs/behaviours.md H15, K11, U11). The names are a bounded set of metric labels. No text repeats an auth
 * key.
 */

/** Each generation of the reference has words of its own, and clients that look for them. */
export type RefusalSchema = '2.0.0' | '3.0.0'

/** DETAIL stands for the info hash or for what the reader of the request says. */
const TEXTS = {
  /** A datagram that is not a request; the reader names the problem. */
  badDatagram: 'bad request: DETAIL',
  /** A query that is not understood; the reader says all of it. */
  badQuery: 'DETAIL',
  /** The connection id does not prove the sender, in the words of each request that carries one. */
  announceUnproven: 'tracker announce error: Connection cookie error',
  scrapeUnproven: 'Connection cookie error',
  keyMalformed: {
    '2.0.0': 'Authentication error: Invalid format for authentication key param',
    '3.0.0': 'Tracker authentication error: Invalid format for authentication key param',
  },
  keyMissing: {
    '2.0.0': 'Authentication error: Missing authentication key param for private tracker',
    '3.0.0': 'Tracker authentication error: Missing authentication key',
  },
  keyUnknown: {
    '2.0.0': 'Authentication error: Failed to read key',
    '3.0.0': 'Tracker authentication error: Failed to read key',
  },
  keyExpired: {
    '2.0.0': 'Authentication error: Key has expired',
    '3.0.0': 'Tracker authentication error: Key has expired',
  },
  unlisted: {
    '2.0.0': 'Tracker error: The torrent: DETAIL, is not whitelisted',
    '3.0.0': 'Tracker whitelist error: The torrent: DETAIL, is not whitelisted',
  },
  /** The address of the peer is not known: the proxy did not name it, or the connection is gone. */
  addressNotForwarded:
    'Error resolving peer IP: missing or invalid the right most X-Forwarded-For IP (mandatory on reverse proxy tracker configuration)',
  addressUnknown: 'Error resolving peer IP: cannot get the client IP from the connection info',
  /** The `ip` that the client names is a DNS name, or nothing that could be an address. */
  addressIsName: 'DNS names are not supported for the announce ip parameter',
  addressInvalid: 'The announce ip parameter must be an IPv4 or IPv6 literal',
  /** Its sender showed too many wrong connection ids. UDP gives no answer at all, and HTTP has no such ids. */
  banned: 'too many wrong connection ids',
  /** Memory is spent. */
  full: 'Tracker error: tracker is full, come back later',
} as const satisfies Record<string, string | Record<RefusalSchema, string>>

export type Refusal = keyof typeof TEXTS
export const REFUSALS = Object.keys(TEXTS) as readonly Refusal[]

/**
 * What is said beside counts and no peers where an account is over a limit, by `Limit`. Short: some clients show no more
 * than 64 characters.
 */
export const WARNINGS = {
  slots: 'Download slots are all in use',
  clients: 'Too many clients on this torrent',
  noDownload: 'Downloading is disabled for this account',
} as const

/** How an outcome is called in metrics and in the log: `keyMissing` as `key_missing`. */
export const outcomeName = (outcome: string): string =>
  outcome.replaceAll(/[A-Z]/g, (one) => `_${one.toLowerCase()}`)

/** How a request ended. */
export type Outcome = 'served' | Refusal

/** The texts of one generation, in two halves around DETAIL where they have it: a flood is refused in them. */
const partsOf = (schema: RefusalSchema) =>
  Object.fromEntries(
    Object.entries(TEXTS).map(([refusal, texts]) => {
      const text = typeof texts === 'string' ? texts : texts[schema]
      return [refusal, text.includes('DETAIL') ? text.split('DETAIL') : text]
    }),
  ) as Record<Refusal, string | readonly [string, string]>

const PARTS = { '2.0.0': partsOf('2.0.0'), '3.0.0': partsOf('3.0.0') }

/** Words for HTTP clients. `detail`: an info hash, or text of the reader. */
export function refusalText(
  refusal: Refusal,
  schema: RefusalSchema,
  detail: Uint8Array | string = '',
): string {
  const parts = PARTS[schema][refusal]
  if (typeof parts === 'string') return parts
  return parts[0] + (typeof detail === 'string' ? detail : detail.toHex()) + parts[1]
}

/** With the 8 bytes in front of them no longer than any announce. */
const MOST_UDP_CHARACTERS = 90

/** The same for UDP clients: where the words do not fit, those of 2.0.0 stand for them. */
export function udpRefusalText(
  refusal: Refusal,
  schema: RefusalSchema,
  detail: Uint8Array | string = '',
): string {
  const text = refusalText(refusal, schema, detail)
  return text.length <= MOST_UDP_CHARACTERS ? text : refusalText(refusal, '2.0.0', detail)
}
