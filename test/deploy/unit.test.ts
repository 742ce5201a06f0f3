/** The systemd unit as a file: whether systemd accepts it, and whether the files and users it names are in the guide. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GUIDE } from '../support/deploy/guide.ts'
import { runProgram } from '../support/run-program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const UNIT = join(import.meta.dir, '../../share/systemd/tracker.service')
const text = readFileSync(UNIT, 'utf8')
const hasAnalyze = Bun.which('systemd-analyze') !== null

/** The values of one setting, in order. */
const settings = (name: string) =>
  Array.from(text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm')), ([, value]) => value!)

const analyze = (...words: string[]) =>
  runProgram(['systemd-analyze', '--no-pager', ...words], {
    env: process.env as Record<string, string>,
  })

test.skipIf(!hasAnalyze)('has an exposure of 2.0 of 10 at most', async () => {
  // The threshold is in tenths.
  const { code, out, err } = await analyze('security', '--offline=true', '--threshold=20', UNIT)
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(/Overall exposure level for tracker\.service: [01]\./)
})

test.skipIf(!hasAnalyze)('has only settings that systemd knows', async () => {
  using root = temporaryDirectory()
  await mkdir(root.at('usr/local/bin'), { recursive: true })
  await writeFile(root.at('usr/local/bin/tracker'), '#!/bin/sh\n', { mode: 0o755 })
  await mkdir(root.at('bin'))
  await writeFile(root.at('bin/kill'), '#!/bin/sh\n', { mode: 0o755 })
  await mkdir(root.at('etc/systemd/system'), { recursive: true })
  await cp(UNIT, root.at('etc/systemd/system/tracker.service'))
  // The targets that it depends on.
  await mkdir(root.at('usr/lib/systemd'), { recursive: true })
  await cp('/lib/systemd/system', root.at('usr/lib/systemd/system'), {
    recursive: true,
    verbatimSymlinks: true,
  })
  const { code, err } = await analyze(
    ...['verify', `--root=${root.path}`, '--man=no', 'tracker.service'],
  )
  expect([code, err]).toEqual([0, ''])
})

test('names the files and the user that the guide creates', () => {
  const [start] = settings('ExecStart')
  const [program, option, configuration] = start!.split(' ')
  expect(GUIDE).toContain(`install -m 755 tracker ${program}\n`)
  expect(option).toBe('--config')
  expect(GUIDE).toContain(`tracker init ${configuration}\n`)
  expect(GUIDE).toContain(`chown root:tracker ${configuration}\n`)
  expect([settings('User'), settings('Group')]).toEqual([['tracker'], ['tracker']])
  expect(GUIDE).toMatch(/^useradd --system --user-group .* tracker$/m)
  expect(GUIDE).toContain('/etc/systemd/system/tracker.service\n')
})

test('does not restart after errors that a restart cannot cure', () => {
  // 2: wrong command line; 78: wrong configuration.
  expect(settings('RestartPreventExitStatus')).toEqual(['2 78'])
})

test('gives the tracker enough time to stop, and its own directory to run in', () => {
  expect(Number(settings('TimeoutStopSec')[0])).toBeGreaterThan(10)
  expect(settings('WorkingDirectory')).toEqual([`/var/lib/${settings('StateDirectory')[0]}`])
})
