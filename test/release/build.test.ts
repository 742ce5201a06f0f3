/** How a build finds out which commit it is made of. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const BUILD = join(import.meta.dir, '../../build.ts')

function commitIn(cwd: string, env: Readonly<Record<string, string>> = {}): string {
  const ask = `console.log((await import(${JSON.stringify(BUILD)})).sourceCommit())`
  const { stdout } = Bun.spawnSync([process.execPath, '-e', ask], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
  })
  return stdout.toString().trim()
}

test('the commit is that of SOURCE_COMMIT, or of the repository in the working directory', () => {
  using room = temporaryDirectory({ 'clone/a/tracker/build.ts': '' })
  const git = (...words: readonly string[]) =>
    Bun.spawnSync(['git', '-c', 'user.name=a', '-c', 'user.email=a@b', ...words], {
      cwd: room.at('clone'),
    }).stdout.toString()
  git('init', '--quiet')
  git('commit', '--quiet', '--allow-empty', '-m', 'first')
  const head = git('rev-parse', 'HEAD').trim()
  expect(head).toMatch(/^[0-9a-f]{40}$/)
  expect(commitIn(room.at('clone'))).toBe(head)
  // An archive that was unpacked in somebody's repository is not of that repository's commit.
  expect(commitIn(room.at('clone/a/tracker'))).toBe('undefined')
  expect(commitIn(room.path)).toBe('undefined')
  expect(commitIn(room.path, { SOURCE_COMMIT: 'abc' })).toBe('abc')
  expect(commitIn(room.at('clone'), { SOURCE_COMMIT: '' })).toBe(head)
  expect(commitIn(room.path, { PATH: '/nonexistent' })).toBe('undefined')
})
