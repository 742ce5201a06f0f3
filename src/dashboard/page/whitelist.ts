/** Changes of the whitelist, and whether a torrent is in it. */
import { ask } from './api.ts'
import { partOf } from './ordered-list.ts'

export const WHITELIST = 'api/v1/whitelist'

const change = (method: 'POST' | 'DELETE') => async (hashes: readonly string[]) => {
  await ask(`${WHITELIST}/bulk`, { method, body: { info_hashes: hashes } })
}
export const addToWhitelist = change('POST')
export const removeFromWhitelist = change('DELETE')

export const whitelistPart = (
  start: string,
  offset: number,
  size: number,
  signal: AbortSignal,
): Promise<readonly string[]> =>
  partOf<string>(WHITELIST, { start, offset, size }, (hash) => hash, signal)
