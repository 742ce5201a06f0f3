/**
 * What accounting hands to storage and takes from it: sessions to look up, and frozen batches of what they owe. Info
 * hashes are packed, 20 bytes each. Seconds are Unix seconds.
 */
/** Names one write of a process: a batch that is written again under the same name is done once. */
export type BatchName = {
  /** 32 letters and digits, drawn by the process. */
  readonly writer: string
  /** Grows by one with each batch of the writer, from 1. */
  readonly number: number
}

/** What an operator decides about an account. */
export type AccountSettings = {
  /** false: its keys are refused as if they did not exist. */
  readonly enabled: boolean
  readonly canDownload: boolean
  /** Torrents that it may leech at once, and clients on one torrent; null: as configured; 0: no limit. */
  readonly maxDownloads: number | null
  readonly maxPeers: number | null
  /** Of what is moved, so much is credited; from 0 to 1,000. */
  readonly upPercent: number
  readonly downPercent: number
  /** Until this second no download is credited; null: it is. */
  readonly freeUntil: number | null
  /** Its records are not listed with those of a torrent. */
  readonly hidden: boolean
}

export type TorrentSettings = Pick<AccountSettings, 'upPercent' | 'downPercent' | 'freeUntil'>

export const FLAG_KINDS = ['speed', 'no_leechers', 'shared_id'] as const
export type FlagKind = (typeof FLAG_KINDS)[number]

/** Something that looks like cheating. Those of one kind, account and torrent within an hour are one. */
export type Flag = {
  readonly kind: FlagKind
  /** The second at which it was seen first. */
  readonly at: number
  readonly account: number
  readonly infoHash: Uint8Array
  /** Bytes that were claimed, and in how many seconds. */
  readonly bytes: number
  readonly seconds: number
  /** How often. */
  readonly times: number
}

/** Sessions that are not known in memory, and their torrents. A session is (account, torrent, peer). */
export type LookupQuestion = {
  /** Distinct. */
  readonly hashes: Uint8Array
  /** By session: account, place of its torrent in `hashes`, fingerprint of its peer id (two words each). */
  readonly account: Float64Array
  readonly torrent: Int32Array
  readonly peer: Int32Array
}

/** Numbers side by side, `words` for each torrent or session. */
export const FOUND_TORRENT = {
  known: 0,
  upPercent: 1,
  downPercent: 2,
  freeUntil: 3,
  words: 4,
} as const
export const FOUND_SESSION = {
  known: 0,
  /** Baselines. */
  uploaded: 1,
  downloaded: 2,
  seeder: 3,
  seen: 4,
  /** Second until which a token makes its download free; 0: there is none; Infinity: for ever. */
  tokenUntil: 5,
  /** Up to this second the time of its record is counted: the record's `last_seen`; 0: there is no record. */
  counted: 6,
  words: 7,
} as const
export type LookupAnswer = { readonly torrents: Float64Array; readonly sessions: Float64Array }

/** Bits of `SessionBatch.what`. */
export const SESSION = {
  /** The session has nothing left, and is to be stored as such. */
  seeder: 1,
  /** It is over: its row is removed. */
  ended: 2,
  /** What its record is from now on: whether any of its sessions is there, and whether one of these is a seeder's. */
  active: 4,
  recordSeeder: 8,
  /** It completed the torrent, at second `seen` or before. */
  completed: 16,
  /** Its client began anew since it was written last: the baselines may be lower than those that are stored. */
  restarted: 32,
  /** It has a row, as far as this process knows: if there is none, another one ended the session. */
  stored: 64,
} as const

/** What one session owes, side by side. */
export const OWED = {
  uploaded: 0,
  downloaded: 1,
  creditedUploaded: 2,
  creditedDownloaded: 3,
  seedSeconds: 4,
  leechSeconds: 5,
  announces: 6,
  words: 7,
} as const

/** Sessions that owe something or changed: by session, in one order. */
export type SessionBatch = {
  readonly account: Float64Array
  /** Place in `AccountingBatch.hashes`. */
  readonly torrent: Int32Array
  /** Two words each. */
  readonly peer: Int32Array
  /** Baselines that the credit leads to. */
  readonly uploaded: Float64Array
  readonly downloaded: Float64Array
  readonly left: Float64Array
  readonly what: Uint8Array
  readonly began: Float64Array
  readonly seen: Float64Array
  /** `OWED.words` each. */
  readonly owed: Float64Array
  /** 8 bytes each; zeroes: not known, or not kept. */
  readonly client: Uint8Array
}

/** At most `MOST_SESSIONS`. Frozen: it is written, or written again, as it is. */
export type AccountingBatch = BatchName & {
  readonly now: number
  /** false: only figures of torrents are kept, and sessions have no rows. */
  readonly hasAccounts: boolean
  /** Distinct; all of them are torrents of `sessions` or `flags`. A torrent without a row gets one. */
  readonly hashes: Uint8Array
  readonly sessions: SessionBatch
  readonly flags: readonly Flag[]
}
export const MOST_SESSIONS = 2_000
/** Sessions of one look-up. */
export const MOST_LOOKUPS = 500
