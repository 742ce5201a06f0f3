/** The steps of schema.ts for SQLite, whose columns hold 64 bits. All of them are one transaction. */
import { DatabaseError } from './contract.ts'
import { createTable, type SchemaDialect } from './migrate.ts'
import { TABLES } from './schema.ts'

export const sqliteSchema: SchemaDialect = {
  types: {
    id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
    hash: 'TEXT NOT NULL UNIQUE',
    count: 'INTEGER DEFAULT 0 NOT NULL',
    key: 'TEXT NOT NULL UNIQUE',
    second: 'INTEGER',
    name: 'TEXT NOT NULL UNIQUE',
  },
  columns: `SELECT name, type, NOT "notnull", NULL FROM pragma_table_info(?)`,
  uniqueColumns: `SELECT (SELECT group_concat(name) FROM pragma_index_info(list.name))
    FROM pragma_index_list(?) AS list WHERE list."unique" AND NOT list.partial`,

  /** SQLite cannot drop a NOT NULL: the rows move to a new table, ids included. */
  async update(session, table, columns) {
    if (table !== 'keys' || columns.get('valid_until')!.isNullable) return
    const unknown = columns.keys().find((name) => !(name in TABLES.keys))
    if (unknown !== undefined)
      throw new DatabaseError(
        'invalid',
        `its table "keys" must be made anew to allow permanent keys, and its column "${unknown}" would be lost: remove that column`,
      )
    await createTable(session, this, 'keys', 'keys_with_permanent')
    await session.write(
      'INSERT INTO keys_with_permanent (id, key, valid_until) SELECT id, key, valid_until FROM keys',
    )
    await session.write('DROP TABLE keys')
    await session.write('ALTER TABLE keys_with_permanent RENAME TO keys')
  },
}
