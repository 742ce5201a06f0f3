/** A database behind its thread: the same contract. */
import { openDatabase } from '../../src/database/remote.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { signsContract } from '../support/database/suite.ts'

signsContract('sqlite3 on its thread', 'sqlite3', async () => SqliteFile.place(openDatabase))
