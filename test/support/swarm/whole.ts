/**
 * What must be true of a shard between two changes, read from its memory alone: nothing here asks
 * the classes that wrote it. A fault is a sentence; a consistent shard has none.
 */
import { COUNT } from '../../../src/bittorrent.ts'
import {
  bucketOf,
  hashInfoHash,
  hashWords,
  infoHashSecrets,
  secretsOf,
} from '../../../src/memory/hash.ts'
import {
  CHUNK,
  CHUNK_ORDER,
  chunkKib,
  DETAIL,
  DIRECTORY_BATCH_KIB,
  DIRECTORY_UNIT,
  FAMILY_HEADER,
  type FamilyRow,
  flagsAt,
  HEADER,
  largeBit,
  MANY,
  NIL,
  PART,
  type PeerArrays,
  partOrder,
  SIZE_MASK,
  seedIn,
  seenAt,
  TORRENT,
  type TorrentArrays,
  torrentBatchKib,
  USED,
} from '../../../src/swarm/layout.ts'
import type { SwarmMemory } from '../../../src/swarm/swarm.ts'
import { arraysOf } from './harness.ts'
import { checkLedger, checkStored } from './whole-ledger.ts'
import { readRuns } from './whole-runs.ts'

type Report = (ok: boolean, fault: string) => void

/**
 * Faults of all shards, or of one that thread `holder` has locked; at most a handful, because one
 * fault breaks much.
 */
export function faults(memory: SwarmMemory, only?: number, holder = 0): string[] {
  const found: string[] = []
  for (const [number, shard] of memory.shards.entries()) {
    if (only !== undefined && number !== only) continue
    const check: Report = (ok, fault) => {
      if (!ok && found.length < 5) found.push(`shard ${number}: ${fault}`)
    }
    const { families } = memory
    const { torrents, peers } = arraysOf(memory, shard)
    check((torrents.header[HEADER.lock]! & 0xffff) === holder, 'is locked by another')
    let kib = checkTorrents(torrents, families, check)
    for (const [i, row] of families.entries())
      kib += checkFamily(row, torrents, torrents.parts[i]!, peers[i]!, check)
    const { header } = torrents
    const [paid, spare] = [header[HEADER.paid]!, header[HEADER.spare]!]
    check(kib === paid && spare === 0, `keeps ${kib} KiB, paid for ${paid}, ${spare} of it spare`)
  }
  return found
}

/** KiB that the torrents have to pay for; likewise below. */
function checkTorrents(
  arrays: TorrentArrays,
  families: readonly FamilyRow[],
  check: Report,
): number {
  const { header, records, buckets } = arrays
  check(header[HEADER.busy] === NIL, 'says that a torrent is being changed')
  check((header[HEADER.salvages]! & 1) === 0, 'says that it is being salvaged')
  const high = header[HEADER.torrentHigh]!
  const used = new Set(usedTorrents(header, records))
  check(used.size === header[HEADER.torrents], `holds ${used.size} torrents, counts others`)
  const hashes = new Set([...used].map((t) => `${records.subarray(t * 16, t * 16 + 5)}`))
  check(hashes.size === used.size, 'holds an info hash twice')

  const runs = readRuns('torrent', header, HEADER.torrentRuns, arrays.runs, check)
  const byTorrent = [{ words: records, stride: TORRENT.words }, ...arrays.beside]
  for (let torrent = 0; torrent < high; torrent++) {
    check((runs.owners[torrent] === undefined) === used.has(torrent), `torrent ${torrent} is lost`)
    for (const { words, stride } of used.has(torrent) ? [] : byTorrent)
      for (let at = torrent * stride; at < (torrent + 1) * stride; at++)
        check(words[at] === 0, `torrent ${torrent} is free and left something behind`)
  }

  const count = header[HEADER.torrentBuckets]!
  check(count === Math.max(1, Math.min(buckets.length, count)), `${count} torrent buckets`)
  check(count >= used.size, 'has fewer torrent buckets than torrents')
  const secrets = infoHashSecrets(seedIn(header))
  const reached = new Set<number>()
  for (let bucket = 0; bucket < count; bucket++)
    for (let torrent = buckets[bucket]!; torrent !== NIL; ) {
      const at = torrent * TORRENT.words
      check(used.has(torrent) && !reached.has(torrent), `torrent ${torrent} in a chain`)
      if (!used.has(torrent) || reached.has(torrent)) break
      reached.add(torrent)
      const hash = hashInfoHash(secrets, records, at)
      check(hash === records[at + TORRENT.hash], `torrent ${torrent} has a wrong hash`)
      check(bucketOf(hash, count) === bucket, `torrent ${torrent} in a wrong bucket`)
      torrent = records[at + TORRENT.next]!
    }
  check(reached.size === used.size, 'has torrents that no look-up reaches')

  let downloads = 0n
  for (const torrent of used) {
    const at = torrent * TORRENT.words
    const isMany = (records[at + TORRENT.flags]! & MANY) !== 0
    const low = records[at + TORRENT.downloaded]!
    check(low >= 0, `torrent ${torrent} has a negative count`)
    downloads += BigInt(low) + (isMany ? BigInt(arrays.downloadedHigh[torrent]!) << 31n : 0n)
  }
  const sum = (BigInt(header[HEADER.downloadsHigh]!) << 31n) + BigInt(header[HEADER.downloads]!)
  check(downloads === sum, `adds up to ${downloads} downloads, says others`)
  checkLedger(arrays, used, check)
  checkStored(arrays, used, check)
  return runs.batches * torrentBatchKib(families)
}

