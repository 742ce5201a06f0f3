/** Trackers under the same load on the same machine: one table for each mix. */
import { contenders, LIMIT, type Transport } from './contenders.ts'
import type { Plan } from './plan.ts'
import { sideBySide, table } from './results.ts'
import { inTurns } from './rounds.ts'
import { measure } from './run.ts'

export async function compare(transport: Transport, plan: Plan): Promise<void> {
  for (const mix of plan.mixes ?? ['mixed', 'announce']) {
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
    console.log(table(sideBySide(LIMIT[transport]), rows))
  }
}
