/**
 * The contract that every driver signs (src/database/contract.ts, docs/behaviours.md D1). A driver's test file
 * makes and removes databases for it, and tests what only that driver does.
 */
import { describe } from 'bun:test'
import type { Database, Driver } from '../../../src/database/contract.ts'
import { Signing } from './signing.ts'
import { signsAccountingFeed } from './suite-accounting-feed.ts'
import { signsAccountingKeys } from './suite-accounting-keys.ts'
import { signsAccountingWrite } from './suite-accounting-write.ts'
import { signsDownloads } from './suite-downloads.ts'
import { signsKeys } from './suite-keys.ts'
import { signsWhitelist } from './suite-whitelist.ts'
import { signsWhole } from './suite-whole.ts'

/** A database of one test's own; nothing of it is left when it is disposed of. */
export interface Place extends AsyncDisposable {
  /** Opens it with the driver: the first time it is empty. May be opened again, before or after a close. */
  open(): Promise<Database>
  /** One statement behind the driver's back; what it selects comes as rows of columns. */
  sql(statement: string): Promise<readonly (readonly unknown[])[]>
}

/** `make` is called once a test, never while tests are only being collected. */
export function signsContract(name: string, driver: Driver, make: () => Promise<Place>): void {
  describe(`the database contract, signed by ${name}`, () => {
    const suite = new Signing(driver, make)
    signsWhole(suite)
    signsWhitelist(suite)
    signsKeys(suite)
    signsDownloads(suite)
    signsAccountingKeys(suite)
    signsAccountingWrite(suite)
    signsAccountingFeed(suite)
  })
}
