/**
 * A tracker as far as its accounting goes, to be killed: writes batch after batch (`killedBatch`), and says the number of
 * each once it is acknowledged. Arguments: the file, the number of the first.
 */
import { writeSync } from 'node:fs'
import { openDatabase } from '../../../src/database/remote.ts'
import { killedBatch } from './accounting.ts'

const { accounting } = await openDatabase({ driver: 'sqlite3', path: Bun.argv[2]! })
for (let number = Number(Bun.argv[3]); ; number++) {
  await accounting.write(killedBatch(number))
  writeSync(1, `${number}\n`)
}
