/** Which terms apply to an announce: what the operator configured, and decided for a torrent or an account. */

import type { Holdings } from './holdings.ts'
import type { AccountingLevel } from './limits.ts'
import { downPercentOf, type OverSpeed, type Terms, upPercentOf } from './rules.ts'
import { isBefore } from './torrents.ts'

export type BookSettings = {
  readonly level: AccountingLevel
  /** Of what everybody moves, so much is credited; from 0 to 1,000. */
  readonly upPercent: number
  readonly downPercent: number
  readonly maxBytesPerSecond: number
  readonly overSpeed: OverSpeed
  /** Whether names of clients are kept. */
  readonly storeClients: boolean
  readonly peerTimeoutSeconds: number
  /** Seconds after which sessions are written that owe nothing but time. */
  readonly idleSeconds: number
}

/** Terms of a session that is looked up: what percentages apply is not known yet. */
export function fillUnpriced(terms: Terms, settings: BookSettings): void {
  terms.upPercent = terms.downPercent = 100
  terms.timeout = terms.longestGap = settings.peerTimeoutSeconds
  terms.mostPerSecond = settings.maxBytesPerSecond
  terms.overSpeed = settings.overSpeed
}

/** Terms of an announce in a record at second `now`. */
export function fillTerms(
  terms: Terms,
  settings: BookSettings,
  { accounts, torrents, records }: Holdings,
  record: number,
  now: number,
): void {
  fillUnpriced(terms, settings)
  const account = records.account(record)
  const torrent = records.torrent(record)
  const isFree =
    isBefore(now, records.tokenUntil(record)) ||
    isBefore(now, torrents.freeUntil(torrent)) ||
    isBefore(now, accounts.freeUntil(account))
  terms.upPercent = upPercentOf(
    settings.upPercent,
    torrents.upPercent(torrent),
    accounts.upPercent(account),
  )
  terms.downPercent = isFree
    ? 0
    : downPercentOf(
        settings.downPercent,
        torrents.downPercent(torrent),
        accounts.downPercent(account),
      )
}
