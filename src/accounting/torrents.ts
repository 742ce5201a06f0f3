/** Torrents of which something is known or owed, in memory for as long as a record refers to them. */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import { hashInfoHash, infoHashSecrets, type Seed } from '../memory/hash.ts'
import type { TorrentSettings } from './batch.ts'
import { HashedRows, NONE, type Place } from './rows.ts'

/** Words of a row. The info hash stands in the first five. */
const ROW = {
  next: 5,
  /** Records and questions that refer to it. */
  references: 6,
  /** Percentages, ten bits each, and the flags below. */
  terms: 7,
  freeUntil: 8,
  leechedAt: 9,
  words: 10,
} as const
const PERCENT = 0x3ff
const DOWN_SHIFT = 10
/** Its settings are known, and whether it has a row. */
const SETTLED = 1 << 20
const STORED = 1 << 21
const USUAL_TERMS = 100 | (100 << DOWN_SHIFT)

/** Seconds of 32 bits; the largest stands for all later ones. */
export const FOREVER = 0xffff_ffff
export const secondOf = (second: number | null): number => Math.min(second ?? 0, FOREVER)
/** Whether `until`, unsigned, is to come at second `now`. */
export const isBefore = (now: number, until: number): boolean => until === FOREVER || now < until

export class Torrents extends HashedRows {
  static readonly words: number = ROW.words
  readonly #secrets: Int32Array
  readonly #bytes: Uint8Array

  constructor(place: Place, seed: Seed) {
    super(place, ROW.words, ROW.next)
    this.#secrets = infoHashSecrets(seed)
    const { buffer, byteOffset, byteLength } = this.cells
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength)
  }

  /** Hash of the info hash at `words[at…]`. */
  hash(words: Int32Array, at: number): number {
    return hashInfoHash(this.#secrets, words, at)
  }

  find(words: Int32Array, at: number, hash: number): number {
    for (let row = this.first(this.bucket(hash)); row !== NONE; row = this.next(row))
      if (this.isOf(row, words, at)) return row
    return NONE
  }

  /** Whether the info hash at `words[at…]` is its own. */
  isOf(row: number, words: Int32Array, at: number): boolean {
    const { cells } = this
    const from = row * ROW.words
    return (
      cells[from] === words[at] &&
      cells[from + 1] === words[at + 1] &&
      cells[from + 2] === words[at + 2] &&
      cells[from + 3] === words[at + 3] &&
      cells[from + 4] === words[at + 4]
    )
  }

  /** Hash of its info hash. */
  hashAt(row: number): number {
    return this.hash(this.cells, row * ROW.words)
  }

  create(words: Int32Array, at: number, hash: number): number {
    const row = this.take()
    if (row === NONE) return NONE
    const from = row * ROW.words
    for (let i = 0; i < 5; i++) this.cells[from + i] = words[at + i]!
    this.cells[from + ROW.terms] = USUAL_TERMS
    this.link(row, hash)
    return row
  }

  refer(row: number): void {
    this.cells[row * ROW.words + ROW.references]!++
  }
  /** One reference less; without any it is forgotten. */
  release(row: number): void {
    const at = row * ROW.words
    if (--this.cells[at + ROW.references]! > 0) return
    this.unlink(row, this.hashOf(row))
    this.giveBack(row)
  }

  /** Writes its info hash to place `i` of `hashes`. */
  copyInfoHash(row: number, hashes: Uint8Array, i: number): void {
    const from = row * ROW.words * 4
    hashes.set(this.#bytes.subarray(from, from + INFO_HASH_BYTES), i * INFO_HASH_BYTES)
  }
  /** Index in `cells` of its info hash. */
  infoHashAt(row: number): number {
    return row * ROW.words
  }

  upPercent(row: number): number {
    return this.cells[row * ROW.words + ROW.terms]! & PERCENT
  }
  downPercent(row: number): number {
    return (this.cells[row * ROW.words + ROW.terms]! >>> DOWN_SHIFT) & PERCENT
  }
  /** Second until which its download is free; 0: it is not. */
  freeUntil(row: number): number {
    return this.cells[row * ROW.words + ROW.freeUntil]! >>> 0
  }
  settle(row: number, { upPercent, downPercent, freeUntil }: TorrentSettings): void {
    const at = row * ROW.words
    const stored = this.cells[at + ROW.terms]! & STORED
    this.cells[at + ROW.terms] = upPercent | (downPercent << DOWN_SHIFT) | SETTLED | stored
    this.cells[at + ROW.freeUntil] = secondOf(freeUntil)
  }
  isSettled(row: number): boolean {
    return (this.cells[row * ROW.words + ROW.terms]! & SETTLED) !== 0
  }
  /** Whether it has a row in the database. */
  isStored(row: number): boolean {
    return (this.cells[row * ROW.words + ROW.terms]! & STORED) !== 0
  }
  store(row: number): void {
    this.cells[row * ROW.words + ROW.terms]! |= STORED
  }

  /** Second at which a leecher was noticed last. */
  leechedAt(row: number): number {
    return this.cells[row * ROW.words + ROW.leechedAt]! >>> 0
  }
  noticeLeecher(row: number, second: number): void {
    if (second > this.leechedAt(row)) this.cells[row * ROW.words + ROW.leechedAt] = second
  }

  protected hashOf(row: number): number {
    return this.hashAt(row)
  }
}
