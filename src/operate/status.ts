/** `tracker status`: whether the running tracker is well, and what an operator wants to know first. */
import { EXIT } from '../cli/host.ts'
import { wantsText } from '../cli/output.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { parseTrackerUrl } from '../client/tracker-url.ts'
import { reachable } from '../servers/probe.ts'
import { aligned, count, duration, percent, several, size } from '../text/figures.ts'
import { printAddress } from '../wire/address.ts'
import { type Json, listOf, membersOf, numberOf, textOf } from './api.ts'
import { type Call, printReply } from './command.ts'
import type { Place } from './place.ts'

export async function status(call: Call): Promise<number> {
  const { api, host, invocation } = call
  const [reply, trouble] = await Promise.all([
    api.ask({ path: '/api/v1/overview' }),
    healthTrouble(api.place),
  ])
  const overview = membersOf(reply.value)
  const alerts = listOf(overview.alerts).map(membersOf)
  const isWell = trouble === undefined && !alerts.some(({ level }) => level === 'critical')
  const told = [
    ...(trouble === undefined ? [] : [trouble]),
    ...alerts.map(({ text }) => textOf(text)),
  ]
  printReply(call, reply, () => `${lines(overview, isWell, told).join('\n')}\n`)
  // The text itself says why.
  if (!wantsText(host, invocation))
    for (const one of told) host.complain(`tracker status: ${one}\n`)
  return isWell ? EXIT.success : EXIT.failure
}

/**
 * What the health API says against it: whether each listener answers is only asked there. undefined: nothing, or it is
 * not known where to ask.
 */
async function healthTrouble({ config, milliseconds }: Place): Promise<string | undefined> {
  if (config === undefined) return undefined
  const { bind_address } = config.health_check_api
  const url = parseTrackerUrl(`http://${printAddress(reachable(bind_address))}/health_check`)
  // Port 0: only the log says which port it became.
  if (typeof url === 'string') return undefined
  try {
    return (await askHealth(url, { milliseconds })).problem
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return `the health API does not answer: ${error.message}`
  }
}

function lines(overview: Json, isWell: boolean, told: readonly string[]): string[] {
  const { version, now, started, database } = overview
  const uptime = duration(numberOf(now) - numberOf(started))
  const state = !isWell ? 'is NOT well:' : told.length > 0 ? 'works, but:' : 'is well.'
  const { used, limit } = membersOf(overview.memory)
  const share = `${size(numberOf(used))} of ${size(numberOf(limit))} (${percent(numberOf(used) / (numberOf(limit) || 1))})`
  const figures = [
    ['torrents', count(numberOf(overview.torrents))],
    [
      'peers',
      `${several(numberOf(overview.seeders), 'seeder')}, ${several(numberOf(overview.leechers), 'leecher')}`,
    ],
    ['memory', share],
    ...(typeof database === 'object' && database !== null
      ? [['database', databaseText(database)]]
      : []),
  ]
  return [
    `Tracker ${textOf(version)}, up for ${uptime}, ${state}`,
    ...told.map((one) => `  ${one}`),
    '',
    ...aligned(listOf(overview.listeners).map(listenerRow), 1),
    '',
    ...aligned(figures, 2),
  ]
}

const COUNTS = ['served', 'refused', 'dropped'] as const

function listenerRow(item: unknown): readonly string[] {
  const listener = membersOf(item)
  return [
    textOf(listener.announce_url),
    ...COUNTS.map((name) => `${count(numberOf(listener[name]))} ${name}`),
  ]
}

function databaseText(database: unknown): string {
  const { works, owed } = membersOf(database)
  const waiting =
    numberOf(owed) > 0 ? `; ${several(numberOf(owed), 'completed download')} not stored yet` : ''
  return `${works === true ? 'works' : 'does NOT work'}${waiting}`
}
