/** What the system gives the tracker: room for datagrams, open files, memory, the time. */
import type { Config } from '../config/model.ts'
import { LIMITS } from '../limits.ts'
import { count, percent, several, size, sysctl } from '../text/figures.ts'
import { type Context, ok, problem, type Result, skipped, warning } from './finding.ts'
import type { Machine } from './machine.ts'
import { MORE_MEMORY } from './running-tracker.ts'

const servesUdp = ({ udp_trackers }: Config): boolean => (udp_trackers?.length ?? 0) > 0
const NO_UDP = skipped('no UDP tracker is configured')

const LARGER_BUFFER = sysctl({ 'net.core.rmem_max': LIMITS.udpReceiveBuffer })

export function receiveBuffer({ config, machine }: Context): Result {
  if (!servesUdp(config)) return NO_UDP
  const most = machine.number('/proc/sys/net/core/rmem_max')
  const wanted = size(LIMITS.udpReceiveBuffer)
  if (most >= LIMITS.udpReceiveBuffer)
    return ok(`net.core.rmem_max is ${size(most)}, and the tracker asks for ${wanted}`)
  return warning(
    `net.core.rmem_max is ${size(most)}, but the tracker asks for ${wanted}`,
    'Datagrams that arrive while a core is busy are lost once the buffer is full.',
    ...LARGER_BUFFER,
    'systemctl restart tracker  # sockets keep the buffer they were opened with; a container: on its host',
  )
}

export function receiveDrops({ config, machine }: Context): Result {
  if (!servesUdp(config)) return NO_UDP
  const ports = new Set(config.udp_trackers?.map(({ bind_address: { port } }) => port))
  const rows = `${machine.text('/proc/net/udp')}\n${machine.maybe('/proc/net/udp6')}`.split('\n')
  const drops = rows.flatMap((row) => {
    const words = row.trim().split(/\s+/)
    const port = Number.parseInt(words[1]?.split(':')[1] ?? '', 16)
    const lost = Number(words[12])
    return ports.has(port) && Number.isSafeInteger(lost) ? [lost] : []
  })
  if (drops.length === 0) return skipped('nothing listens on the configured UDP ports')
  const lost = drops.reduce((sum, one) => sum + one, 0)
  const opened = `${several(drops.length, 'UDP socket')} of the tracker ${drops.length === 1 ? 'was' : 'were'} opened`
  const found = `${several(lost, 'datagram')} lost since the ${opened}`
  if (lost === 0) return ok(found)
  return warning(
    found,
    'They found a full buffer, and their senders got no answer.',
    'tracker doctor  # again: does the number grow? Then a larger buffer, or',
    'more cores, or more of them for the network card: docs/deploy.md, "One busy core"',
  )
}

const FULL = 0.9
const FILLING = 0.7
/** Fewer fill in half a minute when a thousand new clients come every second. */
const FEW_ENTRIES = 32_768
const MANY_ENTRIES = 1_048_576

/** The firewall's table of connections. */
export function conntrack({ config, machine }: Context): Result {
  if (!servesUdp(config)) return NO_UDP
  const read = (name: string) => machine.number(`/proc/sys/net/netfilter/nf_conntrack_${name}`)
  const [most, used] = [read('max'), read('count')]
  const refused = refusedEntries(machine)
  // 0 means no limit.
  const share = most === 0 ? 0 : used / most
  const found = `${count(used)} of ${most === 0 ? 'any number of' : count(most)} connections are tracked (${percent(share)}), ${count(refused)} refused since boot`
  const isSmall = most > 0 && most < FEW_ENTRIES
  if (share < FILLING && refused === 0 && !isSmall) return ok(found)
  const judge = share < FULL ? warning : problem
  return judge(
    found,
    'The kernel drops new clients while the table is full.',
    ...sysctl({
      'net.netfilter.nf_conntrack_max': MANY_ENTRIES,
      'net.netfilter.nf_conntrack_udp_timeout': 10,
      'net.netfilter.nf_conntrack_udp_timeout_stream': 30,
    }),
    'Better, where no NAT is on the way: do not track the port. docs/deploy.md, "Connection tracking".',
  )
}

/**
 * Datagrams dropped because there was no room for an entry, and entries evicted early to make room. The file has
 * names, then a line of hexadecimal values for each core.
 */
