/** `tracker doctor`: checks the machine and the configuration, changes nothing, and says what to type. */
import { EXIT, type Host } from '../cli/host.ts'
import { type Invocation, secondsValue } from '../cli/invocation.ts'
import { loadConfiguration } from '../cli/load-configuration.ts'
import { Progress, printResult } from '../cli/output.ts'
import { several } from '../text/figures.ts'
import { systemClock } from '../time/clock.ts'
import { certificates } from './certificates.ts'
import { conntrack } from './conntrack.ts'
import { database } from './database-check.ts'
import {
  type CheckedGroup,
  type Context,
  type Group,
  type RunningTracker,
  runChecks,
  type Status,
} from './finding.ts'
import { askTracker, health, ports } from './listeners.ts'
import { Machine } from './machine.ts'
import { container, ipv6 } from './network.ts'
import { receiveBacklog, softirq, workers } from './processor.ts'
import { publicUrl } from './public-url.ts'
import { receiveBuffer, receiveDrops } from './receive.ts'
import { clock, files, memory, swap } from './system.ts'

/** All checks, in the order of the report. */
const GROUPS: readonly Group[] = [
  { title: 'Tracker', checks: [health, ports, publicUrl, database, certificates, clock] },
  { title: 'Datagrams', checks: [receiveBuffer, receiveDrops, conntrack] },
  { title: 'Network', checks: [ipv6, container] },
  { title: 'Processor', checks: [softirq, receiveBacklog, workers] },
  { title: 'Limits', checks: [files, memory, swap] },
]

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
  const context: Context = {
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
  using _line = progress.every(() => `tracker doctor: checking ${[...waiting].join(', ')}`)
  const groups = await runChecks(GROUPS, context, (check) => waiting.delete(check))
  progress.clear()

  const findings = groups.flatMap((group) => group.findings)
  const times = (status: Status): number =>
    findings.filter((finding) => finding.status === status).length
  const summary = {
    ok: times('ok'),
    warnings: times('warning'),
    problems: times('problem'),
    skipped: times('skipped'),
  }
  printResult(host, invocation, { findings, summary }, () =>
    reportText(groups, summary, host.colour),
  )
  return summary.problems === 0 ? 0 : 1
}

/** Findings by status. */
interface Summary {
  readonly ok: number
  readonly warnings: number
  readonly problems: number
  readonly skipped: number
}

const COLOURS: Readonly<Record<Status, number>> = { ok: 32, warning: 33, problem: 31, skipped: 90 }
const STATUS_WIDTH = 'problem'.length

function reportText(groups: readonly CheckedGroup[], summary: Summary, colour: boolean): string {
  const paint = (text: string, code: number) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)
  const width = Math.max(
    0,
    ...groups.flatMap(({ findings }) => findings.map(({ check }) => check.length)),
  )
  const indent = ' '.repeat(2 + STATUS_WIDTH + 2)
  const parts = groups.map(({ title, findings }) => [
    paint(title, 1),
    ...findings.flatMap(({ check, status, found, advice = [] }) => [
      `  ${paint(status.padEnd(STATUS_WIDTH), COLOURS[status])}  ${check.padEnd(width)}  ${found}`,
      ...advice.map((line) => `${indent}→ ${line}`),
    ]),
  ])
  const { ok, warnings, problems, skipped } = summary
  const last = `${several(problems, 'problem')}, ${several(warnings, 'warning')}, ${ok} ok, ${skipped} skipped`
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n\n${last}\n`
}
