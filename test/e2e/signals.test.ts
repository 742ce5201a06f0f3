/** SIGHUP (docs/behaviours.md O6), which ends a process by default: a tracker reloads and goes on, the tools end. */

import { describe, expect, test } from 'bun:test'
import { configuration } from '../support/configuration.ts'
import { compiled, launch, type Program, source } from '../support/e2e/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { sample } from '../support/thorough.ts'
import { hashOf, udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const binary = compiled()
const PROGRAMS: readonly (readonly [string, Program, number])[] = sample([
  ['the source, on one thread', source, 1],
  ['the compiled program, on two', binary, 2],
])

describe.skipIf(process.platform === 'win32')('SIGHUP', () => {
  test.each(PROGRAMS)(
    'O6, O12: reloads, and stops nothing: %s',
    async (_name, program, workers) => {
      using directory = temporaryDirectory({ 'tracker.toml': configuration({ workers }) })
      await using run = await launch(program, { directory: directory.path })
      const { udp_trackers } = await run.services()
      const port = Number(udp_trackers[0]!.split(':')[1])
      using before = await udpPeer(port)
      expect((await before.announce(hashOf(1))).seeders).toBe(1)
      const changed = configuration({ workers, core: '[core.announce_policy]\ninterval = 7\n' })
      directory.write({ 'tracker.toml': changed })
      run.child.kill('SIGHUP')
      await run.says(/ INFO CONFIGURATION: Changed: core\.announce_policy\.interval: 120 → 7\n/)
      directory.write({ 'tracker.toml': `${changed}\n[broken` })
      run.child.kill('SIGHUP')
      await run.says(/ERROR CONFIGURATION: tracker\.toml:\d+:\d+: /)
      await run.says(/ERROR CONFIGURATION: Not reloaded: nothing was changed\n/)
      using after = await udpPeer(port)
      expect((await after.announce(hashOf(1))).seeders).toBe(2)
      const { code, err } = await run.stop()
      expect([code, err]).toEqual([0, ''])
    },
  )

  test('during the start stops nothing either', async () => {
    await using run = await launch(binary, { toml: configuration() })
    await run.says(/CONFIGURATION: Read from/)
    run.child.kill('SIGHUP')
    await run.services()
    expect((await run.stop()).code).toBe(0)
  })

  test('from a closed terminal stops nothing either', async () => {
    await using run = await launch(binary, { toml: configuration(), terminal: true })
    const { udp_trackers } = await run.services()
    run.child.terminal!.close()
    using peer = await udpPeer(Number(udp_trackers[0]!.split(':')[1]))
    expect((await peer.announce(hashOf(1))).seeders).toBe(1)
    run.child.kill('SIGTERM')
    await run.child.exited
    // It ended normally, whatever it could still print.
    expect(run.child.signalCode).toBeNull()
  })

  // Only Linux shows from outside that a tool is at work.
  test.skipIf(process.platform !== 'linux').each([
    ['check', ['check', 'udp://127.0.0.1:9', '--watch', '--timeout', '0.1']],
    ['bench', ['bench', 'udp', 'udp://127.0.0.1:PORT', '--duration', '60', '--rate', '100']],
  ])('ends tracker %s', async (_name, words) => {
    await using tracker = await launch(binary, { toml: configuration() })
    const { udp_trackers } = await tracker.services()
    const [, port] = udp_trackers[0]!.split(':')
    await using run = await launch(binary, {
      words: words.map((word) => word.replace('PORT', port!)),
    })
    // Its handlers for other signals are set: it is at work.
    await until('the tool to be at work', async () => {
      const status = await Bun.file(`/proc/${run.child.pid}/status`).text()
      const caught = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1]}`)
      return (caught & (1n << 1n)) !== 0n
    })
    run.child.kill('SIGHUP')
    await run.ended()
    expect(run.child.signalCode).toBe('SIGHUP')
  })
})
