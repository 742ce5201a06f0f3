/**
 * What the parts of the contract suite share: a test with a database of its own, and the few statements
 * that differ between drivers.
 */
import { test } from 'bun:test'
import type { Database, Driver } from '../../../src/database/contract.ts'
import type { Place } from './suite.ts'

export class Signing {
  readonly driver: Driver
  readonly #make: () => Promise<Place>
  /** The table and its column, which are reserved words. */
  readonly keys: string
  readonly key: string

  constructor(driver: Driver, make: () => Promise<Place>) {
    this.driver = driver
    this.#make = make
    const quote = driver === 'mysql' ? '`' : '"'
    this.keys = `${quote}keys${quote}`
    this.key = `${quote}key${quote}`
  }

  /** A test, with an empty database that is open. */
  signs(what: string, deed: (database: Database, place: Place) => Promise<void>): void {
    test(what, async () => {
      await using place = await this.#make()
      const database = await place.open()
      try {
        await deed(database, place)
      } finally {
        await database.close()
      }
    })
  }

  /** From now on the table refuses that value, as a server may refuse anything in the middle of a batch. */
  async forbid(place: Place, table: string, column: string, value: string | number): Promise<void> {
    const literal = typeof value === 'number' ? value : `'${value}'`
    await place.sql(
      this.driver === 'sqlite3'
        ? `CREATE TRIGGER no BEFORE INSERT ON ${table} WHEN NEW.${column} = ${literal} BEGIN SELECT RAISE(ABORT, 'forbidden'); END`
        : `ALTER TABLE ${table} ADD CONSTRAINT no CHECK (${column} <> ${literal})`,
    )
  }

  /** Undoes that. */
  async allow(place: Place, table: string): Promise<void> {
    await place.sql(
      this.driver === 'sqlite3' ? 'DROP TRIGGER no' : `ALTER TABLE ${table} DROP CONSTRAINT no`,
    )
  }

  async insertKey(place: Place, text: string, validUntil: string | bigint): Promise<void> {
    await place.sql(
      `INSERT INTO ${this.keys} (${this.key}, valid_until) VALUES ('${text}', ${validUntil})`,
    )
  }

  async insertHash(place: Place, text: string): Promise<void> {
    await place.sql(`INSERT INTO whitelist (info_hash) VALUES ('${text}')`)
  }
}
