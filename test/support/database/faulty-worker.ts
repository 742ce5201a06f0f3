/**
 * A database thread that fails when it is asked to: the real one with a real SQLite file, whose `removeKeys`
 * takes a fault for a key. What the fault needs stands behind it.
 */
import { existsSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { openSqlite } from '../../../src/database/sqlite.ts'
import { type OpenDriver, serveDatabase } from '../../../src/database/thread-service.ts'

export const FAULTY_URL: string = import.meta.url

const FAULTS: Readonly<Record<string, (word: string) => Promise<number | undefined> | number>> = {
  /** Like a slow server: the call is done when the file exists. */
  dawdles: async (path) => {
    while (!existsSync(path)) await Bun.sleep(5)
    return undefined
  },
  /** Like a library that throws out of a timer. */
  throws: (word) => {
    setTimeout(() => {
      throw new Error(`died over ${word}`)
    })
    return new Promise<number>(() => undefined)
  },
  /** Like a library that forgets to answer. */
  hangs: () => new Promise<number>(() => undefined),
  /** Like a disk that hangs: nothing else runs on the thread until the file exists. */
  blocks: (path) => {
    while (!existsSync(path)) Bun.sleepSync(5)
    return 0
  },
  /** Like a driver that breaks the contract. */
  breaks: (word) => {
    throw new TypeError(`expected a key, found ${word}`)
  },
}

const open: OpenDriver = async (config) => {
  if (config.driver !== 'sqlite3') throw new Error('this one has SQLite files only')
  if (existsSync(`${config.path}.dead`)) throw new Error('dead from the start')
  if (existsSync(`${config.path}.mute`)) return new Promise(() => undefined)
  const database = await openSqlite(config)
  const removeKeys = database.removeKeys.bind(database)
  database.removeKeys = async (keys) => {
    const [fault, word] = (keys[0] ?? '').split('|')
    return (await FAULTS[fault!]?.(word!)) ?? (await removeKeys(keys))
  }
  return database
}

if (parentPort !== null) serveDatabase(parentPort, open)
