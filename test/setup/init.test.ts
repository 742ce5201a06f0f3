/** `tracker init`: the file it writes, and the files it leaves alone. */
import { expect, test } from 'bun:test'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { workspace } from '../support/cli/workspace.ts'
import { source } from '../support/e2e/program.ts'
import { runProgram } from '../support/run-program.ts'

const TOKEN = /^admin = "([0-9a-f]{32})"$/m

test('the file loads without a warning, is for its owner only and holds a fresh token', async () => {
  using here = workspace()
  using there = workspace()
  const [first, second] = await Promise.all([here.run(['init']), there.run(['init'])])
  expect([first.code, first.err, second.code]).toEqual([0, '', 0])
  expect(first.out).toContain('tracker.toml')

  const path = join(here.path, 'tracker.toml')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const text = readFileSync(path, 'utf8')
  const other = readFileSync(join(there.path, 'tracker.toml'), 'utf8')
  expect(TOKEN.exec(text)?.[1]).toBeString()
  expect(TOKEN.exec(text)?.[1]).not.toBe(TOKEN.exec(other)?.[1])
  expect(text.replace(TOKEN, '')).toBe(other.replace(TOKEN, ''))
  expect(first.out).not.toContain(TOKEN.exec(text)![1]!)

  expect(await here.run(['config', 'check'])).toEqual({
    code: 0,
    out: 'tracker.toml: ok (schema 3.0.0)\n',
    err: '',
  })
})

const WITHOUT_IPV6 = ['unshare', '--net', ...source()]
const canUnshare =
  Bun.which('unshare') !== null && Bun.spawnSync(['unshare', '--net', 'true']).success

test.skipIf(!canUnshare)(
  'C13: without IPv6 the file and the built-in default have IPv4',
  async () => {
    using here = workspace()
    const run = (words: string[]) => runProgram([...WITHOUT_IPV6, ...words], { cwd: here.path })
    const builtIn = await run(['config', 'print'])
    await run(['init'])
    const file = await run(['config', 'print'])
    for (const { out } of [builtIn, file])
      expect(Array.from(out.matchAll(/^bind_address = "([^"]*)"/gm), ([, at]) => at!)).toEqual([
        ...['0.0.0.0:6969', '0.0.0.0:7070', '127.0.0.1:1212', '127.0.0.1:1313'],
      ])
  },
)

test('another file can be named, and what to do next names it too', async () => {
  using here = workspace()
  const { code, out } = await here.run(['init', 'my.toml'])
  expect(code).toBe(0)
  expect(out).toContain('tracker --config my.toml\n')
  expect(await here.run(['config', 'check', '-c', 'my.toml'])).toMatchObject({ code: 0 })
})

test.each([
  ['a file that exists', 'here.toml', 'file already exists: name another, or move it away'],
  ['a directory that does not', 'gone/x.toml', 'no such file or directory'],
])('%s is an error of one line', async (_what, path, reason) => {
  using here = workspace({ 'here.toml': 'mine' })
  const err = `tracker: ${path} cannot be written: ${reason}\n`
  expect(await here.run(['init', path])).toEqual({ code: 1, out: '', err })
  expect(readFileSync(join(here.path, 'here.toml'), 'utf8')).toBe('mine')
})
