/**
 * The steps of schema.ts for MySQL and MariaDB. Their statements on tables cannot be undone, so each leaves a
 * state from which the next start continues.
 */
import { KEY_CHARACTERS } from '../bittorrent.ts'
import { changedByAnother, narrow, type SchemaDialect } from './migrate.ts'
import { HASH_DIGITS, NAME_CHARACTERS } from './schema.ts'

/**
 * For keys and other texts of ours: case counts, in MySQL and MariaDB alike. Not a `…_bin` collation: the newest reference takes such a
 * column for bytes, and then reads no key at all.
 */
export const CASE_COUNTS = 'CHARACTER SET latin1 COLLATE latin1_general_cs'
/** For stored keys that do not fit that. The reference does not start with such keys anyway. */
const BYTES_COUNT = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'

/** Engines that cannot undo half of a batch, and that were once the default. */
const WITHOUT_TRANSACTIONS = /^(MyISAM|Aria)$/i

const LOCK_SECONDS = 8
/** SQL for the name of the lock of those who change tables: one for each database of the server. */
export const LOCK_NAME = "MD5(CONCAT('tracker tables in ', DATABASE()))"
const INCORRECT_STRING = 1366

export const mysqlSchema: SchemaDialect = {
  types: {
    id: 'INT NOT NULL AUTO_INCREMENT PRIMARY KEY',
    hash: `VARCHAR(${HASH_DIGITS}) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL UNIQUE`,
    count: 'BIGINT NOT NULL DEFAULT 0',
    key: `VARCHAR(${KEY_CHARACTERS}) ${CASE_COUNTS} NOT NULL UNIQUE`,
    second: 'BIGINT NULL',
    name: `VARCHAR(${NAME_CHARACTERS}) NOT NULL UNIQUE`,
  },
  columns: `SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLLATION_NAME
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?`,
  uniqueColumns: `SELECT MIN(COLUMN_NAME) FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? GROUP BY INDEX_NAME
    HAVING COUNT(*) = 1 AND MAX(NON_UNIQUE) = 0 AND MAX(COALESCE(SUB_PART, 0)) = 0`,

  async lock(session) {
    const [row] = await session.rows(`SELECT GET_LOCK(${LOCK_NAME}, ${LOCK_SECONDS})`)
    if (String(row?.[0]) !== '1') throw changedByAnother()
  },

  async update(session, table, columns) {
    const [engine] = await session.rows(
      'SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?',
      [table],
    )
    if (WITHOUT_TRANSACTIONS.test(String(engine?.[0])))
      await session.write(`ALTER TABLE "${table}" ENGINE = InnoDB`)
    for (const { name, kind } of narrow(table, columns))
      await session.write(`ALTER TABLE "${table}" MODIFY "${name}" ${this.types[kind]}`)
    const key = columns.get('key')
    if (!key?.collation.endsWith('_ci')) return
    const modify = (collation: string) =>
      session.write(`ALTER TABLE "keys" MODIFY "key" ${key.type} ${collation} NOT NULL`)
    try {
      await modify(CASE_COUNTS)
    } catch (error) {
      if (!(error instanceof Error && 'errno' in error && error.errno === INCORRECT_STRING))
        throw error
      await modify(BYTES_COUNT)
    }
  },
}
