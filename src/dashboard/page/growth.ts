/**
 * Which torrents grow: the largest ones beside what they were when this browser first looked. The tracker keeps no past
 * of single torrents, which would cost it for each of them whether anybody looks or not.
 */
import { ask } from './api.ts'
import { now } from './format.ts'

export type Summary = {
  readonly info_hash: string
  readonly seeders: number
  readonly completed: number
  readonly leechers: number
}
export type Grown = Summary & { readonly growth: number }

/** How many are compared; a smaller one cannot have grown by more than its size. */
const LARGEST = 2_000
const SHOWN = 50

/** `since`: the growth is that since then; undefined: none was asked for. */
export type Listed = { readonly since: number | undefined; readonly torrents: readonly Grown[] }

type Sample = {
  readonly at: number
  readonly peers: ReadonlyMap<string, number>
  readonly least: number
}

/** When the page was loaded, or soon after. */
let first: Promise<Sample> | undefined

const largest = (signal?: AbortSignal): Promise<readonly Summary[]> =>
  ask(`api/v1/torrents?sort=peers&limit=${LARGEST}`, signal ? { signal } : {})
const sizeOf = ({ seeders, leechers }: Summary): number => seeders + leechers

async function sample(): Promise<Sample> {
  const all = await largest()
  return {
    at: now(),
    peers: new Map(all.map((one) => [one.info_hash, sizeOf(one)])),
    // Others were no larger than the last of a full sample.
    least: all.length < LARGEST ? 0 : sizeOf(all.at(-1)!),
  }
}

/** Remembers how large torrents are, unless that was done before. */
export function beginGrowth(): Promise<Sample> {
  first ??= sample().catch((error) => {
    first = undefined
    throw error
  })
  return first
}

/** Those that grew most since `since` (seconds), the fastest first; nothing if none did. */
export async function fastestGrowing(signal: AbortSignal): Promise<Listed> {
  const { at, peers, least } = await beginGrowth()
  const torrents = (await largest(signal))
    .map((one) => ({ ...one, growth: sizeOf(one) - (peers.get(one.info_hash) ?? least) }))
    .filter(({ growth }) => growth > 0)
    .sort((a, b) => b.growth - a.growth)
    .slice(0, SHOWN)
  return { since: at, torrents }
}
