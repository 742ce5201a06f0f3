/** A database behind its thread: the same contract, and failures of the thread or the disk. */
import { openDatabase } from '../../src/database/remote.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { type Place, signsContract } from '../support/database/suite.ts'

signsContract('sqlite3 on its thread', 'sqlite3', async (): Promise<Place> => {
  const file = new SqliteFile()
  return {
    open: () => openDatabase(file.config),
    sql: async (statement) => file.sql(statement),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  }
})
