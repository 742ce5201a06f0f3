/** The vocabulary of the management API: what it is given, what an operation is, and what several operations share. */
import type { SchemaVersion } from '../config/model.ts'
import type { Report } from '../log.ts'
import type { PermissionFault, PermissionStore } from '../storage/permissions.ts'
import type { Stats } from '../view/statistics.ts'
import type { TorrentView } from '../view/torrents.ts'
import { type Answer, disabled, rejection } from './answers.ts'
import type { Documentation } from './openapi.ts'

/** What the API is given by the composition root: it opens neither swarm nor database. */
export interface ApiParts {
  /** Texts that the two generations of the reference word differently follow this one. */
  readonly schema: SchemaVersion
  /** Each of them opens every route. */
  readonly tokens: readonly string[]
  stats(): Stats
  readonly torrents: TorrentView
  /** undefined: there is no database, and the routes of keys and whitelist answer 409. */
  readonly permissions: PermissionStore | undefined
  /** Display name of the driver in `core.database`, for error texts (`Sqlite3`, `MySQL`, `PostgreSQL`). */
  readonly databaseName: string
  readonly report: Report
}

/** An authorized request. */
export type Context = {
  readonly request: Request
  readonly query: URLSearchParams
  /** The last segment of the path, decoded and never blank, where the operation has a parameter. */
  readonly parameter: string
  /** Generation of the reference whose texts the answer uses. */
  readonly schema: SchemaVersion
}

export type Operation = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** The last segment may be a parameter, `:name`. */
  readonly path: string
  /** Needs no token. */
  readonly open?: boolean
  /** Whatever it throws is a bug of ours: status 500, reported once. */
  answer(context: Context): Answer | Promise<Answer>
  /** Its part of the OpenAPI document; undefined: it is not in there (files). */
  readonly detail?: Documentation
}

/** An operation on keys or whitelist: 409 without a database. */
export const withPermissions =
  (
    { permissions }: ApiParts,
    capability: 'auth keys' | 'whitelist',
    answer: (permissions: PermissionStore, context: Context) => Promise<Answer>,
  ) =>
  async (context: Context): Promise<Answer> =>
    permissions === undefined ? disabled(capability) : await answer(permissions, context)

/** The answer of `act`; when the database fails, one that says what was tried (`what`) and why it failed. */
export async function tryDatabase(what: string, act: () => Promise<Answer>): Promise<Answer> {
  try {
    return await act()
  } catch (error) {
    if (!isPermissionFault(error)) throw error
    return rejection(`${what}: ${error.message}`)
  }
}

const isPermissionFault = (error: unknown): error is PermissionFault =>
  error instanceof Error && 'fault' in error
