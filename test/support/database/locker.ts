/**
 * Another program with the database file open: locks it, says so, and lets go when its input ends.
 * Arguments: the file.
 */
import { Database } from 'bun:sqlite'

const connection = new Database(Bun.argv[2]!)
connection.run('BEGIN EXCLUSIVE')
console.log('locked')
await Bun.stdin.text()
connection.run('COMMIT')
