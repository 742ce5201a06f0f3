/**
 * What the management API is given by the composition root: it opens neither swarm nor database. Types
 * only; who implements them is said at each.
 */
import type { SchemaVersion } from '../config/model.ts'
import type { PermissionStore } from '../storage/permissions.ts'
import type { InspectedTorrent } from '../view/inspect.ts'
import type { TorrentSummary } from '../view/listing.ts'
import type { Stats } from '../view/statistics.ts'

/** The swarm as the API shows it (`cli/torrent-view.ts`). All may be asked while it is busy. */
export interface TorrentView {
  /** `words`: the info hash, five words in memory order. undefined = unknown. */
  one(words: Int32Array): Promise<InspectedTorrent | undefined>
  /** Of each that is known, in the order asked, repetitions repeated. */
  some(hashes: readonly Int32Array[]): Promise<readonly TorrentSummary[]>
  /** `limit` torrents behind the first `offset`, ascending by info hash, some thousands at a time. */
  page(offset: number, limit: number): AsyncIterable<readonly TorrentSummary[]>
}

export interface ApiParts {
  /** Texts that the generations of the reference word differently are those of this one. */
  readonly schema: SchemaVersion
  /** Any of them opens every route. */
  readonly tokens: readonly string[]
  stats(): Stats
  readonly torrents: TorrentView
  /** undefined: there is no database, so their routes answer 409. */
  readonly permissions: PermissionStore | undefined
  /** `core.database` is configured as this, for error texts (`Sqlite3`, `MySQL`, `PostgreSQL`). */
  readonly databaseName: string
  /** Told of an error nobody foresaw. */
  report(what: string, error: unknown): void
}
