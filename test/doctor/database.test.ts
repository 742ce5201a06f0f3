/** What the doctor says about databases: files that can be written or not, servers of all kinds. */
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
    const { status, found } = await findingOn(database, {}, { config, context: { cwd } })
    return [status, found]
  }

  test('that does not exist yet is not created', async () => {
    using here = temporaryDirectory({})
    expect(await look(here.path)).toEqual([
      'ok',
      expect.stringMatching(
        /^sqlite3:storage\/tracker\.db will be created; .* are free on its disk$/,
      ),
    ])
    expect(readdirSync(here.path)).toEqual([])
  })

  test('that exists is left as it is', async () => {
    const bytes = `SQLite format 3\0${'x'.repeat(84)}`
    using here = temporaryDirectory({ 'storage/tracker.db': bytes })
    expect(await look(here.path)).toEqual(['ok', expect.stringContaining('can be written')])
    expect(readdirSync(join(here.path, 'storage'))).toEqual(['tracker.db'])
    expect(readFileSync(join(here.path, 'storage/tracker.db'), 'latin1')).toBe(bytes)
  })

  test('may be empty', async () => {
    using here = temporaryDirectory({ 'storage/tracker.db': '' })
    expect((await look(here.path))[0]).toBe('ok')
  })

  test('must not be something else', async () => {
    using here = temporaryDirectory({ 'storage/tracker.db': 'PK\x03\x04' })
    expect(await look(here.path)).toEqual([
      'problem',
      'sqlite3:storage/tracker.db is not an SQLite database',
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

  test.skipIf(!existsSync('/dev/full'))('must not be a device', async () => {
    const found = 'sqlite3:/dev/full is neither a file nor a directory'
    expect(await look('/', '/dev/full')).toEqual(['problem', found])
  })
})

test('without a database the check is skipped', async () => {
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

/** A server that hands each connection to `behave`. */
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
    const finding = await findingOn(database, {}, { config, context: { milliseconds } })
    expect(JSON.stringify(finding)).not.toContain('hunter2')
    return [finding.status, finding.found]
  }

  for (const driver of ['mysql', 'postgresql'] as const) {
    const server = testServer(driver)
    const name = server ? driver : `${driver}, ${skipReason(driver)},`
    test.skipIf(!server)(`${name} that runs accepts the right password and no other`, async () => {
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

    test(`${driver} that does not listen`, async () => {
      const gone = await listening(() => {})
      gone[Symbol.dispose]()
      const [status, found] = await ask(driver, gone.port)
      expect([status, found]).toEqual(['problem', expect.stringContaining('connection refused')])
    })

    test(`${driver} whose name is unknown`, async () => {
      const [status, found] = await ask(driver, 3306, 5_000, 'nobody.invalid')
      expect([status, found]).toEqual([
        'problem',
        expect.stringMatching(/no host has this name|resolver/),
      ])
    })

    test(`${driver} that is silent`, async () => {
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

    test(`${driver} that is another kind of server`, async () => {
      using other = await listening((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
      const [status, found] = await ask(driver, other.port, 2_000)
      expect([status, found]).toEqual([
        'problem',
        expect.stringMatching(/no answer within 2 s|Failed to read data/),
      ])
    })

    test(`${driver} that never stops sending`, async () => {
      using babbler = await listening((socket) => {
        // The header of a greeting of 16 MiB.
        socket.write(Uint8Array.of(255, 255, 255, 0, 10))
        const on = () => {
          if (!socket.destroyed) socket.write(Buffer.alloc(65_536, 0x41), on)
        }
        on()
      })
      expect((await ask(driver, babbler.port, 500))[0]).toBe('problem')
    })
  }

  test('a server that only looks like mysql is a problem', async () => {
    using other = await listening((socket) => socket.write('\x05\0\0\0hello'))
    expect((await ask('mysql', other.port))[0]).toBe('problem')
  })

  test('the words of a mysql that refuses are printable', async () => {
    const text = "Host '10.0.0.1' is not \x1b[31mallowed to connect to this MariaDB server"
    const packet = Buffer.concat([
      Buffer.from([text.length + 3, 0, 0, 0, 0xff, 0x6a, 0x04]),
      Buffer.from(text),
    ])
    // In pieces, as a network may deliver it.
    using server = await listening((socket) => {
      socket.write(packet.subarray(0, 4))
      setTimeout(() => socket.write(packet.subarray(4)), 20)
    })
    expect(await ask('mysql', server.port)).toEqual([
      'problem',
      `mysql://127.0.0.1:${server.port}/tracker: ${text.replace('\x1b', ' ')}`,
    ])
  })

  test('a path in place of a host is a socket file', async () => {
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
