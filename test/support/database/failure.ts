/** What a call of a database rejects with, for tests that expect it to. */
import { DatabaseError, type Fault } from '../../../src/database/contract.ts'

/** What the call rejects with, which must be a `DatabaseError`. */
export async function failureOf(call: () => Promise<unknown>): Promise<DatabaseError> {
  const outcome = await call().then(
    () => 'it was done',
    (error: unknown) => error,
  )
  if (outcome instanceof DatabaseError) return outcome
  throw new Error(`expected a DatabaseError, got ${outcome}`)
}

export const faultOf = async (call: () => Promise<unknown>): Promise<Fault> =>
  (await failureOf(call)).fault
