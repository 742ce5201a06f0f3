/** `tracker doctor`: looks at the machine, the configuration and the running tracker, changes nothing, and says what to type. */
import { styleText } from 'node:util'
import { EXIT, type Host } from '../cli/host.ts'
import { type Invocation, secondsValue } from '../cli/invocation.ts'
import { loadConfiguration } from '../cli/load-configuration.ts'
import { printResult, showProgress } from '../cli/output.ts'
import { several } from '../text/figures.ts'
import { systemClock } from '../time/clock.ts'
import { certificates } from './certificates.ts'
import { database } from './database-check.ts'
import { type Finding, runChecks, type Status } from './finding.ts'
import { Machine } from './machine.ts'
import { ports, publicUrl } from './reachability.ts'
import { askTracker, health, requests } from './running-tracker.ts'
import { clock, conntrack, files, memory, receiveBuffer, receiveDrops } from './system.ts'

/** By the name in the report, in its order among findings that are equally bad. */
const CHECKS = {
  health,
  requests,
  ports,
  'public-url': publicUrl,
  database,
  certificates,
  'receive-buffer': receiveBuffer,
  'receive-drops': receiveDrops,
  conntrack,
  files,
  memory,
  clock,
}

export async function doctor(invocation: Invocation, host: Host): Promise<number> {
  const milliseconds = secondsValue(invocation, 'timeout', { min: 0.01, max: 3600 }, 5)
  const loaded = loadConfiguration(invocation, host)
  if (!loaded) return EXIT.misconfigured
  for (const warning of loaded.warnings) host.complain(`warning: ${warning}\n`)
  const { config } = loaded

  let tracker: ReturnType<typeof askTracker> | undefined
  using progress = showProgress(host, () => 'tracker doctor: waiting for answers')
  const findings = await runChecks(CHECKS, {
    config,
    machine: new Machine(),
    cwd: host.cwd,
    clock: systemClock,
    milliseconds,
    tracker() {
      tracker ??= askTracker(config, milliseconds)
      return tracker
    },
  })
  progress[Symbol.dispose]()
  const summary = summaryOf(findings)
  printResult(host, invocation, { findings, summary }, () =>
    reportText(findings, host.colour, host.columns),
  )
  return summary.problems === 0 ? EXIT.success : EXIT.failure
}

function summaryOf(findings: readonly Finding[]) {
  const times = (status: Status): number =>
    findings.filter((finding) => finding.status === status).length
  return {
    ok: times('ok'),
    warnings: times('warning'),
    problems: times('problem'),
    skipped: times('skipped'),
  }
}

const LOOKS = {
  problem: ['✗ problem', 'red'],
  warning: ['! warning', 'yellow'],
  ok: ['✓ ok', 'green'],
  skipped: ['- skipped', 'gray'],
} as const satisfies Record<Status, unknown>

/**
 * The verdict, then a paragraph for each finding. `columns`: the width of the terminal; undefined: there is none, and
 * sentences stay on one line. Commands are never broken, so that they can be copied.
 */
export function reportText(
  findings: readonly Finding[],
  colour: boolean,
  columns = Number.POSITIVE_INFINITY,
): string {
  type Style = Parameters<typeof styleText>[0]
  const paint = (style: Style, text: string) =>
    colour ? styleText(style, text, { validateStream: false }) : text
  const width = Math.max(0, ...findings.map(({ check }) => check.length))
  const indent = ' '.repeat(LOOKS.problem[0].length + width + 4)
  const wrapped = (text: string): string[] =>
    columns <= indent.length + 30 ? [text] : Bun.wrapAnsi(text, columns - indent.length).split('\n')
  const paragraphs = findings.map(({ check, status, found, why, advice = [] }) => {
    const [label, style] = LOOKS[status]
    const head = `${paint(style, label.padEnd(LOOKS.problem[0].length))}  ${check.padEnd(width)}  `
    const lines = [
      ...wrapped(found),
      ...(why === undefined ? [] : wrapped(why)),
      ...advice.map((line) => `${paint('cyan', '→')} ${line}`),
    ]
    // A blank line behind a finding that asks for something.
    return `${head}${lines.join(`\n${indent}`)}\n${why === undefined ? '' : '\n'}`
  })
  const { ok, warnings, problems, skipped } = summaryOf(findings)
  const verdict =
    problems + warnings === 0
      ? 'All is well'
      : `${problems === 0 ? 'No problem' : several(problems, 'problem')}, ${several(warnings, 'warning')}`
  const worst = findings[0]?.status ?? 'ok'
  return `${paint(['bold', LOOKS[worst][1]], verdict)} (${ok} ok, ${skipped} skipped)\n\n${paragraphs.join('')}`
}