function refusedEntries(machine: Machine): number {
  const [names = [], ...rows] = (machine.maybe('/proc/net/stat/nf_conntrack') ?? '')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
  const columns = ['drop', 'early_drop'].map((name) => names.indexOf(name))
  return rows
    .flatMap((row) => columns.map((column) => Number.parseInt(row[column] ?? '', 16) || 0))
    .reduce((sum, value) => sum + value, 0)
}

/** Each connection of an HTTP client is an open file for a while, that of a browser as long as its page is open. */
const FEW_FILES = 2_048
const MANY_FILES = 65_536
/** Enough without clients over TCP: the program, its libraries, sockets, the database. */
const ENOUGH_FOR_UDP = 256

export async function files({ config, machine, tracker }: Context): Promise<Result> {
  // A service has limits of its own.
  const running = (await tracker()).isOurs ? machine.tracker() : undefined
  const path = running ?? '/proc/self'
  const limits = machine.text(`${path}/limits`)
  // The runtime raises the soft limit of its process to the hard one when it starts.
  const hard = /^Max open files +\S+ +(\S+)/m.exec(limits)?.[1]
  const most = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
  if (Number.isNaN(most)) return skipped(`${path}/limits does not show the limit`)
  const websockets = config.websocket_trackers ?? []
  const serves = (config.http_trackers ?? []).length + websockets.length > 0
  const allowed = websockets.reduce((sum, { max_connections }) => sum + max_connections, 0)
  const needed = allowed + ENOUGH_FOR_UDP
  const found = `${running ? 'the running tracker' : 'a process of this user'} may open ${most === Number.POSITIVE_INFINITY ? 'any number of' : count(most)} files`
  if (most >= Math.max(needed, serves ? MANY_FILES : 0)) return ok(found)
  const judge = most < (serves ? FEW_FILES : ENOUGH_FOR_UDP) ? problem : warning
  const wanted = Math.max(MANY_FILES, 2 ** Math.ceil(Math.log2(needed)))
  return judge(
    allowed > 0 && most < needed
      ? `${found}, but websocket_trackers.max_connections allows ${count(allowed)} connections`
      : found,
    serves ? 'Each connection takes one; further clients wait in vain.' : 'It needs some more.',
    `systemctl edit tracker  # and write: [Service], LimitNOFILE=${Math.max(524_288, wanted)}`,
    `docker run --ulimit nofile=${wanted}:${wanted} …`,
    `ulimit -n ${wanted}  # where a shell starts it; as root, if the shell refuses`,
  )
}

/** Memory of the process beside the swarm: threads, the database, buffers, the program itself. */
const PROCESS_BYTES = 256 * 2 ** 20

/** Whether torrents and peers have enough memory, and leave enough for everything else. */
export async function memory({ config, machine, tracker }: Context): Promise<Result> {
  const most = machine.facts.memory
  const wanted = config.runtime.max_memory
  const { isOurs, answer } = await tracker()
  const running = isOurs ? answer?.memory : undefined
  const limit = running?.limit ?? (wanted || Math.floor(most / 2))
  const used = running === undefined ? 'may' : `have ${size(running.used)} and may`
  const found = `torrents and peers ${used} take ${size(limit)} of ${size(most)} (runtime.max_memory)`
  if (limit + PROCESS_BYTES > most)
    return (limit > most ? problem : warning)(
      found,
      'The system kills the tracker when its memory is spent.',
      `runtime.max_memory = "${Math.max(16, Math.floor((most - PROCESS_BYTES) / 2 ** 21))}MiB"`,
    )
  if (running !== undefined && running.used > running.limit * FULL)
    return warning(found, 'New torrents are refused when that is full.', MORE_MEMORY)
  return ok(found)
}

export function clock({ machine, clock }: Context): Result {
  const found = `${new Date(clock.milliseconds()).toISOString().slice(0, 19).replace('T', ' ')} UTC`
  const { clockIsKept } = machine.facts
  if (clockIsKept === undefined)
    return skipped(`the kernel does not tell whether a program keeps it right: ${found}`)
  if (clockIsKept) return ok(`${found}, kept right by a program`)
  return warning(
    `${found}, but no program keeps it right`,
    'Keys of private trackers and certificates expire by it.',
    'timedatectl set-ntp true; timedatectl  # or: apt-get install chrony; a container: on its host',
  )
}
