/** What the doctor found: the one shape that every check answers with, and what a check is given. */

import type { Config } from '../config/model.ts'
import type { Clock } from '../time/clock.ts'
import type { RunningTracker } from './listeners.ts'
import type { Machine } from './machine.ts'

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
