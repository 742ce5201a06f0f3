/** What may happen to a database file in use, and what must never follow. */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openDatabase } from '../../src/database/remote.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { Deadline } from '../../src/time/deadline.ts'
import { killedBatch, lookUp, withAccounts } from '../support/database/accounting.ts'
import { failureOf, faultOf } from '../support/database/failure.ts'
import { hashes, key, texts } from '../support/database/hashes.ts'
import { newName } from '../support/database/names.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { runProgram } from '../support/run-program.ts'

/** A program of this directory in a process of its own; killed at the end of the scope. */
function program(name: string, ...args: string[]) {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, '../support/database', name), ...args],
    {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'inherit',
    },
  )
  return {
    child,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

/** Kills a writer that has said `enough`. The last number that it said. */
async function killedAt(enough: number, { child }: ReturnType<typeof program>): Promise<number> {
  const decoder = new TextDecoder()
  let said = ''
  let acknowledged = 0
  for await (const bytes of child.stdout) {
    said += decoder.decode(bytes, { stream: true })
    const last = said.split('\n').at(-2)
    if (last !== undefined) acknowledged = Number(last)
    if (acknowledged >= enough) child.kill('SIGKILL')
  }
  await child.exited
  expect(child.signalCode).toBe('SIGKILL')
  expect(acknowledged).toBeGreaterThanOrEqual(enough)
  return acknowledged
}

async function lock(file: SqliteFile) {
  const holder = program('locker.ts', file.path)
  const said = await holder.child.stdout.getReader().read()
  expect(new TextDecoder().decode(said.value)).toBe('locked\n')
  return holder
}

describe.concurrent('a file', () => {
  test('needs no further file for a statement of many rows', async () => {
    await using file = new SqliteFile()
    const script = join(import.meta.dir, '../support/database/without-files.ts')
    const command = 'ulimit -n 128 && exec "$@"'
    const { out, err } = await runProgram(
      ['/bin/sh', '-c', command, 'sh', process.execPath, script, file.path],
      {},
    )
    expect([out, err]).toEqual(['8000\n', ''])
  })

  test('that another process locks refuses writes, answers reads, and holds up no call', async () => {
    await using file = new SqliteFile()
    const database = await openDatabase(file.config)
    await database.addKeys([{ key: key(1), validUntil: null }])
    await using holder = await lock(file)
    let turns = 0
    const ticking = setInterval(() => turns++, 10)
    const writes = [
      () => database.addKeys([{ key: key(2), validUntil: null }]),
      () => database.addToWhitelist(hashes(1)),
      () => database.addDownloads(hashes(1), Float64Array.of(1), newName()),
    ]
    const failing = Promise.all(writes.map(failureOf))
    expect(await database.listKeys(0, 9)).toEqual([{ key: key(1), validUntil: null }])
    for (const { fault, message } of await failing)
      expect([fault, message]).toEqual([
        'refused',
        'The Sqlite3 query was malformed: database is locked',
      ])
    clearInterval(ticking)
    // Some three hundred where there is time; a thread that waits for the lock itself has one behind each wait.
    expect(turns).toBeGreaterThan(writes.length)
    holder.child.stdin.end()
    expect(await holder.child.exited).toBe(0)
    expect(await database.addDownloads(hashes(1), Float64Array.of(1), newName())).toBe(1)
    expect((await database.listKeys(0, 9)).length).toBe(1)
    await database.close()
  })

  test('that another process locks does not answer a ping until it is unlocked', async () => {
    await using file = new SqliteFile()
    const database = await openDatabase(file.config)
    await database.ping()
    await using holder = await lock(file)
    const { fault, message } = await failureOf(() => database.ping(Deadline.in(1_000)))
    expect([fault, message]).toEqual([
      'refused',
      'The Sqlite3 query was malformed: database is locked',
    ])
    const waiting = database.ping()
    holder.child.stdin.end()
    await waiting
    await database.close()
  })

  const beside = (path: string) => ['', '-wal', '-shm'].map((end) => path + end)
  const others: Record<string, (path: string) => Promise<void>> = {
    deleted: async (path) => rmSync(path),
    'deleted with its log': async (path) => {
      for (const name of beside(path)) rmSync(name)
    },
    'replaced by another': async (path) => {
      const other = { driver: 'sqlite3', path: `${path}.new` } as const
      await openSqlite(other).then((opened) => opened.close())
      renameSync(other.path, path)
    },
  }
  test.each(Object.keys(others))('that is %s in use does not answer a ping', async (name) => {
    await using file = new SqliteFile()
    const database = await openDatabase(file.config)
    await database.addToWhitelist(hashes(1))
    await database.ping()
    await others[name]!(file.path)
    const { fault, message } = await failureOf(() => database.ping())
    expect([fault, message]).toEqual([
      'invalid',
      `the database sqlite3:${file.path}: the file was removed or replaced while in use: restart the tracker`,
    ])
    await database.close()
    const anew = await openDatabase(file.config)
    await anew.ping()
    await anew.close()
  })

  test('leaves nothing of a ping in it', async () => {
    await using file = new SqliteFile()
    const database = await openDatabase(file.config)
    const log = () => readFileSync(`${file.path}-wal`)
    await database.addToWhitelist(hashes(1))
    const [before, bytes] = [log(), readFileSync(file.path)]
    for (let i = 0; i < 10; i++) await database.ping()
    expect(log()).toEqual(before)
    expect(readFileSync(file.path)).toEqual(bytes)
    await database.close()
  })

  test('that is locked for a moment only is waited for', async () => {
    await using file = new SqliteFile()
    const database = await openDatabase(file.config)
    await using holder = await lock(file)
    const writes = [3, 1, 2].map((i) => database.addKeys([{ key: key(i), validUntil: null }]))
    // A question that is answered shows that the writes have begun.
    await database.downloadsTotal()
    holder.child.stdin.end()
    await Promise.all(writes)
    // In the order in which they were asked for, too.
    const added = file.sql('SELECT key FROM keys ORDER BY id').flat()
    expect(added).toEqual([key(3), key(1), key(2)])
    await database.close()
  })

  test('that is locked is closed after the calls that were made', async () => {
    await using file = new SqliteFile()
    const database = await openSqlite(file.config)
    await using holder = await lock(file)
    const writing = database.addKeys([{ key: key(1), validUntil: null }])
    const closing = database.close()
    expect(await faultOf(() => database.ping())).toBe('unreachable')
    holder.child.stdin.end()
    await Promise.all([writing, closing])
    expect(file.sql('SELECT key FROM keys')).toEqual([[key(1)]])
  })

  test('that breaks in use is no longer what it should be', async () => {
    await using file = new SqliteFile()
    const database = await openDatabase(file.config)
    await database.addToWhitelist(hashes(9))
    await database.addKeys([{ key: key(1), validUntil: null }])
    await database.close()
    const [row] = file.sql("SELECT rootpage FROM sqlite_master WHERE name = 'whitelist'")
    const [size] = file.sql('PRAGMA page_size')
    const bytes = readFileSync(file.path)
    const at = Number(size![0]) * (Number(row![0]) - 1)
    writeFileSync(file.path, bytes.fill(0xff, at, at + 100))
    const broken = await openDatabase(file.config)
    const { fault, message } = await failureOf(() => broken.readWhitelist(0n))
    expect([fault, message]).toEqual([
      'invalid',
      'The Sqlite3 query was malformed: database disk image is malformed',
    ])
    expect((await broken.listKeys(0, 9)).length).toBe(1)
    await broken.close()
  })

  test('that is locked when the tracker starts is named, and opens later', async () => {
    await using file = new SqliteFile()
    file.sql('CREATE TABLE whitelist (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT UNIQUE)')
    await using holder = await lock(file)
    const { fault, message } = await failureOf(() => openDatabase(file.config))
    expect([fault, message]).toEqual([
      'refused',
      `cannot open the database sqlite3:${file.path}: another program holds it locked: stop that one, or wait for it`,
    ])
    holder.child.stdin.end()
    await holder.child.exited
    const database = await openDatabase(file.config)
    await database.addToWhitelist(hashes(1))
    await database.close()
  })

  test('whose writer is killed is consistent and holds everything that was acknowledged', async () => {
    await using file = new SqliteFile()
    let acknowledged = 0
    for (let round = 0; round < 5; round++) {
      await using running = program('writer.ts', file.path)
      acknowledged = await killedAt(acknowledged + 50 * (20 + 13 * round), running)
      expect(file.sql('PRAGMA integrity_check')).toEqual([['ok']])
      const database = await openDatabase(file.config)
      const total = await database.downloadsTotal()
      // The batch that was under way may have arrived as well, but only whole.
      expect([acknowledged, acknowledged + 50]).toContain(total)
      const counts = await database.downloadsOf(hashes(50))
      expect([...counts]).toEqual(new Array(50).fill(total / 50))
      await database.close()
      acknowledged = total
    }
  })

  test('N17: whose accounting is killed holds every batch once when the last is repeated', async () => {
    await using file = new SqliteFile()
    const first = await openDatabase(file.config)
    await withAccounts(first, 1)
    await first.close()
    let number = 0
    for (let round = 0; round < 3; round++) {
      await using running = program('accounting-writer.ts', file.path, String(number + 1))
      number = 1 + (await killedAt(number + 5 + 7 * round, running))
      const { accounting, close } = await openDatabase(file.config)
      await accounting.write(killedBatch(number))
      const moved = { uploaded: BigInt(50 * number) }
      expect(await accounting.account({ id: 1 })).toMatchObject(moved)
      const { torrents, records } = await accounting.changes(0, 999)
      for (const row of [...torrents, ...records]) expect(row.uploaded).toBe(BigInt(number))
      const { sessions } = await lookUp(accounting, [{ account: 1, torrent: 50 }])
      expect(sessions).toMatchObject([{ uploaded: number }])
      await close()
    }
  })

  test.skipIf(process.getuid?.() !== 0)(
    'on a full disk refuses and stays whole, and takes more when there is room (a tmpfs; needs root)',
    async () => {
      await using file = new SqliteFile()
      const disk = join(file.directory, 'disk')
      mkdirSync(disk)
      const run = (...command: string[]) => {
        const { exitCode, stderr } = Bun.spawnSync(command)
        expect([exitCode, stderr.toString()]).toEqual([0, ''])
      }
      run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tracker-test', disk)
      try {
        const path = join(disk, 'tracker.db')
        const database = await openDatabase({ driver: 'sqlite3', path })
        let count = 0
        let refusal: { fault: string; message: string } | undefined
        while (refusal === undefined && count < 100_000) {
          const more = database.addToWhitelist(hashes(500, 1 + count))
          refusal = await more.then(
            () => undefined,
            (error) => error,
          )
          if (refusal === undefined) count += 500
        }
        expect([refusal?.fault, refusal?.message]).toEqual([
          'refused',
          'The Sqlite3 query was malformed: database or disk is full',
        ])
        const stored = async () => texts(await database.listWhitelist(0, 1_000_000))
        expect(await stored()).toEqual(texts(hashes(count)))
        run('mount', '-o', 'remount,size=8m', disk)
        await database.addToWhitelist(hashes(500, 1 + count))
        expect(await stored()).toEqual(texts(hashes(count + 500)))
        await database.close()
        const again = await openDatabase({ driver: 'sqlite3', path })
        expect(texts(await again.listWhitelist(0, 1_000_000)).length).toBe(count + 500)
        await again.close()
      } finally {
        run('umount', disk)
      }
    },
  )

  test('is the only one that is left behind after a close', async () => {
    await using file = new SqliteFile()
    const database = await openDatabase(file.config)
    await database.addToWhitelist(hashes(1_000))
    expect(readdirSync(file.directory).sort()).toContain('tracker.db-wal')
    await database.close()
    expect(readdirSync(file.directory)).toEqual(['tracker.db'])
  })
})
