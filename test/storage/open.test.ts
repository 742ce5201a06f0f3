/** Warnings at the start about the rights of the database's file, which the start does not change. */
import { expect, test } from 'bun:test'
import { chmodSync, statSync } from 'node:fs'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { startTracker } from '../support/started-tracker.ts'

const withDatabase = (path: string) => `[core.database]\npath = ${JSON.stringify(path)}\n`

test.skipIf(process.platform === 'win32').each([
  ['644', 1],
  ['604', 1],
  ['640', 0],
  ['660', 0],
  ['600', 0],
])('an existing database of mode %s makes %i warnings and keeps its mode', async (octal, count) => {
  await using file = new SqliteFile()
  file.sql('PRAGMA journal_mode = WAL')
  const mode = Number.parseInt(octal, 8)
  chmodSync(file.path, mode)
  await using tracker = await startTracker({ core: withDatabase(file.path) })
  const warnings = tracker.lines.filter((line) => line.includes(' WARN DATABASE: '))
  expect(warnings).toHaveLength(count)
  for (const warning of warnings)
    expect(warning).toEndWith(
      `sqlite3:${file.path}: everybody on this machine can read the keys in it: chmod 600 ${file.path}*\n`,
    )
  expect(statSync(file.path).mode & 0o777).toBe(mode)
})
