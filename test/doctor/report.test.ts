/** How findings are gathered, and how people read them. */
import { expect, test } from 'bun:test'
import { reportText } from '../../src/doctor/command.ts'
import {
  type Check,
  type Finding,
  ok,
  problem,
  skipped,
  warning,
} from '../../src/doctor/finding.ts'
import { findingsOn } from '../support/doctor/machines.ts'

const CHECKS: readonly Check[] = [
  function quick() {
    return [ok('well'), skipped('it is dark')]
  },
  async function slow() {
    return warning('hm', 'It may break.', 'look --closer')
  },
  function late() {
    return problem('broken', 'It does not work.', 'mend it', 'Ask.')
  },
]
const WELL: Finding = { check: 'quick', status: 'ok', found: 'well' }

test('the worst is reported first', async () => {
  const findings = await findingsOn(CHECKS, {})
  expect(findings.map(({ check, status }) => [check, status])).toEqual([
    ['late', 'problem'],
    ['slow', 'warning'],
    ['quick', 'ok'],
    ['quick', 'skipped'],
  ])
  expect(reportText(findings, false)).toBe(`1 problem, 1 warning (1 ok, 1 skipped)

✗ problem  late   broken
                  It does not work.
                  → mend it
                  → Ask.

! warning  slow   hm
                  It may break.
                  → look --closer

✓ ok       quick  well
- skipped  quick  not looked at, because it is dark
`)
})

test('a check that fails for another reason than an unreadable file rejects', async () => {
  const wrong = () => Promise.reject(new TypeError('a bug'))
  await expect(findingsOn([wrong], {})).rejects.toThrow('a bug')
})

test.each([
  [[WELL], 'All is well (1 ok, 0 skipped)', 32],
  [[{ ...WELL, status: 'warning' }], 'No problem, 1 warning (0 ok, 0 skipped)', 33],
  [[{ ...WELL, status: 'problem' }], '1 problem, 0 warnings (0 ok, 0 skipped)', 31],
] as const)('the verdict comes first: %p', (findings, verdict, colour) => {
  expect(reportText(findings, false).split('\n')[0]).toBe(verdict)
  expect(reportText(findings, true)).toStartWith(`\x1b[1m\x1b[${colour}m`)
})

test('on a terminal sentences are broken below each other, and commands never', () => {
  const command = `echo ${'x'.repeat(60)}`
  const found = 'a long sentence that does not fit the terminal any more'
  const finding = { check: 'long', status: 'warning', found, why: 'It is long.', advice: [command] }
  expect(reportText([finding as Finding], false, 50)).toBe(`No problem, 1 warning (0 ok, 0 skipped)

! warning  long  a long sentence that does not fit
                 the terminal any more
                 It is long.
                 → ${command}

`)
})
