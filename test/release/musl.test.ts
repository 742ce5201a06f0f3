/**
 * The executable for musl over UDP, alone with its libraries in a root directory. TEST_MUSL: where those libraries are
 * (test/support/release/musl.sh).
 */
import { expect, test } from 'bun:test'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { LIMITS } from '../../src/limits.ts'
import { configuration } from '../support/configuration.ts'
import { launch } from '../support/e2e/program.ts'
import { readsItself } from '../support/e2e/sockets.ts'
import { runProgram } from '../support/run-program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { connected, connectPacket, hashOf, transactionOf } from '../support/udp-client.ts'

const libraries = process.env.TEST_MUSL
/** Its runtime may have to be downloaded. */
const BUILD_MILLISECONDS = 200_000
const BURST = LIMITS.udpBatch * 2 + 1

test.skipIf(libraries === undefined || process.arch !== 'x64' || process.getuid?.() !== 0)(
  'the executable for musl serves both families with system calls of its own',
  async () => {
    using room = temporaryDirectory()
    cpSync(libraries!, room.path, { recursive: true, verbatimSymlinks: true })
    const build = ['build.ts', room.at('tracker'), 'bun-linux-x64-baseline-musl']
    const { code, err } = await runProgram([process.execPath, ...build], {
      cwd: join(import.meta.dir, '../..'),
      milliseconds: BUILD_MILLISECONDS,
    })
    if (code !== 0) throw new Error(err)

    const toml = configuration({
      rest: `
[[udp_trackers]]
bind_address = "[::]:0"
[health_check_api]
bind_address = "127.0.0.1:0"
`,
    })
    await using run = await launch(() => [Bun.which('chroot')!, room.path, '/tracker'], { toml })
    const [, port] = await run.says(/UDP TRACKER: Started on: udp:\/\/\[::\]:(\d+)/)
    expect(readsItself(run.child.pid)).toBe(true)
    using four = await connected(Number(port))
    using six = await connected(Number(port), '::1')
    for (const client of [four, six]) {
      for (let i = 0; i < BURST; i++) client.send(connectPacket(i))
      const answered = new Set<number>()
      while (answered.size < BURST) answered.add(transactionOf(await client.receive()))
    }
    await four.announce({ port: 0x1111 })
    await six.announce({ port: 0x2222 })
    expect((await four.announce({ port: 1, left: 1n })).peers).toEqual(['7f0000011111'])
    expect((await six.announce({ port: 1, left: 1n })).peers).toEqual([`${'0'.repeat(30)}012222`])
    expect(await four.scrape(hashOf(1))).toEqual([[2, 0, 2]])
    expect(await run.stop()).toMatchObject({ code: 0 })
  },
  BUILD_MILLISECONDS,
)
