/** A program of its own that opens the database on its standard input, writes 7 completions, and tells the total. */
import { hashes } from './hashes.ts'
import { openDriver } from './servers.ts'

const database = await openDriver(await Bun.stdin.json())
await database.addDownloads(hashes(1), Float64Array.of(7))
console.log(await database.downloadsTotal())
await database.close()
