/**
 * Accounting as JSON: accounts, torrents, records and flags, with integers of 64 bits as they are. No figure names a key
 * or an address.
 */
import type { Flag } from '../accounting/batch.ts'
import type {
  AccountRow,
  Changes,
  Figures,
  FlagRow,
  RecordRow,
  TorrentRow,
} from '../database/accounting-contract.ts'
import { jsonArray } from './paging.ts'

/** Rows printed at once. */
const BATCH = 1_000

/** Decimals of a ratio. */
const DECIMALS = 1_000n

/** Credited upload for each credited byte of download; null: there was no download. */
function printRatio({ creditedUploaded: up, creditedDownloaded: down }: Figures): string {
  if (down === 0n) return 'null'
  const thousandths = (up * DECIMALS + down / 2n) / down
  const decimals = `${thousandths % DECIMALS}`.padStart(3, '0').replace(/0+$/, '')
  return `${thousandths / DECIMALS}${decimals && `.${decimals}`}`
}

const moved = (row: Figures): string =>
  `"uploaded":${row.uploaded},"downloaded":${row.downloaded},"credited_uploaded":${row.creditedUploaded},"credited_downloaded":${row.creditedDownloaded},"seed_seconds":${row.seedSeconds},"leech_seconds":${row.leechSeconds}`

/** `activity`: how many torrents it leeches and seeds; feeds leave that out. */
export function printAccount(
  row: AccountRow,
  activity?: { readonly leeching: number; readonly seeding: number },
): string {
  const now =
    activity === undefined ? '' : `,"leeching":${activity.leeching},"seeding":${activity.seeding}`
  return [
    `{"id":${row.id},"user_id":${row.userId},${moved(row)}`,
    `"snatches":${row.snatches},"ratio":${printRatio(row)}${now}`,
    `"enabled":${row.enabled},"can_download":${row.canDownload}`,
    `"max_downloads":${row.maxDownloads},"max_peers":${row.maxPeers}`,
    `"up_percent":${row.upPercent},"down_percent":${row.downPercent},"free_until":${row.freeUntil}`,
    `"hidden":${row.hidden},"created":${row.created},"last_seen":${row.lastSeen},"batch":${row.batch}}`,
  ].join(',')
}

/** Without braces. */
export const torrentMembers = (row: TorrentRow): string =>
  `"uploaded":${row.uploaded},"downloaded":${row.downloaded},"balance":${row.uploaded - row.downloaded},"snatches":${row.snatches},"seed_seconds":${row.seedSeconds},"up_percent":${row.upPercent},"down_percent":${row.downPercent},"free_until":${row.freeUntil},"last_seen":${row.lastSeen},"batch":${row.batch}`

export const printTorrent = (row: TorrentRow): string =>
  `{"info_hash":"${row.infoHash.toHex()}",${torrentMembers(row)}}`

export const printRecord = (row: RecordRow): string =>
  [
    `{"account":${row.account},"user_id":${row.userId},"info_hash":"${row.infoHash.toHex()}",${moved(row)}`,
    `"left":${row.left},"active":${row.isActive},"seeder":${row.isSeeder}`,
    `"started":${row.started},"completed":${row.completed},"last_seen":${row.lastSeen}`,
    `"announces":${row.announces},"client":${JSON.stringify(row.client)},"batch":${row.batch}}`,
  ].join(',')

const flagMembers = (flag: Flag): string =>
  `"kind":"${flag.kind}","at":${flag.at},"account":${flag.account},"info_hash":"${flag.infoHash.toHex()}","bytes":${flag.bytes},"seconds":${flag.seconds},"times":${flag.times}`

export const printFlag = (row: FlagRow): string =>
  `{"id":${row.id},${flagMembers(row)},"reviewed":${row.reviewed}}`

/** A flag as a feed shows it when it is raised. */
export const printRaised = (flag: Flag, batch: number): string =>
  `{${flagMembers(flag)},"batch":${batch}}`

/** One line, part by part. */
export async function* printChanges(changes: Changes): AsyncGenerator<string> {
  const { accounts, torrents, records, deleted, next, isLast } = changes
  yield '{"accounts":'
  yield* jsonArray(printed(accounts, (row) => printAccount(row)))
  yield ',"torrents":'
  yield* jsonArray(printed(torrents, printTorrent))
  yield ',"records":'
  yield* jsonArray(printed(records, printRecord))
  yield `,"deleted":[${deleted.join(',')}],"next":${next},"is_last":${isLast}}`
}

function* printed<Row>(
  rows: readonly Row[],
  print: (row: Row) => string,
): Generator<readonly string[]> {
  for (let at = 0; at < rows.length; at += BATCH) yield rows.slice(at, at + BATCH).map(print)
}
