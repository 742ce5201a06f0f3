/** What a check is given, what it answers with, and how checks run: side by side, each within its time limit. */

import type { HealthAnswer } from '../client/health-report.ts'
import type { Config } from '../config/model.ts'
import type { Clock } from '../time/clock.ts'
import { Deadline } from '../time/deadline.ts'
import { type Machine, Unreadable } from './machine.ts'

/** `problem`: it fails, or is about to. `warning`: it works, but could work better, or will not work for long. */
export type Status = 'ok' | 'warning' | 'problem' | 'skipped'

export interface Finding {
  /** Name of the check. */
  readonly check: string
  readonly status: Status
  /** One line. */
  readonly found: string
  /** Commands to type and sentences to follow, in this order. */
  readonly advice?: readonly string[]
}

/** A finding as a check returns it; its name is added when it has run. */
export type Result = Omit<Finding, 'check'>

export const ok = (found: string): Result => ({ status: 'ok', found })
export const skipped = (found: string): Result => ({ status: 'skipped', found })
export const warning = (found: string, ...advice: string[]): Result => ({
  status: 'warning',
  found,
  advice,
})
export const problem = (found: string, ...advice: string[]): Result => ({
  status: 'problem',
  found,
  advice,
})

/** What answers at the address of the configured health API. */
export interface RunningTracker {
  /** Where the health report is. */
  readonly url: string
  /** absent: nothing there answers with a report. */
  readonly answer?: HealthAnswer
  /** Why there is no report; absent where nothing listens. */
  readonly trouble?: string
}

export interface Context {
  readonly config: Config
  readonly machine: Machine
  /** Absolute; relative paths of the configuration start here. */
  readonly cwd: string
  readonly clock: Clock
  /** Time limit of each question over the network. */
  readonly milliseconds: number
  /** Waits while counters change; all checks share one wait. */
  watch(): Promise<void>
  /** Asks for the tracker of this configuration, once for all checks. */
  tracker(): Promise<RunningTracker>
}

export interface Check {
  readonly name: string
  /** The check reads what only Linux has. */
  readonly linux?: true
  /** An `Unreadable` that is thrown becomes a skipped finding. */
  run(context: Context): Result | readonly Result[] | Promise<Result | readonly Result[]>
}

/** A group of checks under one heading of the report. */
export interface Group {
  readonly title: string
  readonly checks: readonly Check[]
}

export interface CheckedGroup {
  readonly title: string
  readonly findings: readonly Finding[]
}

/** `onEnd` is called with the name of each check that has ended. Rejects if a check fails by a mistake of ours. */
export function runChecks(
  groups: readonly Group[],
  context: Context,
  onEnd: (check: string) => void = () => {},
): Promise<readonly CheckedGroup[]> {
  return Promise.all(
    groups.map(async ({ title, checks }) => {
      const findings = await Promise.all(
        checks.map(async (check) => {
          const results = await run(check, context)
          onEnd(check.name)
          return results.map((result): Finding => ({ check: check.name, ...result }))
        }),
      )
      return { title, findings: findings.flat() }
    }),
  )
}

/** Time for a check beyond its questions over the network: watching counters, reading a slow disk. */
const REST_MILLISECONDS = 3_000

async function run(check: Check, context: Context): Promise<readonly Result[]> {
  const { platform } = context.machine.facts
  if (check.linux && platform !== 'linux')
    return [skipped(`only checked on Linux, and this is ${platform}`)]
  const limit = context.milliseconds + REST_MILLISECONDS
  const late = new Unreadable(`gave no result within ${limit / 1000} s`)
  try {
    const result = await Deadline.in(limit).run(
      async () => check.run(context),
      () => late,
    )
    return 'status' in result ? [result] : result
  } catch (error) {
    if (error instanceof Unreadable) return [skipped(error.message)]
    throw error
  }
}
