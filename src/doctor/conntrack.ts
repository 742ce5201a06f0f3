/** Whether the firewall's table of connections is large enough: datagrams are dropped while it is full. */

import { count, percent, several, sysctl } from '../text/figures.ts'
import { type Check, ok, problem, type Result, warning } from './finding.ts'
import { type Machine, Unreadable } from './machine.ts'
import { NO_UDP, servesUdp, udpPorts } from './receive.ts'

const SETTINGS = '/proc/sys/net/netfilter'
const STATISTICS = '/proc/net/stat/nf_conntrack'

const FULL = 0.9
const FILLING = 0.7
/** Lifetime of the entry of a UDP client in seconds; a longer one only fills the table. */
const UDP_SECONDS = 10
const UDP_STREAM_SECONDS = 30
/** Kernel memory of an entry, roughly. */
const ENTRY_BYTES = 320
const MANY_ENTRIES = 1_048_576

export const conntrack: Check = {
  name: 'conntrack',
  linux: true,
  async run({ config, machine, watch }) {
    if (!servesUdp(config)) return NO_UDP
    const most = numberOf(machine, 'nf_conntrack_max')
    const used = numberOf(machine, 'nf_conntrack_count')
    const before = refused(machine)
    await watch()
    const now = refused(machine) - before
    return judge({ most, used, before, now, machine, ports: udpPorts(config) })
  },
}

function numberOf(machine: Machine, name: string): number {
  const path = `${SETTINGS}/${name}`
  try {
    return machine.number(path)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    throw new Unreadable(
      `${error.message} (connections are not tracked here, or this is a container: look on its host)`,
    )
  }
}

/** Datagrams dropped because there was no room for an entry, and entries evicted early to make room. */
function refused(machine: Machine): number {
  const counters = conntrackCounters(machine.maybe(STATISTICS) ?? '')
  return (counters.get('drop') ?? 0) + (counters.get('early_drop') ?? 0)
}

function judge(seen: {
  readonly most: number
  readonly used: number
  readonly before: number
  readonly now: number
  readonly machine: Machine
  readonly ports: ReadonlySet<number>
}): Result {
  const { most, used, before, now, machine, ports } = seen
  // 0 means no limit.
  const share = most === 0 ? 0 : used / most
  const timeouts = ['nf_conntrack_udp_timeout', 'nf_conntrack_udp_timeout_stream'].map((name) =>
    machine.maybeNumber(`${SETTINGS}/${name}`),
  )
  const lifetimes = timeouts.every((seconds) => seconds !== undefined)
    ? `, UDP entries live for ${timeouts.join(' s, answered ones for ')} s`
    : ''
  const table = `${count(used)} of ${most === 0 ? 'any number of' : count(most)} entries in use (${percent(share)})${lifetimes}`
  const advice = [
    ...untrackedRules([...ports]),
    ...(most < MANY_ENTRIES
      ? [
          `Or make room, for ${Math.round((MANY_ENTRIES * ENTRY_BYTES) / 2 ** 20)} MiB of kernel memory at most:`,
          ...sysctl({ 'net.netfilter.nf_conntrack_max': MANY_ENTRIES }),
        ]
      : ['Or let entries expire sooner:']),
    ...sysctl({
      'net.netfilter.nf_conntrack_udp_timeout': UDP_SECONDS,
      'net.netfilter.nf_conntrack_udp_timeout_stream': UDP_STREAM_SECONDS,
    }),
  ]
  if (now > 0)
    return problem(
      `the table overflows, ${several(now, 'time')} during this check; ${table}`,
      ...advice,
    )
  if (share >= FULL) return problem(`the table is nearly full: ${table}`, ...advice)
  if (before > 0)
    return warning(
      `the table overflowed ${several(before, 'time')} since boot (drop, early_drop); ${table}`,
      ...advice,
    )
  if (share >= FILLING) return warning(`the table fills up: ${table}`, ...advice)
  return ok(table)
}

/** How to keep the tracker's datagrams out of the table. */
function untrackedRules(ports: readonly number[]): string[] {
  if (ports.length === 0) return []
  const set = ports.length === 1 ? `${ports[0]}` : `{ ${ports.join(', ')} }`
  const hook = (name: string) =>
    `nft add chain inet tracker ${name} '{ type filter hook ${name} priority raw; }'`
  return [
    'Keep the datagrams of the tracker out of the table. This does not work where Docker or another NAT forwards the port, and the firewall must accept the port itself, not only established connections:',
    'nft add table inet tracker',
    hook('prerouting'),
    hook('output'),
    `nft add rule inet tracker prerouting udp dport '${set}' notrack`,
    `nft add rule inet tracker output udp sport '${set}' notrack`,
  ]
}

/** Sums of the columns of `/proc/net/stat/nf_conntrack`: names, then a line of hexadecimal values for each core. */
function conntrackCounters(text: string): ReadonlyMap<string, number> {
  const [names, ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  return new Map(
    names?.map((name, i) => [
      name,
      rows.reduce((sum, row) => sum + (Number.parseInt(row[i] ?? '', 16) || 0), 0),
    ]),
  )
}
