/** Reading a machine: it ends whatever the files hold, and says what is wrong. */
import { describe, expect, test } from 'bun:test'
import { execFileSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import type { Check } from '../../src/doctor/finding.ts'
import { Machine, Unreadable } from '../../src/doctor/machine.ts'
import { findingsOn } from '../support/doctor/machines.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const isRoot = process.getuid?.() === 0

describe('a machine', () => {
  test('reads text and numbers below its root', () => {
    using here = temporaryDirectory({
      '/proc/a': ' 42\n',
      '/proc/b': '-1\n',
      '/sys/x/rx-1/y': '',
      '/sys/x/rx-0/y': '',
    })
    const machine = new Machine(here.path)
    expect(machine.text('/proc/a')).toBe(' 42\n')
    expect(machine.number('/proc/a')).toBe(42)
    expect(machine.maybeNumber('/proc/b')).toBe(-1)
    expect(machine.names('/sys/x')).toEqual(['rx-0', 'rx-1'])
    expect(machine.exists('/proc/a')).toBe(true)
  })

  test('says why a file cannot be read', () => {
    using here = temporaryDirectory({ '/proc/word': 'many\n', '/proc/big': `${'9'.repeat(40)}\n` })
    const machine = new Machine(here.path)
    expect(() => machine.text('/proc/gone')).toThrow(new Unreadable('/proc/gone does not exist'))
    expect(() => machine.text('/proc/word/x')).toThrow('/proc/word/x does not exist')
    expect(() => machine.text('/proc')).toThrow('/proc is a directory')
    expect(() => machine.number('/proc/word')).toThrow('/proc/word does not hold a number')
    expect(() => machine.number('/proc/big')).toThrow('/proc/big does not hold a number')
    expect(machine.maybe('/proc/gone')).toBeUndefined()
    expect(machine.maybeNumber('/proc/word')).toBeUndefined()
    expect(machine.names('/proc/gone')).toEqual([])
    expect(machine.exists('/proc/gone')).toBe(false)
  })

  test.skipIf(isRoot)('says when permission is denied', () => {
    using here = temporaryDirectory({ '/proc/secret': '1\n' })
    chmodSync(join(here.path, 'proc/secret'), 0)
    expect(() => new Machine(here.path).text('/proc/secret')).toThrow(
      'may not be read by this user',
    )
  })

  test('reads at most one mebibyte of a file', () => {
    using here = temporaryDirectory({ '/proc/long': 'x'.repeat(2 ** 20 + 1) })
    expect(new Machine(here.path).text('/proc/long')).toHaveLength(2 ** 20)
  })

  test.skipIf(process.platform !== 'linux')('does not wait at a pipe without a writer', () => {
    using here = temporaryDirectory({})
    execFileSync('mkfifo', [join(here.path, 'pipe')])
    expect(new Machine(here.path).text('/pipe')).toBe('')
  })

  test.skipIf(process.platform !== 'linux')('reads this machine', () => {
    const machine = new Machine()
    expect(machine.text('/proc/self/limits')).toContain('Max open files')
    expect(machine.facts.cores).toBeGreaterThan(0)
  })
})

describe('checks', () => {
  const quick: Check = { name: 'quick', run: () => ({ status: 'ok', found: 'well' }) }

  test('that never end are skipped, and delay no others', async () => {
    const endless: Check = { name: 'endless', run: () => new Promise(() => {}) }
    // A check has three seconds beyond its questions over the network.
    const context = { milliseconds: -2_900 }
    expect(await findingsOn([endless, quick], {}, { context })).toEqual([
      { check: 'endless', status: 'skipped', found: 'gave no result within 0.1 s' },
      { check: 'quick', status: 'ok', found: 'well' },
    ])
  })

  test('that fail for another reason than an unreadable file reject', async () => {
    const wrong: Check = {
      name: 'wrong',
      run() {
        throw new TypeError('a bug')
      },
    }
    await expect(findingsOn([wrong], {})).rejects.toThrow('a bug')
  })
})