function* usedTorrents(header: Int32Array, records: Int32Array): Generator<number> {
  for (let torrent = 0; torrent < header[HEADER.torrentHigh]!; torrent++)
    if ((records[torrent * TORRENT.words + TORRENT.flags]! & USED) !== 0) yield torrent
}

function checkFamily(
  row: FamilyRow,
  { header, records }: TorrentArrays,
  parts: Int32Array,
  arrays: PeerArrays,
  check: Report,
): number {
  const { family, header: totals, halves: width } = row
  const slotRuns = totals + FAMILY_HEADER.slotRuns
  const slots = readRuns('slot', header, slotRuns, arrays.slotRuns, check)
  const unitRuns = totals + FAMILY_HEADER.directoryRuns
  const units = readRuns('directory', header, unitRuns, arrays.directoryRuns, check)
  const slotOwners = slots.owners
  const unitOwners = units.owners
  const own = (owners: (string | undefined)[], base: number, size: number, owner: string) => {
    check(base + size <= owners.length, `${owner} lies beyond the end`)
    for (let at = base; at < base + size && at < owners.length; at++) {
      check(owners[at] === undefined, `${at} belongs to ${owners[at]} and ${owner}`)
      owners[at] = owner
    }
  }

  let leechers = 0
  let peers = 0
  const large = new Map<number, number>()
  for (const torrent of usedTorrents(header, records)) {
    const at = torrent * TORRENT.words
    const part = torrent << partOrder(row)
    const flags = records[at + TORRENT.flags]!
    const order = ((flags >>> row.bits) & SIZE_MASK) - 1
    const base = parts[part + PART.base]!
    const count = parts[part + PART.count]!
    const leeching = parts[part + PART.leechers]!
    const name = `family ${family} of torrent ${torrent}`
    peers += count
    leechers += leeching
    check(leeching >= 0 && leeching <= count, `${name} has ${leeching} leechers of ${count} peers`)
    const places: number[] = []
    if ((flags & largeBit(row)) !== 0) {
      const chunks = Math.ceil(count / CHUNK)
      check(count > CHUNK / 2, `${name} is large with ${count}`)
      check(chunks <= DIRECTORY_UNIT << order, `${name} has more chunks than its directory`)
      own(unitOwners, base, 1 << order, name)
      for (let ordinal = 0; ordinal < chunks; ordinal++) {
        const chunk = arrays.directory[base * DIRECTORY_UNIT + ordinal]!
        own(slotOwners, chunk * CHUNK, CHUNK, name)
        check(arrays.chunkTorrent[chunk] === torrent, `${name} has a chunk of another`)
        check(arrays.chunkOrdinal[chunk] === ordinal, `${name} has a chunk out of order`)
        for (let i = 0; i < CHUNK; i++) places.push(chunk * CHUNK + i)
      }
      for (const slot of places.slice(0, count)) large.set(slot, torrent)
    } else if (order < 0) check(count === 0, `${name} has peers nowhere`)
    else {
      const size = 1 << order
      check(order <= CHUNK_ORDER && count <= size && count > 0, `${name}: ${count} in ${size}`)
      check(count * 4 > size, `${name} keeps ${size} slots for ${count}`)
      own(slotOwners, base, size, name)
      for (let i = 0; i < size; i++) places.push(base + i)
    }
    const endpoints = new Set<string>()
    for (const [position, slot] of places.slice(0, count).entries()) {
      endpoints.add(`${arrays.hot.subarray(slot * arrays.stride, slot * arrays.stride + width)}`)
      check(flagsAt(arrays, slot) < 16, `${name} has a peer with flags that mean nothing`)
      const left = slot * DETAIL.words + DETAIL.counts + COUNT.left
      const isDone = arrays.details[left] === 0 && arrays.details[left + 1] === 0
      const isLeecher = position < leeching
      check(isDone !== isLeecher, `${name} has a peer on the wrong side`)
      const isBeside = row.part === undefined
      const oldest = isBeside ? parts[part + PART.oldest]! : records[at + TORRENT.oldest]!
      check(seenAt(arrays, slot) >= oldest, `${name} has a peer older than its oldest`)
    }
    check(endpoints.size === count, `${name} has a peer twice`)
  }
  check(!slotOwners.includes(undefined), `family ${family} has lost slots`)
  check(!unitOwners.includes(undefined), `family ${family} has lost directory units`)
  const counted = header[totals + FAMILY_HEADER.leechers]! === leechers
  check(counted, `family ${family} counts other leechers than ${leechers}`)
  const seeders = header[totals + FAMILY_HEADER.seeders]!
  check(
    seeders === peers - leechers,
    `family ${family} counts other seeders than ${peers - leechers}`,
  )
  checkIndex(row, header, arrays, large, check)
  return slots.batches * chunkKib(row) + units.batches * DIRECTORY_BATCH_KIB
}

