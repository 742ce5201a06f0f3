/** What a check is given, what it answers with, and how checks run: side by side. */

import type { HealthAnswer } from '../client/health-report.ts'
import type { Config } from '../config/model.ts'
import type { Clock } from '../time/clock.ts'
import { type Machine, Unreadable } from './machine.ts'

/** `problem`: it fails, or is about to. `warning`: it works, but could work better, or will not work for long. */
const STATUSES = ['problem', 'warning', 'ok', 'skipped'] as const
export type Status = (typeof STATUSES)[number]

export interface Finding {
  /** Name of the check. */
  readonly check: string
  readonly status: Status
  /** One line. */
  readonly found: string
  /** What follows from it, in one sentence. Problems and warnings have it. */
  readonly why?: string
  /** Commands to type and sentences to follow, in this order. Problems and warnings have them. */
  readonly advice?: readonly string[]
}

/** A finding as a check returns it; its name is added when it has run. */
export type Result = Omit<Finding, 'check'>

export const ok = (found: string): Result => ({ status: 'ok', found })
export const skipped = (because: string): Result => ({
  status: 'skipped',
  found: `not looked at, because ${because}`,
})
const bad =
  (status: Status) =>
  (found: string, why: string, ...advice: string[]): Result => ({ status, found, why, advice })
export const warning = bad('warning')
export const problem = bad('problem')

/** What answers at the address of the configured health API. */
export interface RunningTracker {
  /** Where the health report is. */
  readonly url: string
  /** absent: nothing there answers with a report. */
  readonly answer?: HealthAnswer
  /** Why there is no report; absent where nothing listens. */
  readonly trouble?: string
  /** The report comes from the tracker of this configuration, not from another one at the same address. */
  readonly isOurs: boolean
}

export interface Context {
  readonly config: Config
  readonly machine: Machine
  /** Absolute; relative paths of the configuration start here. */
  readonly cwd: string
  readonly clock: Clock
  /** Time limit of each question over the network. */
  readonly milliseconds: number
  /** Asks for the tracker of this configuration, once for all checks. */
  tracker(): Promise<RunningTracker>
}

export type Results = Result | readonly Result[]

/** Waits for nothing without a time limit. An `Unreadable` that is thrown becomes a skipped finding. */
export type Check = (context: Context) => Results | Promise<Results>

/** The findings of all checks, by their names, the worst first. Rejects if a check fails by a mistake of ours. */
export async function runChecks(
  checks: Readonly<Record<string, Check>>,
  context: Context,
): Promise<readonly Finding[]> {
  const findings = await Promise.all(
    Object.entries(checks).map(async ([check, look]) => {
      const results = await run(look, context)
      return results.map((result): Finding => ({ check, ...result }))
    }),
  )
  return findings.flat().sort((a, b) => STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status))
}

async function run(look: Check, context: Context): Promise<readonly Result[]> {
  try {
    const found = await look(context)
    return 'status' in found ? [found] : found
  } catch (error) {
    if (error instanceof Unreadable) return [skipped(error.message)]
    throw error
  }
}
