/** Servers under the same load on the same machine: a table for each mix. */
import { contenders, LIMIT } from './contenders.ts'
import type { Plan, Transport } from './plan.ts'
import {
  CORE,
  type Column,
  CPU,
  cpu,
  DOUBTS,
  LATENCY,
  MEMORY,
  mediansOf,
  RATE,
  RELAYED,
  ratio,
  table,
} from './results.ts'
import { inTurns } from './rounds.ts'
import { measure, type Result } from './run.ts'

/** The medians of one table by server, as a results file has them. */
export type Panel = {
  readonly transport: Transport
  readonly mix: string
  readonly servers: Readonly<Record<string, Result>>
}

export async function compare(
  transport: Transport,
  plan: Plan,
  columns = ratesOf(transport),
): Promise<Panel[]> {
  const panels: Panel[] = []
  for (const mix of plan.mixes ?? (['mixed', 'announce'] as const)) {
    const load = { mix, ...plan.load }
    const players = contenders(plan.trackers).flatMap(({ name, ...starts }) => {
      const start = starts[transport]
      if (!start || !plan.chooses(name.replace(/^tracker\d+$/, 'tracker'))) return []
      return [{ name, turn: () => measure(name, start, transport, load) }]
    })
    const rows = await inTurns(players, plan.rounds, (name, { perSecond }) =>
      console.error(`${transport} ${mix} ${name}: ${Math.round(perSecond)} responses/s`),
    )
    console.log(`\n${transport}, ${mix} (${plan.heading})\n`)
    console.log(table(columns, rows))
    panels.push({ transport, mix, servers: mediansOf(rows) })
  }
  return panels
}

/** The tracker with which others are compared. */
const RIVAL = { udp: 'opentracker', http: 'opentracker', ws: 'aquatic', wss: 'aquatic' } as const

function ratesOf(transport: Transport): readonly Column<Result>[] {
  const [limit, rival] = [LIMIT[transport], RIVAL[transport]]
  const isWeb = transport === 'ws' || transport === 'wss'
  return [
    RATE,
    [`÷ ${limit}`, ratio(limit, (r) => r.perSecond)],
    [`÷ ${rival}`, ratio(rival, (r) => r.perSecond)],
    ['÷ tracker', ratio('tracker', (r) => r.perSecond)],
    ...(isWeb ? [RELAYED] : []),
    CORE,
    CPU,
    [`per CPU ÷ ${limit}`, ratio(limit, (r) => 1 / cpu(r))],
    [`per CPU ÷ ${rival}`, ratio(rival, (r) => 1 / cpu(r))],
    MEMORY,
    ...LATENCY,
    ...DOUBTS,
  ]
}
