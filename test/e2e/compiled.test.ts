/** The executable that a run of the tests compiles is removed with the run, however that ends. */
import { expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { workspace } from '../support/cli/workspace.ts'
import { until } from '../support/until.ts'

const ROOT = join(import.meta.dir, '../..')

test.each([
  ['when it is there', 'SIGTERM', (said: string) => /^compiled (.*)$/m.exec(said)?.[1]],
  ['when it is there', 'SIGKILL', (said: string) => /^compiled (.*)$/m.exec(said)?.[1]],
  ['while it is made', 'SIGKILL', (_said: string, made: string[]) => made[0]],
] as const)('%s, %s', async (_when, signal, find) => {
  using here = workspace()
  const child = Bun.spawn([process.execPath, 'test', './test/support/e2e/compiling.ts'], {
    cwd: ROOT,
    // Not a worker of this run, should that be a parallel one.
    env: { ...process.env, TMPDIR: here.path, BUN_TEST_WORKER_ID: undefined },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  let said = ''
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const bytes of stream) said += Buffer.from(bytes)
  }
  const reading = Promise.all([read(child.stdout), read(child.stderr)])
  const found = await until(
    () => `something to be made: ${said}`,
    () => find(said, readdirSync(here.path)),
  )
  if (found.includes('/')) expect(existsSync(found)).toBe(true)
  child.kill(signal)
  await reading
  await until('it to be gone', () => readdirSync(here.path).length === 0)
})
