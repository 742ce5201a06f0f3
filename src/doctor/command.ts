/** `tracker doctor`: looks at the machine and the configuration, changes nothing, and says what to type. */

import { EXIT, type Host } from '../cli/host.ts'
import { type Invocation, secondsValue } from '../cli/invocation.ts'
import { loadConfiguration } from '../cli/load-configuration.ts'
import { Progress, printResult } from '../cli/output.ts'
import { systemClock } from '../time/clock.ts'
import { examine } from './examine.ts'
import type { Patient } from './finding.ts'
import { GROUPS } from './groups.ts'
import { askTracker, type RunningTracker } from './listeners.ts'
import { Machine } from './machine.ts'
import { printFindings, summarise } from './report.ts'

/** How long counters are watched. */
const WATCH_MILLISECONDS = 1_000

export async function doctor(invocation: Invocation, host: Host): Promise<number> {
  const milliseconds = secondsValue(invocation, 'timeout', { min: 0.01, max: 3600 }, 5)
  const loaded = loadConfiguration(invocation, host)
  if (!loaded) return EXIT.misconfigured
  for (const warning of loaded.warnings) host.complain(`warning: ${warning}\n`)
  const { config } = loaded

  let watched: Promise<void> | undefined
  let tracker: Promise<RunningTracker> | undefined
  const patient: Patient = {
    config,
    machine: new Machine(),
    cwd: host.cwd,
    clock: systemClock,
    milliseconds,
    watch() {
      watched ??= Bun.sleep(WATCH_MILLISECONDS)
      return watched
    },
    tracker() {
      tracker ??= askTracker(config, milliseconds)
      return tracker
    },
  }

  const waiting = new Set(GROUPS.flatMap(({ checks }) => checks.map(({ name }) => name)))
  using progress = new Progress(host)
  using _told = progress.every(() => `tracker doctor: looking at ${[...waiting].join(', ')}`)
  const examined = await examine(GROUPS, patient, (check) => waiting.delete(check))
  progress.clear()

  const summary = summarise(examined)
  const findings = examined.flatMap((group) => group.findings)
  printResult(host, invocation, { findings, summary }, () => printFindings(examined, host.colour))
  return summary.problems === 0 ? 0 : 1
}
