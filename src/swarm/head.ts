/**
 * What the memory of a shard says it is: written when it is reserved, read by every thread that attaches to it. A
 * later program can decide from the head alone whether it may use, has to convert or must refuse what an earlier
 * one left.
 */
import type { Seed } from '../memory/hash.ts'
import {
  BATCH,
  type Capacity,
  CHUNK,
  carvePeers,
  carveTorrents,
  type FamilyRow,
  HEAD,
  HEADER,
  MAGIC,
  type ShardMemory,
  sizeOf,
  VERSION,
} from './layout.ts'

/** `memory` is still empty. */
export function writeHead(
  memory: ShardMemory,
  families: readonly FamilyRow[],
  { torrents, ledger, slots }: Capacity,
  shard: number,
  seed: Seed,
): void {
  const head = new Int32Array(memory.torrents, HEADER.head * 4)
  head[HEAD.version] = VERSION
  head[HEAD.shard] = shard
  head[HEAD.torrents] = torrents
  head[HEAD.ledger] = ledger
  head.set(seed, HEAD.seed)
  for (const [i, { family }] of families.entries()) {
    head[HEAD.families + i] = family
    head[HEAD.slots + i] = slots[i]!
  }
  // Last: without it the rest means nothing.
  head[HEAD.magic] = MAGIC
}

/** What shard number `shard` can hold, as its head says. Throws an Error that says why it is refused. */
export function readHead(
  memory: ShardMemory,
  families: readonly FamilyRow[],
  shard: number,
): Capacity {
  const check = (isRight: boolean, why: string): void => {
    if (!isRight) throw new Error(`the memory of shard ${shard} ${why}`)
  }
  const bytes = memory.torrents.byteLength
  check(bytes >= HEADER.words * 4, `has ${bytes} bytes, too few for a head`)
  const head = new Int32Array(memory.torrents, HEADER.head * 4)
  const magic = head[HEAD.magic]!
  check(magic === MAGIC, `begins with ${hex(magic)} instead of ${hex(MAGIC)}`)
  const version = head[HEAD.version]!
  check(version === VERSION, `has layout version ${version}; this program knows ${VERSION}`)
  check(head[HEAD.shard] === shard, `belongs to shard ${head[HEAD.shard]}`)
  const numbers = head.slice(HEAD.families, HEAD.families + HEAD.mostFamilies)
  const found = numbers.filter((family) => family !== 0).join()
  const expected = families.map(({ family }) => family).join()
  check(found === expected, `is of families ${found}, not ${expected}`)

  const torrents = head[HEAD.torrents]!
  const ledger = head[HEAD.ledger]!
  check(ledger === 0 || ledger === torrents, `has a ledger for ${ledger} of ${torrents} torrents`)
  check(torrents > 0 && torrents % BATCH === 0, `cannot have room for ${torrents} torrents`)
  const need = sizeOf((carver) => carveTorrents(carver, { torrents, ledger }, families))
  check(bytes >= need, `has ${bytes} bytes for torrents, too few for ${torrents}`)
  const slots = families.map((row, i) => {
    const most = head[HEAD.slots + i]!
    const what = `peers of family ${row.family}`
    check(most > 0 && most % CHUNK === 0, `cannot have room for ${most} ${what}`)
    const room = memory.peers[i]?.byteLength ?? 0
    const need = sizeOf((carver) => carvePeers(carver, row, most))
    check(room >= need, `has ${room} bytes for ${what}, too few for ${most}`)
    return most
  })
  return { torrents, ledger, slots }
}

const hex = (word: number): string => `0x${(word >>> 0).toString(16).padStart(8, '0')}`
