/** What the doctor makes of the database: files that can be written or not, servers of every manner. */

import { describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { database } from '../../src/doctor/database-check.ts'
import { skipReason, testServer } from '../support/database/servers.ts'
import { findingOn } from '../support/doctor/machines.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const isRoot = process.getuid?.() === 0

describe('a file', () => {
  const look = async (cwd: string, path = 'storage/tracker.db') => {
    const config = `[core.database]\npath = "${path}"\n`
    const { status, found } = await findingOn(database, {}, { config, patient: { cwd } })
    return [status, found]
  }

  test('that is not there yet is not made', async () => {
    using here = temporaryDirectory({})
    expect(await look(here.path)).toEqual([
      'ok',
      expect.stringMatching(
        /^sqlite3:storage\/tracker\.db will be created; .* are free on its disk$/,
      ),
    ])
    expect(readdirSync(here.path)).toEqual([])
  })

  test('that is there is left as it is', async () => {
    const bytes = `SQLite format 3\0${'x'.repeat(84)}`
    using here = temporaryDirectory({ 'storage/tracker.db': bytes })
    expect(await look(here.path)).toEqual(['ok', expect.stringContaining('can be written')])
    expect(readdirSync(join(here.path, 'storage'))).toEqual(['tracker.db'])
    expect(readFileSync(join(here.path, 'storage/tracker.db'), 'latin1')).toBe(bytes)
  })

  test('may be empty, as somebody has touched it', async () => {
    using here = temporaryDirectory({ 'storage/tracker.db': '' })
    expect((await look(here.path))[0]).toBe('ok')
  })

  test('may not be something else', async () => {
    using here = temporaryDirectory({ 'storage/tracker.db': 'PK\x03\x04' })
    expect(await look(here.path)).toEqual([
      'problem',
      'sqlite3:storage/tracker.db is no SQLite database',
    ])
    mkdirSync(join(here.path, 'directory'))
    expect(await look(here.path, 'directory')).toEqual([
      'problem',
      'sqlite3:directory is a directory',
    ])
    expect(await look(here.path, 'storage/tracker.db/x/y.db')).toEqual([
      'problem',
      expect.stringContaining(`${here.path}/storage/tracker.db is a file`),
    ])
  })

  test.skipIf(isRoot)('must be writable, and so must its directory', async () => {
    using here = temporaryDirectory({ 'storage/tracker.db': 'SQLite format 3\0' })
    const [file, directory] = ['storage/tracker.db', 'storage'].map((name) => join(here.path, name))
    chmodSync(file!, 0o444)
    expect(await look(here.path)).toEqual([
      'problem',
      expect.stringContaining('may not read and write it'),
    ])
    chmodSync(directory!, 0o555)
    expect(await look(here.path)).toEqual([
      'problem',
      expect.stringContaining(`this user may not write in ${directory}`),
    ])
    chmodSync(directory!, 0o755)
  })

  test.skipIf(!existsSync('/dev/full'))('is no device', async () => {
    const found = 'sqlite3:/dev/full is a device or the like'
    expect(await look('/', '/dev/full')).toEqual(['problem', found])
  })
})

test('none is none', async () => {
  expect(await findingOn(database, {})).toMatchObject({ status: 'skipped' })
})

const serverConfig = (driver: string, port: number, host = '127.0.0.1') => `[core.database]
driver = "${driver}"
host = "${host}"
port = ${port}
user = "tracker"
password = "hunter2"
database = "tracker"
`

/** Something that listens, says this at once, and what `answer` makes of what it is told. */
async function listening(behave: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    behave(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

describe('a server', () => {
  const ask = async (driver: string, port: number, milliseconds = 60_000, host?: string) => {
    const config = serverConfig(driver, port, host)
    const finding = await findingOn(database, {}, { config, patient: { milliseconds } })
    expect(JSON.stringify(finding)).not.toContain('hunter2')
    return [finding.status, finding.found]
  }

  for (const driver of ['mysql', 'postgresql'] as const) {
    const server = testServer(driver)
    const name = server ? driver : `${driver}, ${skipReason(driver)},`
    test.skipIf(!server)(`${name} that runs lets in whom it knows, and nobody else`, async () => {
      const lines = (password: string) =>
        Object.entries({ ...server!, password })
          .map(([option, value]) => `${option} = ${JSON.stringify(value)}\n`)
          .join('')
      const look = (password: string) =>
        findingOn(database, {}, { config: `[core.database]\n${lines(password)}` })
      const finding = await look(server!.password)
      expect([finding.status, finding.found]).toEqual([
        'ok',
        expect.stringContaining('lets tracker in'),
      ])
      expect(JSON.stringify(finding)).not.toContain(server!.password)
      expect(await look('hunter2')).toMatchObject({
        status: 'problem',
        found: expect.stringMatching(/access denied|authentication failed/i),
      })
    })

    test(`${driver} that is not there`, async () => {
      const gone = await listening(() => {})
      gone[Symbol.dispose]()
      const [status, found] = await ask(driver, gone.port)
      expect([status, found]).toEqual(['problem', expect.stringContaining('connection refused')])
    })

    test(`${driver} whose name is not known`, async () => {
      const [status, found] = await ask(driver, 3306, 5_000, 'nobody.invalid')
      expect([status, found]).toEqual([
        'problem',
        expect.stringMatching(/no host has this name|resolver/),
      ])
    })

    test(`${driver} that says nothing`, async () => {
      using mute = await listening(() => {})
      const [status, found] = await ask(driver, mute.port, 200)
      expect([status, found]).toEqual([
        'problem',
        expect.stringContaining('no answer within 0.2 s'),
      ])
    })

    test(`${driver} that hangs up`, async () => {
      using curt = await listening((socket) => socket.end())
      expect((await ask(driver, curt.port))[0]).toBe('problem')
    })

    test(`${driver} that is none`, async () => {
      using other = await listening((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
      const [status, found] = await ask(driver, other.port, 2_000)
      expect([status, found]).toEqual([
        'problem',
        expect.stringMatching(/no answer within 2 s|Failed to read data/),
      ])
    })

    test(`${driver} that never ends`, async () => {
      using babbler = await listening((socket) => {
        // A packet of 16 MiB that begins as a greeting.
        socket.write(Uint8Array.of(255, 255, 255, 0, 10))
        const on = () => {
          if (!socket.destroyed) socket.write(Buffer.alloc(65_536, 0x41), on)
        }
        on()
      })
      expect((await ask(driver, babbler.port, 500))[0]).toBe('problem')
    })
  }

  test('mysql is not everything that speaks in packets', async () => {
    using other = await listening((socket) => socket.write('\x05\0\0\0hello'))
    expect((await ask('mysql', other.port))[0]).toBe('problem')
  })

  test('mysql that lets nobody in says why, and a terminal need not fear it', async () => {
    const text = "Host '10.0.0.1' is not \x1b[31mallowed to connect to this MariaDB server"
    const packet = Buffer.concat([
      Buffer.from([text.length + 3, 0, 0, 0, 0xff, 0x6a, 0x04]),
      Buffer.from(text),
    ])
    // In pieces, as a network may hand it on.
    using server = await listening((socket) => {
      socket.write(packet.subarray(0, 4))
      setTimeout(() => socket.write(packet.subarray(4)), 20)
    })
    expect(await ask('mysql', server.port)).toEqual([
      'problem',
      `mysql://127.0.0.1:${server.port}/tracker: ${text.replace('\x1b', ' ')}`,
    ])
  })

  test('on a socket file', async () => {
    using here = temporaryDirectory({})
    const path = join(here.path, 'mysql.sock')
    expect(await ask('mysql', 3306, 1_000, path)).toEqual([
      'problem',
      expect.stringContaining('ENOENT'),
    ])
    writeFileSync(path, '')
    expect((await ask('mysql', 3306, 1_000, path))[0]).toBe('problem')
  })
})
