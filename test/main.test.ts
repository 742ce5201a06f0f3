/** The process: what it prints where, and the code it ends with. */
import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { version } from '../package.json' with { type: 'json' }
import { workspace } from './support/cli/workspace.ts'
import { runProgram } from './support/run-program.ts'

test('the version is that of the package', async () => {
  using here = workspace()
  expect(await here.run(['--version'])).toEqual({ code: 0, out: `tracker ${version}\n`, err: '' })
})

test.each(['serve', 'run', 'start'])('T9: tracker %s serves', async (word) => {
  using here = workspace({ 'tracker.toml': '' })
  const { code, err } = await here.run([word])
  expect([code, err]).toEqual([78, expect.stringContaining('mistakes in tracker.toml\n')])
})

test.each([
  [['version'], ['--version']],
  [['help'], ['--help']],
  [
    ['help', 'config', 'print'],
    ['config', 'print', '--help'],
  ],
])('T9: tracker %j is tracker %j', async (words, same) => {
  using here = workspace()
  const result = await here.run(words)
  expect(result).toEqual(await here.run(same))
  expect(result).toMatchObject({ code: 0, err: '' })
})

test('help goes to the standard output', async () => {
  using here = workspace()
  const { code, out, err } = await here.run(['--help'])
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('Usage: tracker [options]')
})

test('T9: wrong usage ends with 2 and one line on the standard error', async () => {
  using here = workspace()
  expect(await here.run(['--confg', 'x'])).toEqual({
    code: 2,
    out: '',
    err: 'tracker: unknown option --confg, did you mean --config? See tracker --help\n',
  })
})

test('a tracker with mistakes in its configuration reports all of them and starts nothing', async () => {
  using here = workspace({
    'tracker.toml': '[metadata]\nschema_version = "3.0.0"\n[core]\nlisted = 1\nprivte = true\n',
  })
  expect(await here.run([])).toEqual({
    code: 78,
    out: '',
    err: `tracker: 4 mistakes in tracker.toml
tracker.toml: Missing mandatory configuration option. Option path: logging.trace_filter, for example \`trace_filter = "info"\` below [logging]
tracker.toml: Missing mandatory configuration option. Option path: core.private, for example \`private = false\` below [core]
tracker.toml:4:1: core.listed: expected true or false, found 1
tracker.toml:5:1: core.privte: unknown option, did you mean private?
`,
  })
  expect(existsSync(join(here.path, 'storage'))).toBe(false)
})

test('a mistake in the environment is not blamed on the file', async () => {
  using here = workspace()
  const name = 'TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__LISTED'
  expect(await here.run(['config', 'check'], { [name]: 'maybe' })).toEqual({
    code: 78,
    out: '',
    err: `tracker: 1 mistake in ${name}\n${name}: core.listed: expected true or false, found "maybe"\n`,
  })
  const both = { [name]: 'maybe', [name.replace('LISTED', 'PRIVATE')]: 'maybe' }
  const { err } = await here.run(['config', 'check'], both)
  expect(err).toStartWith('tracker: 2 mistakes in the configuration\n')
})

/** Runs a script in which `"$0" "$1"` is the program. */
const shell = (script: string, cwd: string) =>
  runProgram(['bash', '-c', script, process.execPath, join(import.meta.dir, '../src/main.ts')], {
    cwd,
    env: { PATH: process.env.PATH ?? '' },
  })

test('a reader that has gone is no failure', async () => {
  using here = workspace()
  expect(
    await shell('set -o pipefail; "$0" "$1" config print --docs | true; echo "$?"', here.path),
  ).toMatchObject({ out: '0\n', err: '' })
})

test('a slow reader gets all of it, however long it is', async () => {
  // More than a pipe holds. No tracker listens on port 9 of the loopback.
  const targets = Array.from({ length: 2_000 }, () => '127.0.0.1:9')
  using here = workspace({
    'targets.json': JSON.stringify({ udp_trackers: targets, http_trackers: [], health_checks: [] }),
  })
  const check = '"$0" "$1" check --config-path targets.json --timeout 0.1 2> /dev/null'
  const { out } = await shell(
    `${check} | { read -r -N 1 first; sleep 0.5; printf %s "$first"; cat; }`,
    here.path,
  )
  expect(out.length).toBeGreaterThan(200_000)
  expect(JSON.parse(out)).toHaveLength(2_000)
})

test.skipIf(!existsSync('/dev/full'))('a result that cannot be written is a failure', async () => {
  using here = workspace()
  const { out, err } = await shell('"$0" "$1" config print > /dev/full; echo "$?"', here.path)
  expect(out).toBe('1\n')
  expect(err).toMatch(/^tracker: cannot write the output: ENOSPC[^\n]*\n$/)
  expect((await shell('"$0" "$1" client x y 2> /dev/full; echo "$?"', here.path)).out).toBe('2\n')
})
