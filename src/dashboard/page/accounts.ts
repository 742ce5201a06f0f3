/** Accounts as the API shows them. Sums have 64 bits: those above 2^53 are rounded, which no reader sees. */
import { count } from './format.ts'

export type Settings = {
  readonly enabled: boolean
  readonly can_download: boolean
  /** null: as configured; 0: no limit. */
  readonly max_downloads: number | null
  readonly max_peers: number | null
  readonly up_percent: number
  readonly down_percent: number
  /** Seconds since the epoch; null: not free. */
  readonly free_until: number | null
  readonly hidden: boolean
}
/** Bytes and seconds. */
export type Figures = {
  readonly uploaded: number
  readonly downloaded: number
  readonly credited_uploaded: number
  readonly credited_downloaded: number
  readonly seed_seconds: number
}
/** What the site calls the user, in digits, which may be more than a number holds. */
export type UserId = string | null
export type Account = Settings &
  Figures & {
    readonly id: number
    readonly user_id: UserId
    readonly snatches: number
    readonly ratio: number | null
    readonly leeching: number
    readonly seeding: number
    readonly created: number
    readonly last_seen: number | null
    readonly batch: number
  }

export const userName = (account: number, userId: UserId): string =>
  userId === null ? `account ${account}` : `user ${userId}`

/** `1.25`, `1,204`; `–`: nothing was downloaded. */
export const ratioText = (ratio: number | null): string =>
  ratio === null ? '–' : ratio < 100 ? ratio.toFixed(2) : count(Math.round(ratio))

/** Changes only when a setting does: figures grow all the time. */
export const settingsKey = (account: Settings): string => {
  const { enabled, can_download, max_downloads, max_peers, up_percent, down_percent } = account
  const { free_until, hidden } = account
  return JSON.stringify([
    [enabled, can_download, hidden],
    [max_downloads, max_peers, up_percent, down_percent, free_until],
  ])
}
