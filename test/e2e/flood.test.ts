/**
 * After a flood of datagrams the tracker is as idle as before: no thread spins, no descriptor stays open.
 * The first flood comes while the sockets are being opened, the second over a loopback so slow that answers
 * pile up.
 */

import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { configuration, listeners } from '../support/configuration.ts'
import type { Aftermath, Flood } from '../support/e2e/flooded.ts'
import { compiled, freePort, type Program, source } from '../support/e2e/program.ts'
import { runProgram } from '../support/run-program.ts'
import { sample, THOROUGH } from '../support/thorough.ts'

const SCRIPT = join(import.meta.dir, '../support/e2e/flooded.ts')
const MINUTES = 3 * 60_000
const binary = compiled()

const canIsolate =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  ['unshare', 'ip', 'tc'].every((tool) =>
    Bun.which(tool, { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }),
  )

async function flooded(
  program: Program,
  threads: number,
  flood: Omit<Flood, 'program'>,
  prefix: readonly string[] = [],
): Promise<Aftermath> {
  const settings: Flood = { ...flood, program: program() }
  const { code, out, err } = await runProgram(
    [...prefix, process.execPath, SCRIPT, JSON.stringify(settings)],
    {
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        TORRUST_TRACKER_CONFIG_TOML: configuration({
          rest: listeners(flood.port),
          workers: threads,
        }),
      },
      milliseconds: MINUTES,
    },
  )
  if (code !== 0) throw new Error(`the flood failed: ${out}${err}`)
  return JSON.parse(out)
}

function expectCalm({ answers, idleShare, descriptors, serves }: Aftermath): void {
  expect(answers).toBeGreaterThan(1_000)
  expect(idleShare).toBeLessThanOrEqual(0.01)
  expect(descriptors[1]).toBe(descriptors[0])
  expect(serves).toBe(true)
}

test.each(
  sample([
    ['the source', source, 1],
    ['the source', source, 2],
    ['the compiled program', binary, 2],
  ] as const),
)(
  'a flood during the start leaves %s idle with as many threads (case %#)',
  async (_name, program, threads) => {
    for (let time = 0; time < (THOROUGH ? 3 : 1); time++) {
      const port = await freePort()
      expectCalm(await flooded(program, threads, { port, fromTheStart: true, milliseconds: 1_000 }))
    }
  },
  MINUTES,
)

/** A network namespace whose loopback carries 200 Mbit/s. */
const SLOW_LOOPBACK = [
  ...['unshare', '--net', '--kill-child=KILL', 'sh', '-euc'],
  'ip link set lo up; tc qdisc add dev lo root tbf rate 200mbit burst 64kb latency 2s; exec "$@"',
  'sh',
]

test.skipIf(!canIsolate).each(sample([1, 2]))(
  'a flood whose answers do not fit the network leaves %d thread(s) idle',
  async (threads) => {
    expectCalm(
      await flooded(
        binary,
        threads,
        { port: 16_969, fromTheStart: false, milliseconds: 5_000 },
        SLOW_LOOPBACK,
      ),
    )
  },
  MINUTES,
)
