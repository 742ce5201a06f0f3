/** Runs the checks side by side, each within its time. */
import { within } from '../time/within.ts'
import {
  type Check,
  type Finding,
  type Found,
  type Group,
  type Patient,
  skipped,
} from './finding.ts'
import { Unreadable } from './machine.ts'

/** What a check may take beyond its questions over the network: watching counters, reading a slow disk. */
const REST_MILLISECONDS = 3_000

export interface Examined {
  readonly title: string
  readonly findings: readonly Finding[]
}

/** `done` is told each check that has ended. */
export function examine(
  groups: readonly Group[],
  patient: Patient,
  done: (check: string) => void = () => {},
): Promise<readonly Examined[]> {
  return Promise.all(
    groups.map(async ({ title, checks }) => {
      const findings = await Promise.all(
        checks.map(async (check) => {
          const found = await run(check, patient)
          done(check.name)
          return found.map((one): Finding => ({ check: check.name, ...one }))
        }),
      )
      return { title, findings: findings.flat() }
    }),
  )
}

async function run(check: Check, patient: Patient): Promise<readonly Found[]> {
  const { platform } = patient.machine.facts
  if (check.linux && platform !== 'linux')
    return [skipped(`only looked at on Linux, and this is ${platform}`)]
  const limit = patient.milliseconds + REST_MILLISECONDS
  const late = new Unreadable(`gave no result within ${limit / 1000} s`)
  try {
    // What throws at once is treated like what rejects.
    const found = await within(
      Promise.resolve().then(() => check.run(patient)),
      limit,
      late,
    )
    return 'status' in found ? [found] : found
  } catch (error) {
    if (error instanceof Unreadable) return [skipped(error.message)]
    throw error
  }
}
