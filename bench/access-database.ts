/**
 * A database as the 2024 generation leaves it (spec/torrust-rest-api §9.1) with a long whitelist and many
 * keys: made once in bench/out, because that takes seconds, and copied for each run.
 */
import { Database } from 'bun:sqlite'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { OUT } from './build.ts'
import { print } from './run.ts'

const SCHEMA = `
  CREATE TABLE whitelist (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE);
  CREATE TABLE keys (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, valid_until INTEGER);
  CREATE TABLE torrents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    info_hash TEXT NOT NULL UNIQUE,
    completed INTEGER DEFAULT 0 NOT NULL
  )`

export type Extent = { readonly seed: string; readonly whitelist: number; readonly keys: number }

/** Path of a file whose whitelist begins with the torrents, and whose keys are the keys, of loads with this seed. */
export function accessDatabase({ seed, whitelist, keys }: Extent): string {
  const path = join(OUT, `access-${seed}-${whitelist}-${keys}.db`)
  if (existsSync(path)) return path
  // Both generators draw alike, and torrent 7 has one hash whatever the number of torrents.
  const count = `${whitelist}`
  const load = { mix: 'announce', seed, torrents: count, peers: count, keys: `${keys}` }
  const hashes = lines(print('udp', load, 'hashes'))
  const names = lines(print('udp', load, 'keys'))
  if (hashes.length !== whitelist || names.length !== keys)
    throw new Error('the load printed too little')
  const unfinished = `${path}.new`
  rmSync(unfinished, { force: true })
  {
    using database = new Database(unfinished, { create: true, strict: true })
    database.run('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000')
    database.run(SCHEMA)
    const insert = (statement: string, values: readonly string[]) => {
      using prepared = database.prepare(statement)
      for (const value of values) prepared.run(value)
    }
    database.transaction(() => {
      insert('INSERT INTO whitelist (info_hash) VALUES (?)', hashes)
      insert('INSERT INTO keys (key, valid_until) VALUES (?, NULL)', names)
    })()
  }
  renameSync(unfinished, path)
  return path
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '')
