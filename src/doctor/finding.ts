/** What the doctor found: the one shape that every check answers with, and what a check is given. */

import type { HealthAnswer } from '../client/health-report.ts'
import type { Config } from '../config/model.ts'
import type { Clock } from '../time/clock.ts'
import { within } from '../time/within.ts'
import { type Machine, Unreadable } from './machine.ts'

/** `problem`: it fails, or is about to. `warning`: it works, but not as well as it could, or not for long. */
export type Status = 'ok' | 'warning' | 'problem' | 'skipped'

export interface Finding {
  /** Name of the check. */
  readonly check: string
  readonly status: Status
  /** One line. */
  readonly found: string
  /** Commands to type and sentences to follow, in their order. */
  readonly advice?: readonly string[]
}

/** A finding before it is known which check it is of. */
export type Found = Omit<Finding, 'check'>

export const ok = (found: string): Found => ({ status: 'ok', found })
export const skipped = (found: string): Found => ({ status: 'skipped', found })
export const warning = (found: string, ...advice: string[]): Found => ({
  status: 'warning',
  found,
  advice,
})
export const problem = (found: string, ...advice: string[]): Found => ({
  status: 'problem',
  found,
  advice,
})

/** What answers where the health API of the configuration should be. */
export interface RunningTracker {
  /** Of the health report. */
  readonly url: string
  /** absent: nothing there answers with a report. */
  readonly answer?: HealthAnswer
  /** Why there is none, where that is not just because nothing listens. */
  readonly trouble?: string
}

/** What checks may look at. */
export interface Patient {
  readonly config: Config
  readonly machine: Machine
  /** Absolute; relative paths of the configuration start here. */
  readonly cwd: string
  readonly clock: Clock
  /** Time limit of each question over the network. */
  readonly milliseconds: number
  /** Passes the time in which counters are watched; all checks watch the same while. */
  watch(): Promise<void>
  /** The tracker of this configuration, if one runs; all checks ask it once. */
  tracker(): Promise<RunningTracker>
}

export interface Check {
  readonly name: string
  /** It looks at what only Linux has. */
  readonly linux?: true
  /** An `Unreadable` that is thrown makes it a skipped one. */
  run(patient: Patient): Found | readonly Found[] | Promise<Found | readonly Found[]>
}

export interface Group {
  readonly title: string
  readonly checks: readonly Check[]
}

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
