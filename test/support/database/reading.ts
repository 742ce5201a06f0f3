/** A whole table through the contract, for comparisons. */
import type { Database, KeyRow, Part } from '../../../src/database/contract.ts'
import { join, texts } from './hashes.ts'

export async function readParts<T>(
  read: (from: bigint) => Promise<Part<T>>,
  from: bigint | undefined = 0n,
): Promise<T[]> {
  const parts: T[] = []
  for (let at: bigint | undefined = from; at !== undefined; ) {
    const part: Part<T> = await read(at)
    parts.push(part.rows)
    at = part.next
  }
  return parts
}

/** The whole whitelist as sorted text. */
export const readHashes = async (database: Database): Promise<string[]> =>
  texts(join(...(await readParts((from) => database.readWhitelist(from)))))

/** All keys, sorted. */
export const readKeys = async (database: Database): Promise<KeyRow[]> =>
  (await readParts((from) => database.readKeys(from)))
    .flat()
    .sort((a, b) => (a.key < b.key ? -1 : 1))
