/**
 * A database that is missing or wrong when the tracker starts: one line that names it, the reason and the remedy; no
 * secret, no listener, and no endless wait.
 */

import { beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import type { DatabaseConfig } from '../../src/config/model.ts'
import { type ServerConfig, skipReason, testServer } from '../support/database/servers.ts'
import { keeperToml, TOKEN } from '../support/e2e/keeper.ts'
import { bothPrograms, freePort, launch, type Program } from '../support/e2e/program.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'

const WRONG_PASSWORD = 'wrong and secret'

const PROGRAMS = bothPrograms()

const room = sharedDirectory()
beforeAll(() => {
  mkdirSync(room.at('directory'))
  writeFileSync(room.at('diary'), 'Dear diary, a tracker looked at me today.\n'.repeat(99))
})

/** Starts a tracker that must fail; its standard error, without the common beginning. */
async function complaintOf(program: Program, database: DatabaseConfig): Promise<string> {
  const [udp, http, api, health] = await Promise.all(Array.from({ length: 4 }, freePort))
  const ports = { udp: udp!, http: http!, api: api!, health: health! }
  await using run = await launch(program, { toml: keeperToml({ database }, ports) })
  // By HTTP: a TCP connection to a free port of one's own machine may connect to itself.
  const answers = (port: number) =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    )
  while (run.child.exitCode === null) {
    expect(await Promise.all([http!, api!, health!].map(answers))).toEqual([false, false, false])
    await Bun.sleep(20)
  }
  const { code, out, err } = await run.ended()
  expect(code).toBe(1)
  expect(out).not.toContain('Started on')
  for (const secret of [TOKEN, 'password' in database ? database.password : TOKEN])
    expect(out + err).not.toContain(secret)
  return /^tracker: cannot open the database ([^\n]+)\n$/.exec(err)?.[1] ?? `not one line: ${err}`
}

const UNWRITABLE =
  'let the tracker write the file and its directory, or name another file in core.database.path'

describe.each(PROGRAMS)('with %s', (_program, program) => {
  const sqlite = async (path: string) => {
    const complaint = await complaintOf(program, { driver: 'sqlite3', path })
    expect(complaint).toStartWith(`sqlite3:${path}: `)
    return complaint.slice(`sqlite3:${path}: `.length)
  }

  test('a file that is not a database', async () => {
    const path = room.at('diary')
    expect(await sqlite(path)).toBe(
      `${path} is no SQLite database: name another file in core.database.path, or move this one away`,
    )
  })

  test('a directory in the place of a file, and a file in the place of a directory', async () => {
    expect(await sqlite(room.at('directory'))).toBe('it is a directory: name a file in it')
    expect(await sqlite(room.at('diary', 'tracker.db'))).toBe(
      'a part of its path is a file: name another directory',
    )
  })

  // Not even root can create files there.
  test.skipIf(process.platform !== 'linux')(
    'a directory that is not writable, or cannot be made (/sys)',
    async () => {
      expect(await sqlite('/sys/tracker.db')).toBe(`unable to open database file: ${UNWRITABLE}`)
      expect(await sqlite('/sys/tracker/tracker.db')).toEndWith(
        `, mkdir '/sys/tracker': ${UNWRITABLE}`,
      )
    },
  )

  describe.each(['mysql', 'postgresql'] as const)('%s', (driver) => {
    const server = testServer(driver)
    const name = server === undefined ? `: ${skipReason(driver)}` : ''
    const ends = async (change: Partial<ServerConfig>, expected: string | RegExp) => {
      const config = { ...server!, ...change }
      const complaint = await complaintOf(program, config)
      const place = `${driver}://${config.host}:${config.port}/${config.database}: `
      expect(complaint).toStartWith(place)
      expect(complaint.slice(place.length)).toMatch(expected)
    }

    test.skipIf(server === undefined)(`at a port without a listener${name}`, async () => {
      await ends({ port: await freePort() }, /^connection refused; is the server running/)
    })
    test.skipIf(server === undefined)(`with a wrong password${name}`, async () => {
      await ends(
        { password: WRONG_PASSWORD },
        /^(Access denied for user 'tracker'|password authentication failed for user "tracker")/,
      )
    })
    test.skipIf(server === undefined)(`with a database that does not exist${name}`, async () => {
      await ends(
        { database: 'no_such_database' },
        /^database "no_such_database" does not exist: create it first$/,
      )
    })
  })
})

// Concurrent, because each takes ten seconds.
describe.concurrent('a silent server', () => {
  test.each(['mysql', 'postgresql'] as const)('is given up: %s', async (driver) => {
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    try {
      const account = { user: 'tracker', password: WRONG_PASSWORD, database: 'tracker' }
      const config = { driver, host: '127.0.0.1', port: silent.port, ...account }
      expect(await complaintOf(PROGRAMS.at(-1)![1], config)).toMatch(
        new RegExp(
          // Within ten seconds. On a busy machine either of two limits may be reached first.
          `^${driver}://127.0.0.1:${silent.port}/tracker: no answer within (\\d{1,4} ms|\\d s|10 s)(; does something else .+)?$`,
        ),
      )
    } finally {
      silent.stop(true)
    }
  })
})
