/** All attacks at once, for TEST_HOSTILE_SECONDS or a few seconds. */
import { expect, test } from 'bun:test'
import { compiled } from '../support/e2e/program.ts'
import { siege } from '../support/hostile/siege.ts'
import { PATIENCE_MILLISECONDS } from '../support/until.ts'

const seconds = Number(process.env.TEST_HOSTILE_SECONDS ?? 3)
const binary = compiled()

test.skipIf(process.platform !== 'linux')(
  `${seconds} s of mixed hostile traffic leave honest clients served and the tracker at rest`,
  async () => {
    const { table, failures } = await siege(binary, seconds)
    console.log(table)
    expect(failures).toEqual([])
  },
  seconds * 1000 + 5 * PATIENCE_MILLISECONDS,
)