/** `large`: by slot of every peer of a large swarm, its torrent. */
function checkIndex(
  row: FamilyRow,
  header: Int32Array,
  arrays: PeerArrays,
  large: Map<number, number>,
  check: Report,
): void {
  const { family, header: totals, halves: width } = row
  const buckets = header[totals + FAMILY_HEADER.indexBuckets]!
  const entries = header[totals + FAMILY_HEADER.indexed]!
  check(entries === large.size, `family ${family} index counts ${entries} of ${large.size}`)
  check(buckets >= entries || buckets === arrays.buckets.length, `family ${family} index is narrow`)
  const words = new Int32Array(1 + Math.ceil(width / 2))
  const secrets = secretsOf(seedIn(header), words.length, `endpoint ${family}`)
  const reached = new Set<number>()
  for (let bucket = 0; bucket < buckets; bucket++)
    for (let slot = arrays.buckets[bucket]!; slot !== NIL; slot = arrays.next[slot]!) {
      const torrent = large.get(slot)
      check(torrent !== undefined && !reached.has(slot), `family ${family} index has slot ${slot}`)
      if (torrent === undefined || reached.has(slot)) break
      reached.add(slot)
      words.fill(0)
      words[0] = torrent
      for (let i = 0; i < width; i++)
        words[1 + (i >>> 1)]! |= arrays.hot[slot * arrays.stride + i]! << ((i & 1) * 16)
      const place = bucketOf(hashWords(secrets, words, 0, words.length), buckets)
      check(place === bucket, `family ${family} slot ${slot} in a wrong bucket`)
    }
  check(reached.size === large.size, `family ${family} index misses peers`)
}
