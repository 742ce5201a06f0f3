/** Torrents as accounting knows them, and tokens. */
import type { TorrentSettings } from '../accounting/batch.ts'
import type { TorrentRow } from './accounting-contract.ts'
import { orNull, readTorrent } from './accounting-rows.ts'
import type { Turn } from './accounting-turn.ts'
import { batch, padded, writePadded } from './dialects.ts'
import { hashTexts } from './schema.ts'
import { wholeNumber } from './session.ts'

/** Ids in the order of `texts`, which are distinct. Torrents that are not known yet get a row. */
async function idsOf(turn: Turn, texts: readonly string[]): Promise<bigint[]> {
  const { session, sql, sequence } = turn
  const rows = await padded(session, sql.torrentRules, texts)
  const known = new Map(rows.map(([text, id]) => [String(text), wholeNumber(id)!]))
  const missing = texts
    .filter((text) => !known.has(text))
    .map((text) => [turn.nextTorrent(), text, sequence] as const)
  await batch(session, sql.addTorrents, missing)
  for (const [id, text] of missing) known.set(text, id)
  return texts.map((text) => known.get(text)!)
}

export async function changeTorrents(
  turn: Turn,
  hashes: Uint8Array,
  { upPercent, downPercent, freeUntil }: Partial<TorrentSettings>,
): Promise<TorrentRow[]> {
  const { session, sql, sequence } = turn
  const texts = hashTexts(hashes)
  const distinct = [...new Set(texts)]
  const ids = await idsOf(turn, distinct)
  const set = (statement: string, value: bigint | null) =>
    writePadded(session, statement, [value, sequence], ids)
  if (upPercent !== undefined) await set(sql.setUpPercent, BigInt(upPercent))
  if (downPercent !== undefined) await set(sql.setDownPercent, BigInt(downPercent))
  if (freeUntil !== undefined) await set(sql.setFreeUntil, orNull(freeUntil))
  const rows = await padded(session, sql.torrents, distinct)
  const torrents = new Map(rows.map((row) => [String(row[0]), readTorrent(row)]))
  await turn.end()
  return texts.map((text) => torrents.get(text)!)
}

export async function putToken(
  turn: Turn,
  account: number,
  infoHash: Uint8Array,
  until: number | null,
): Promise<boolean> {
  const { session, sql } = turn
  const known = await session.rows(sql.account, [BigInt(account)])
  if (known.length === 0) return false
  const [torrent] = await idsOf(turn, hashTexts(infoHash))
  await batch(session, sql.putToken, [[BigInt(account), torrent!, orNull(until)]])
  await turn.end()
  return true
}

export async function removeToken(
  { session, sql }: Turn,
  account: number,
  infoHash: Uint8Array,
): Promise<boolean> {
  const [row] = await padded(session, sql.torrentRules, hashTexts(infoHash))
  const id = wholeNumber(row?.[1])
  if (id === null) return false
  return (await writePadded(session, sql.removeToken, [], [[BigInt(account), id]])) > 0
}
