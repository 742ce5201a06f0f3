/** What the doctor says about databases: files that can be written or not, servers of all kinds. */
import { describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { database } from '../../src/doctor/database-check.ts'
import type { Context } from '../../src/doctor/finding.ts'
import { skipReason, testServer } from '../support/database/servers.ts'
import { findingOn, running } from '../support/doctor/machines.ts'
import { type Files, temporaryDirectory } from '../support/temporary-directory.ts'

const isRoot = process.getuid?.() === 0

describe('a file', () => {
  const look = async (cwd: string, path: string, tracker?: Context['tracker']) => {
    const config = `[core.database]\npath = "${path}"\n`
    const context = { cwd, ...(tracker && { tracker }) }
    const { status, found } = await findingOn(database, {}, { config, context })
    return [status, found.replaceAll(cwd, 'CWD')]
  }

  test.each([
    [
      'does not exist',
      'a/b.db',
      {},
      'ok',
      /^sqlite3:a\/b\.db will be created; .* are free on its disk$/,
    ],
    ['exists', 'a.db', { 'a.db': 'SQLite format 3\0' }, 'ok', /^sqlite3:a\.db can be written; /],
    ['is empty', 'a.db', { 'a.db': '' }, 'ok', / can be written; /],
    ['is a directory', 'a', { 'a/b': '' }, 'problem', /^sqlite3:a is not a file$/],
    [
      'is below a file',
      'a.db/x/y.db',
      { 'a.db': '' },
      'problem',
      /this user may not write in CWD\/a\.db,/,
    ],
  ] as [string, string, Files, string, RegExp][])(
    'that %s',
    async (_what, path, files, status, found) => {
      using here = temporaryDirectory(files)
      const before = readdirSync(here.path, { recursive: true })
      expect(await look(here.path, path)).toEqual([status, expect.stringMatching(found)])
      // Nothing is created or changed.
      expect(readdirSync(here.path, { recursive: true })).toEqual(before)
      for (const [name, text] of Object.entries(files))
        expect(readFileSync(here.at(name), 'latin1')).toBe(text)
    },
  )

  test.skipIf(isRoot)('must be writable, and so must its directory', async () => {
    using here = temporaryDirectory({ 'storage/a.db': '' })
    chmodSync(here.at('storage/a.db'), 0o444)
    expect((await look(here.path, 'storage/a.db'))[1]).toContain('may not read and write it')
    chmodSync(here.at('storage'), 0o555)
    expect((await look(here.path, 'storage/a.db'))[1]).toContain('may not write in CWD/storage')
    chmodSync(here.at('storage'), 0o755)
  })

  test.skipIf(!existsSync('/dev/full'))('must not be a device', async () => {
    expect(await look('/', '/dev/full')).toEqual([
      'problem',
      expect.stringContaining('is not a file'),
    ])
  })

  test('that the running tracker can use is no problem of it', async () => {
    using here = temporaryDirectory({ 'a.db/b': '' })
    const services = [{ service: 'sqlite3', type: 'database', status: 'Ok', message: '' }] as const
    const found = expect.stringContaining('; the running tracker can use it')
    expect(await look(here.path, 'a.db', running({ services }))).toEqual(['skipped', found])
    expect((await look(here.path, 'a.db', running({ services }, false)))[0]).toBe('problem')
  })
})

test('without a database there is nothing to look at', async () => {
  expect(await findingOn(database, {})).toMatchObject({ status: 'skipped' })
})

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

/** Sends the header of a greeting of 16 MiB, and never stops. */
const babble = (socket: Socket): void => {
  socket.write(Uint8Array.of(255, 255, 255, 0, 10))
  const on = () => {
    if (!socket.destroyed) socket.write(Buffer.alloc(65_536, 0x41), on)
  }
  on()
}

describe.each(['mysql', 'postgresql'] as const)('%s', (driver) => {
  const ask = async (options: object, milliseconds: number) => {
    const all = { host: '127.0.0.1', user: 'tracker', password: 'hunter2', ...options }
    const lines = Object.entries({ driver, database: 'tracker', ...all })
      .map(([option, value]) => `${option} = ${JSON.stringify(value)}\n`)
      .join('')
    const config = `[core.database]\n${lines}`
    const finding = await findingOn(database, {}, { config, context: { milliseconds } })
    expect(JSON.stringify(finding)).not.toContain(all.password)
    return [finding.status, finding.found, ...(finding.advice ?? []).slice(0, 1)]
  }
  const failure = (text: RegExp, advice = /\?$/) => [
    'problem',
    expect.stringMatching(text),
    expect.stringMatching(advice),
  ]

  const server = testServer(driver)
  const name = server ? '' : `, ${skipReason(driver)},`
  test.skipIf(!server)(`that runs${name} accepts the right password and no other`, async () => {
    expect(await ask(server!, 60_000)).toEqual(['ok', expect.stringContaining('lets tracker in')])
    const denied = /access denied|authentication failed/i
    expect(await ask({ ...server!, password: 'hunter3' }, 60_000)).toEqual(failure(denied))
    expect(await ask({ ...server!, database: 'nowhere' }, 60_000)).toEqual(
      failure(/does not exist|access denied/i, /^CREATE DATABASE nowhere;|user and password right/),
    )
  })

  test.each([
    ['is silent', () => {}, / no answer within 0\.3 s$/],
    ['hangs up', (socket: Socket) => socket.end(), / /],
    ['never stops sending', babble, / /],
    [
      'is another kind of server',
      (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
      /no answer within|Failed to read data/,
    ],
  ])('that %s', async (_what, behave, text) => {
    using server = await listening(behave)
    expect(await ask({ port: server.port }, 300)).toEqual(failure(text))
  })

  test('that is not there', async () => {
    const gone = await listening(() => {})
    gone[Symbol.dispose]()
    expect(await ask({ port: gone.port }, 5_000)).toEqual(failure(/connection refused/))
    const unknown = { port: 3306, host: 'nobody.invalid' }
    expect(await ask(unknown, 5_000)).toEqual(failure(/no host has this name|resolver/))
  })
})

test('the words of a server that refuses are printable', async () => {
  const text = "Host '10.0.0.1' is not \x1b[31mallowed to connect"
  const head = Buffer.from([text.length + 3, 0, 0, 0, 0xff, 0x6a, 0x04])
  using server = await listening((socket) => socket.write(Buffer.concat([head, Buffer.from(text)])))
  const config = `[core.database]
driver = "mysql"
host = "127.0.0.1"
port = ${server.port}
user = "tracker"
password = "hunter2"
database = "tracker"
`
  const { found } = await findingOn(database, {}, { config })
  expect(found).toBe(`mysql://127.0.0.1:${server.port}/tracker: ${text.replace('\x1b', ' ')}`)
})
