/**
 * What the buffers of a shard say they are: written when they are reserved, read by every thread that attaches
 * to them. A later program can decide from the heads alone whether it may use, has to convert or must refuse
 * what an earlier one left.
 */
import { SEED_WORDS, type Seed } from '../memory/hash.ts'
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

/** The head of one buffer, see HEAD of layout.ts. */
type Head = {
  /** 0 = torrents. */
  readonly family: number
  readonly capacity: number
  readonly ledger: number
  readonly halves: number
  readonly shard: number
  readonly families: readonly number[]
  readonly seed: Seed
}

/** Writes the heads of buffers that are still empty. */
export function writeHeads(
  memory: ShardMemory,
  families: readonly FamilyRow[],
  { torrents, ledger, slots }: Capacity,
  shard: number,
  seed: Seed,
): void {
  const write = (words: Int32Array, fields: readonly (readonly [number, number])[]) => {
    words[HEAD.version] = VERSION
    words[HEAD.shard] = shard
    words.set(seed, HEAD.seed)
    for (const [at, value] of fields) words[at] = value
    // Last: without it the rest means nothing.
    words[HEAD.magic] = MAGIC
  }
  write(new Int32Array(memory.torrents, HEADER.head * 4, HEAD.words), [
    [HEAD.capacity, torrents],
    [HEAD.ledger, ledger],
    ...families.map(({ family }, i) => [HEAD.families + i, family] as const),
  ])
  for (const [i, { family, halves }] of families.entries())
    write(new Int32Array(memory.peers[i]!, 0, HEAD.words), [
      [HEAD.family, family],
      [HEAD.capacity, slots[i]!],
      [HEAD.halves, halves],
    ])
}

/** The head that begins at word `at` of a buffer; a sentence without a subject says why there is none. */
export function readHead(memory: SharedArrayBuffer, at: number): Head | string {
  if (memory.byteLength < (at + HEAD.words) * 4)
    return `has ${memory.byteLength} bytes, too few for a head`
  const words = new Int32Array(memory, at * 4, HEAD.words)
  const magic = words[HEAD.magic]!
  if (magic !== MAGIC) return `begins with ${hex(magic)} instead of ${hex(MAGIC)}`
  const version = words[HEAD.version]!
  if (version !== VERSION) return `has layout version ${version}; this program knows ${VERSION}`
  const families = words.slice(HEAD.families, HEAD.families + HEAD.mostFamilies)
  return {
    family: words[HEAD.family]!,
    capacity: words[HEAD.capacity]!,
    ledger: words[HEAD.ledger]!,
    halves: words[HEAD.halves]!,
    shard: words[HEAD.shard]!,
    families: [...families].filter((family) => family !== 0),
    seed: words.slice(HEAD.seed, HEAD.seed + SEED_WORDS),
  }
}

/** What shard number `shard` can hold, as its buffers say; a sentence: why they are refused. */
export function openShard(
  memory: ShardMemory,
  families: readonly FamilyRow[],
  shard: number,
): Capacity | string {
  const refuse = (what: string, why: string) => `the buffer of ${what} of shard ${shard} ${why}`
  const head = readHead(memory.torrents, HEADER.head)
  if (typeof head === 'string') return refuse('torrents', head)
  const { capacity: torrents, ledger, seed } = head
  const expected = families.map(({ family }) => family).join()
  const fault =
    kindFault(head, 0, shard) ??
    (head.families.join() === expected
      ? undefined
      : `is of families ${head.families}, not ${expected}`) ??
    (ledger === 0 || ledger === torrents
      ? undefined
      : `has a ledger for ${ledger} of ${torrents} torrents`) ??
    sizeFault(memory.torrents, torrents, BATCH, () =>
      sizeOf((carver) => carveTorrents(carver, { torrents, ledger }, families)),
    )
  if (fault !== undefined) return refuse('torrents', fault)
  const slots: number[] = []
  for (const [i, row] of families.entries()) {
    const what = `peers of family ${row.family}`
    const buffer = memory.peers[i]
    if (buffer === undefined) return refuse(what, 'is missing')
    const own = readHead(buffer, 0)
    if (typeof own === 'string') return refuse(what, own)
    const { capacity, halves } = own
    const fault =
      kindFault(own, row.family, shard) ??
      (halves === row.halves
        ? undefined
        : `has endpoints of ${halves * 2} bytes, not ${row.halves * 2}`) ??
      (own.seed.join() === seed.join() ? undefined : 'has another seed than the torrents') ??
      sizeFault(buffer, capacity, CHUNK, () =>
        sizeOf((carver) => carvePeers(carver, row, capacity)),
      )
    if (fault !== undefined) return refuse(what, fault)
    slots.push(capacity)
  }
  return { torrents, ledger, slots }
}

function kindFault(head: Head, family: number, shard: number): string | undefined {
  if (head.family !== family) return `holds ${kind(head.family)}`
  return head.shard === shard ? undefined : `belongs to shard ${head.shard}`
}

const kind = (family: number): string => (family === 0 ? 'torrents' : `peers of family ${family}`)

function sizeFault(
  { byteLength }: SharedArrayBuffer,
  capacity: number,
  unit: number,
  need: () => number,
): string | undefined {
  if (capacity <= 0 || capacity % unit !== 0) return `cannot have a capacity of ${capacity}`
  return byteLength < need()
    ? `has ${byteLength} bytes, too few for a capacity of ${capacity}`
    : undefined
}

const hex = (word: number): string => `0x${(word >>> 0).toString(16).padStart(8, '0')}`
