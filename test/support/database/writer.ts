/**
 * A tracker as far as its database goes, to be killed: adds 1 to each of 50 torrents again and again, and
 * says the total once it is acknowledged. Arguments: the file.
 */
import { writeSync } from 'node:fs'
import { openDatabase } from '../../../src/database/remote.ts'
import { hashes } from './hashes.ts'
import { newName } from './names.ts'

const database = await openDatabase({ driver: 'sqlite3', path: Bun.argv[2]! })
const batch = hashes(50)
const ones = new Float64Array(50).fill(1)
const { writer } = newName()
for (let number = 1; ; number++)
  writeSync(1, `${await database.addDownloads(batch, ones, { writer, number })}\n`)
