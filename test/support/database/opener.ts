/** A program that opens the database given on its standard input, writes 7 completions, and prints the total. */
import { hashes } from './hashes.ts'
import { newName } from './names.ts'
import { openDriver } from './servers.ts'

try {
  const database = await openDriver(await Bun.stdin.json())
  console.log(await database.addDownloads(hashes(1), Float64Array.of(7), newName()))
  await database.close()
} catch (error) {
  console.log(error instanceof Error ? error.message : error)
}
