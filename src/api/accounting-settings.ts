/** What the bodies and queries of accounting ask for, in the words of the store. */
import type { AccountSettings, TorrentSettings } from '../accounting/batch.ts'
import type { Adjustment, RecordQuery } from '../database/accounting-contract.ts'
import { Failure } from './failures.ts'
import { WRONG_SHAPE } from './json-body.ts'

const TORRENT_SETTINGS = {
  up_percent: 'upPercent',
  down_percent: 'downPercent',
  free_until: 'freeUntil',
} as const satisfies Record<string, keyof TorrentSettings>
const ACCOUNT_SETTINGS = {
  enabled: 'enabled',
  can_download: 'canDownload',
  max_downloads: 'maxDownloads',
  max_peers: 'maxPeers',
  ...TORRENT_SETTINGS,
  hidden: 'hidden',
} as const satisfies Record<string, keyof AccountSettings>
/** A body as its schema has checked it. */
type Body = Readonly<Record<string, unknown>>

const AMOUNTS = {
  credited_uploaded: 'creditedUploaded',
  credited_downloaded: 'creditedDownloaded',
} as const satisfies Record<string, keyof Adjustment>

type Read<T> = {
  readonly wanted: T
  /** For the log. */
  readonly text: string
}

// Each throws if the body names nothing of it.
export const accountSettingsIn = (body: Body): Read<Partial<AccountSettings>> =>
  read(body, ACCOUNT_SETTINGS, (value) => value)
export const torrentSettingsIn = (body: Body): Read<Partial<TorrentSettings>> =>
  read(body, TORRENT_SETTINGS, (value) => value)
export const adjustmentIn = (body: Body): Read<Adjustment> =>
  read(body, AMOUNTS, (value) => BigInt(value as number | bigint))

function read(
  body: Body,
  names: Readonly<Record<string, string>>,
  convert: (value: unknown) => unknown,
): Read<object> {
  const found = Object.entries(names).filter(([member]) => body[member] !== undefined)
  if (found.length === 0)
    throw new Failure(
      422,
      `${WRONG_SHAPE}missing field, expected one of ${Object.keys(names)
        .map((name) => `\`${name}\``)
        .join(', ')}`,
    )
  return {
    wanted: Object.fromEntries(found.map(([member, name]) => [name, convert(body[member])])),
    text: found.map(([member]) => `${member}=${body[member]}`).join(', '),
  }
}

/** Seconds: what UNIT3D asks for at first. */
const MIN_SEED_SECONDS = 7 * 86_400
const GRACE_SECONDS = 3 * 86_400

type HitAndRunQuery = {
  readonly hit_and_run?: string | undefined
  readonly min_seed_seconds?: string | undefined
  readonly grace_seconds?: string | undefined
}
/** `now`: second. */
export function hitAndRunIn(query: HitAndRunQuery, now: number): RecordQuery['hitAndRun'] {
  if (query.hit_and_run !== '1' && query.hit_and_run !== 'true') return undefined
  return {
    minSeedSeconds: Number(query.min_seed_seconds ?? MIN_SEED_SECONDS),
    lastSeenBefore: now - Number(query.grace_seconds ?? GRACE_SECONDS),
  }
}
