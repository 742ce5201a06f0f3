/** After a peak the memory goes back to the operating system. */
import { expect, test } from 'bun:test'
import type { Residents } from '../support/swarm/resident-child.ts'
import { sample } from '../support/thorough.ts'

const child = new URL('../support/swarm/resident-child.ts', import.meta.url).pathname

// Small buffers come from the engine's arenas, large ones from the system.
test.skipIf(process.platform !== 'linux').each(
  sample([
    ['2 GiB', 2 ** 31],
    ['64 MiB', 64 * 2 ** 20],
  ] as const),
)(
  'resident memory falls after a peak where max_memory is %s',
  (_name, bytes) => {
    const { stdout, stderr } = Bun.spawnSync([process.execPath, child, `${bytes}`])
    if (stdout.length === 0) throw new Error(stderr.toString())
    const residents: Residents = JSON.parse(stdout.toString())
    const { before, peak, after, used } = residents
    expect(residents.faults).toEqual([])
    expect(peak - before).toBeGreaterThan(20_000)
    expect(used).toBeLessThan(2_000)
    expect((after - before) / (peak - before)).toBeLessThan(0.5)
    expect(residents.seeders.slice(3)).toEqual([150_000, 6, 6])
  },
  60_000,
)
