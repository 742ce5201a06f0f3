/** `bun run release` with arguments with which it makes nothing. */
import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { workspace } from '../support/cli/workspace.ts'
import { PATIENCE_MILLISECONDS } from '../support/until.ts'

const ROOT = join(import.meta.dir, '../..')

function release(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    [process.execPath, join(ROOT, 'release.ts'), ...words],
    { env: { PATH: process.env.PATH, ...env }, timeout: PATIENCE_MILLISECONDS },
  )
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() }
}

test.each([
  [['linux-x86'], 'unknown platform linux-x86'],
  [['linux-x64', 'amiga'], 'unknown platform amiga'],
  [['--fast'], "Unknown option '--fast'"],
])('%j is wrong usage', (words, message) => {
  using room = workspace()
  const { code, out, err } = release(['--out', join(room.path, 'out'), ...words])
  expect([code, out]).toEqual([2, ''])
  expect(err).toStartWith(`release: ${message}`)
  expect(err).toContain(
    'linux-x64, linux-arm64, linux-x64-musl, linux-arm64-musl, macos-arm64, macos-x64, windows-x64;',
  )
  expect(existsSync(join(room.path, 'out'))).toBe(false)
})

test('--help prints the usage', () => {
  const { code, out, err } = release(['--help'])
  expect([code, err]).toEqual([0, ''])
  expect(out).toStartWith('usage: bun run release')
})

test('a malformed SOURCE_DATE_EPOCH is refused', () => {
  using room = workspace()
  const { code, err } = release(['--out', room.path], { SOURCE_DATE_EPOCH: 'yesterday' })
  expect([code, err]).toEqual([
    1,
    'release: SOURCE_DATE_EPOCH must be seconds since 1970, not yesterday\n',
  ])
})
