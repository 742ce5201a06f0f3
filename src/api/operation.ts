/** The words in which the management API states what it can do. Types, and what several of them share. */
import type { SchemaVersion } from '../config/model.ts'
import type { PermissionFault, PermissionStore } from '../storage/permissions.ts'
import { type Answer, disabled, rejection } from './answers.ts'
import type { Documentation } from './documentation.ts'
import type { ApiParts } from './parts.ts'

/** A request whose sender may ask for anything. */
export type Ask = {
  readonly request: Request
  readonly query: URLSearchParams
  /** The last segment of the path, decoded, where the operation has one; never blank. */
  readonly parameter: string
  /** In whose words it is refused. */
  readonly schema: SchemaVersion
}

export type Operation = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Its last segment may be a parameter, `:name`. */
  readonly path: string
  /** Asked without a token as well. */
  readonly open?: boolean
  /** What it rejects with is a mistake of ours. */
  answer(ask: Ask): Answer | Promise<Answer>
  readonly detail: Documentation
}

/** An operation on keys or whitelist: 409 where there is no database to keep them. */
export const withBook =
  (
    { permissions }: ApiParts,
    capability: 'auth keys' | 'whitelist',
    answer: (book: PermissionStore, ask: Ask) => Promise<Answer>,
  ) =>
  async (ask: Ask): Promise<Answer> =>
    permissions === undefined ? disabled(capability) : await answer(permissions, ask)

/** Does something with the database; when that fails, the answer says what was tried and why not. */
export async function attempt(what: string, act: () => Promise<Answer>): Promise<Answer> {
  try {
    return await act()
  } catch (error) {
    if (!isPermissionFault(error)) throw error
    return rejection(`${what}: ${error.message}`)
  }
}

const isPermissionFault = (error: unknown): error is PermissionFault =>
  error instanceof Error && 'fault' in error
