/**
 * Usage: bun without-files.ts DATABASE. Opens the database, then every other file that the process may open, adds
 * completions of many torrents and prints the new total.
 */
import { closeSync, openSync } from 'node:fs'
import { openSqlite } from '../../../src/database/sqlite.ts'
import { hashes } from './hashes.ts'
import { newName } from './names.ts'

const MANY = 4_000
const database = await openSqlite({ driver: 'sqlite3', path: process.argv[2]! })
const add = () => database.addDownloads(hashes(MANY), new Float64Array(MANY).fill(1), newName())
await add()
const open: number[] = []
try {
  for (;;) open.push(openSync('/dev/null', 'r'))
} catch {
  // No more may be opened.
}
const outcome = await add().catch((error) => String(error))
for (const fd of open) closeSync(fd)
console.log(outcome)
await database.close()
