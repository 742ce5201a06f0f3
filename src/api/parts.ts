/** What the management API is given by the composition root: it opens neither swarm nor database. */
import type { Bans } from '../access/bans.ts'
import type { SchemaVersion } from '../config/model.ts'
import type { ShownOption } from '../config/shown-options.ts'
import type { LogHistory } from '../log/history.ts'
import type { Report } from '../log/report.ts'
import type { AccountingStore } from '../storage/accounting.ts'
import type { PermissionStore } from '../storage/permissions.ts'
import type { Live } from '../view/live.ts'
import type { MetricSources } from '../view/metrics.ts'
import type { Stats } from '../view/statistics.ts'
import type { TorrentView } from '../view/torrents.ts'
import type { Tokens } from './authentication.ts'
import type { Sessions } from './sessions.ts'

type Page = { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> }

export interface ApiParts {
  /** Texts that the two generations of the reference word differently follow this one. */
  readonly schema: SchemaVersion
  /** May be replaced while the API is served. */
  readonly tokens: Tokens
  readonly sessions: Sessions
  stats(): Stats
  metrics(): MetricSources
  readonly live: Live
  /** The dashboard; undefined: there is no such file. */
  readonly pages: { find(name: string): Promise<Page | undefined> }
  readonly torrents: TorrentView
  readonly bans: Pick<Bans, 'list' | 'lift' | 'liftAll'>
  /** undefined: there is no database, and the routes of keys and whitelist answer 409. */
  readonly permissions: PermissionStore | undefined
  /** undefined: nothing is accounted, and its routes answer 409. */
  readonly accounting: AccountingStore | undefined
  /** Display name of the driver in `core.database`, for error texts (`Sqlite3`, `MySQL`, `PostgreSQL`). */
  readonly databaseName: string
  /** The configuration that the tracker follows. */
  options(): readonly ShownOption[]
  /** Has the tracker follow its configuration, which is read again. */
  reload(): Promise<ReloadResult>
  readonly report: Report
  /** The last lines of the log. */
  readonly lines: LogHistory
}

/** What came of a reload, one line each. */
export type ReloadResult = {
  /** What has changed: an option, its value before and after; secrets are masked. */
  readonly applied: readonly string[]
  /** Options that were changed, too, and that the tracker follows only after a restart. */
  readonly restart: readonly string[]
  /** Why nothing was changed; empty: it was. */
  readonly mistakes: readonly string[]
}

/** Reads the body of an authorized request: Elysia's `parse` of the routes that have one. */
export type ReadBody = (context: Matched) => Promise<unknown>

/** A request, and the path of the route that answers it. */
export type Matched = { readonly request: Request; readonly route: string }
