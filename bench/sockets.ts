/**
 * Ten thousand sockets of browsers on one WebTorrent tracker: what each takes while it is idle and after an announce, without and
 * with TLS; and whether memory stays as it is while sockets come and go.
 */
import { contenders } from './contenders.ts'
import type { Plan, Start, Transport } from './plan.ts'
import { type Column, table } from './results.ts'
import { inTurns } from './rounds.ts'
import { runClient, serve } from './run.ts'
import type { CrowdOptions, CrowdResult } from './ws-crowd.ts'

const kib = (of: (r: CrowdResult) => number): Column<CrowdResult>[1] => {
  return (r) => (of(r) / r.sockets).toFixed(1)
}
const mb = (of: (r: CrowdResult) => number): Column<CrowdResult>[1] => {
  return (r) => (of(r) / 1024).toFixed(1)
}

const COLUMNS: readonly Column<CrowdResult>[] = [
  ['sockets', (r) => `${r.sockets}`],
  ['KiB each, idle', kib((r) => r.idleKb - r.emptyKb)],
  ['after an announce', kib((r) => r.announcedKb - r.emptyKb)],
  ['MB without sockets', mb((r) => r.emptyKb)],
  ['with them', mb((r) => r.announcedKb)],
]
const CHURN: readonly Column<CrowdResult>[] = [
  ['half the time later', mb((r) => r.middleKb)],
  ['all the time later', mb((r) => r.endKb)],
  ['most in the first half', mb((r) => r.firstHalfKb)],
  ['in the second', mb((r) => r.secondHalfKb)],
  ['when they have gone', mb((r) => r.goneKb)],
]
const DOUBTS: readonly Column<CrowdResult>[] = [
  ['announces', (r) => `${r.announces}`],
  ['answered', (r) => `${r.answers}`],
  ['offers relayed', (r) => `${r.offers}`],
  ['closed by the server', (r) => `${r.failed}`],
]

export async function measureSockets(plan: Plan): Promise<void> {
  await compareSockets(plan, ['ws', 'wss'], {})
}

/** 1 % of the sockets come and go in each second. */
export async function measureChurn(plan: Plan): Promise<void> {
  await compareSockets(plan, ['ws'], { churnSeconds: plan.seconds })
}

async function compareSockets(
  plan: Plan,
  transports: readonly Transport[],
  changes: Partial<CrowdOptions>,
): Promise<void> {
  const options = { ...(plan.load.sockets && { sockets: plan.load.sockets }), ...changes }
  const players = contenders(plan.trackers).flatMap(({ name, ...starts }) =>
    transports.flatMap((transport) => {
      const start = starts[transport]
      if (!start || !plan.chooses(name.replace(/^tracker\d+$/, 'tracker'))) return []
      const label = transport === 'wss' ? `${name}, TLS` : name
      return [{ name: label, turn: () => measure(name, start, transport, options) }]
    }),
  )
  const rows = await inTurns(players, plan.rounds, (name, r) =>
    console.error(`${name}: ${((r.idleKb - r.emptyKb) / r.sockets).toFixed(1)} KiB a socket`),
  )
  const churn = changes.churnSeconds ? `, 1 % churn a second for ${plan.seconds} s` : ''
  console.log(`\nsockets of browsers${churn} (medians of ${plan.rounds} rounds)\n`)
  console.log(table([...COLUMNS, ...(churn ? CHURN : []), ...DOUBTS], rows))
}

async function measure(
  name: string,
  start: Start,
  transport: Transport,
  changes: Partial<CrowdOptions>,
): Promise<CrowdResult | undefined> {
  await using server = await serve(`sockets-${name}`, start, transport, {})
  if (!server) return undefined
  const { port, pid } = server
  const options = { ...changes, port, pid, tls: transport === 'wss' }
  return await runClient<CrowdResult>(name, server.loadCores, 'ws-crowd.ts', options).result
}
