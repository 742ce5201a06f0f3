/** Which cores do the work of the network, whether they keep up, and how many serving threads there are. */

import { count, percent, several, sysctl } from '../text/figures.ts'
import { type Check, ok, problem, warning } from './finding.ts'
import { coreLimit, type Machine } from './machine.ts'

/** With fewer receive interrupts while counters are watched, their distribution says nothing. */
const BUSY = 2_000
/** The same since boot. */
const BUSY_SINCE_BOOT = 1_000_000
/** From this share on, one core does all the work. */
const ONE_CORE = 0.8

export const softirq: Check = {
  name: 'softirq',
  linux: true,
  async run({ machine, watch }) {
    const cards = cardsOf(machine)
    const read = () => softirqs(machine.text('/proc/softirqs'), 'NET_RX')
    const [before, packetsBefore] = [read(), packetsOf(machine, cards)]
    await watch()
    const [after, packetsAfter] = [read(), packetsOf(machine, cards)]
    if (after.length < 2) return ok('there is only one core')
    const recent = after.map((times, core) => times - (before[core] ?? 0))
    const isBusy = sumOf(recent) >= BUSY
    const [times, when] = isBusy ? [recent, 'during this check'] : [after, 'since boot']
    const total = sumOf(times)
    const most = Math.max(...times)
    const share = total === 0 ? 0 : most / total
    const distribution = `${percent(share)} of the receive interrupts ${when} (${count(total)}) on core ${times.indexOf(most)} of ${after.length}`
    const queues = cards.map(describe).join(', ')
    const found = queues === '' ? distribution : `${distribution}; ${queues}`
    if (isBusy && packetsAfter - packetsBefore < total / 2)
      return ok(`${found}; most of it is traffic of this machine with itself`)
    if (share < ONE_CORE || total < (isBusy ? BUSY : BUSY_SINCE_BOOT)) return ok(found)
    return warning(`one core does the network's work: ${found}`, ...spread(cards, after.length))
  },
}

/** Packets received so far; NaN, which compares as false: a card does not count them. */
const packetsOf = (machine: Machine, cards: readonly Card[]): number =>
  sumOf(
    cards.map(
      ({ name }) =>
        machine.maybeNumber(`/sys/class/net/${name}/statistics/rx_packets`) ?? Number.NaN,
    ),
  )

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

interface Card {
  readonly name: string
  readonly queues: readonly string[]
  /** Software spreads its packets over cores (RPS). */
  readonly steered: boolean
}

/** Network cards, also virtual ones, but no bridges or tunnels. */
const cardsOf = (machine: Machine): readonly Card[] =>
  machine
    .names('/sys/class/net')
    .filter((name) => machine.exists(`/sys/class/net/${name}/device`))
    .map((name) => {
      const path = `/sys/class/net/${name}/queues`
      const queues = machine.names(path).filter((queue) => queue.startsWith('rx-'))
      const steered = queues.some((queue) =>
        /[1-9a-f]/i.test(machine.maybe(`${path}/${queue}/rps_cpus`) ?? ''),
      )
      return { name, queues, steered }
    })

const describe = ({ name, queues, steered }: Card): string =>
  `${name} has ${several(queues.length, 'receive queue')}${steered ? ', spread in software (RPS)' : ''}`

function spread(cards: readonly Card[], cores: number): string[] {
  const flows = 32_768
  const advice = cards.flatMap(({ name, queues, steered }) => {
    const path = `/sys/class/net/${name}/queues`
    const byPort = `ethtool -N ${name} rx-flow-hash udp4 sdfn; ethtool -N ${name} rx-flow-hash udp6 sdfn`
    // With a queue for each core it is enough that the card hashes the ports, too.
    if (queues.length >= cores) return [byPort]
    return [
      `ethtool -L ${name} combined ${cores}  # if the card can: ethtool -l ${name}`,
      byPort,
      ...(steered
        ? []
        : [
            `for q in ${path}/rx-*; do echo ${maskOf(cores)} > $q/rps_cpus; echo ${Math.floor(flows / Math.max(1, queues.length))} > $q/rps_flow_cnt; done  # or, if the card cannot, in software`,
          ]),
    ]
  })
  return [
    ...advice,
    ...sysctl({ 'net.core.rps_sock_flow_entries': flows }),
    'Settings below /sys are lost at a restart: repeat them at boot.',
  ]
}

/** A mask of all cores in the form of files below /sys: groups of 32 bits, the highest first. */
export function maskOf(cores: number): string {
  const groups: string[] = []
  for (let left = cores; left > 0; left -= 32)
    groups.unshift((2 ** Math.min(32, left) - 1).toString(16))
  return groups.join(',')
}

/** A share of unfinished rounds below this goes unnoticed. */
const HARMLESS = 1 / 1_000

export const receiveBacklog: Check = {
  name: 'receive-backlog',
  linux: true,
  async run({ machine, watch }) {
    const read = () => backlog(machine.text('/proc/net/softnet_stat'))
    const before = read()
    await watch()
    const after = read()
    const queue = machine.maybeNumber('/proc/sys/net/core/netdev_max_backlog') ?? 1000
    const budget = machine.maybeNumber('/proc/sys/net/core/netdev_budget') ?? 300
    const totals = `${count(after.processed)} packets since boot, ${count(after.dropped)} dropped by the kernel's queues, which were left unfinished ${count(after.squeezed)} times`
    const longer = sysctl({
      'net.core.netdev_max_backlog': Math.max(queue * 4, 16_384),
      'net.core.netdev_budget': Math.max(budget * 2, 600),
    })
    const dropped = after.dropped - before.dropped
    if (dropped > 0)
      return problem(
        `the kernel drops packets right now, ${count(dropped)} during this check; ${totals}`,
        ...longer,
      )
    if (after.dropped > 0 || after.squeezed > after.processed * HARMLESS)
      return warning(totals, ...longer)
    return ok(totals)
  },
}

export const workers: Check = {
  name: 'workers',
  run({ config, machine }) {
    const { cores, platform } = machine.facts
    const wanted = config.runtime.workers
    const threads = wanted || cores
    const quota = coreLimit(machine)
    const plan = `${wanted === 0 ? `runtime.workers is 0: ${several(threads, 'thread')}` : several(threads, 'thread')} for ${several(cores, 'core')}`
    if (platform !== 'linux' && wanted > 1)
      return warning(
        `runtime.workers is ${wanted}, but only Linux lets threads share a port: one thread will serve`,
        'runtime.workers = 1',
      )
    if (quota !== undefined && quota < threads)
      return warning(
        `${plan}, but the container may use no more than ${quota} of them: under load it is paused again and again, for up to 100 ms`,
        `runtime.workers = ${Math.max(1, Math.floor(quota))}`,
        `Or give the container more: docker update --cpus ${threads} CONTAINER`,
      )
    if (threads > cores)
      return warning(
        `${plan}: more threads than cores only wait for each other`,
        'runtime.workers = 0',
      )
    return ok(plan)
  },
}

/** A row of `/proc/softirqs`: interrupts by core. */
function softirqs(text: string, name: string): readonly number[] {
  const line = text.split('\n').find((one) => one.trim().startsWith(`${name}:`))
  return (line?.trim().split(/\s+/).slice(1) ?? []).map(Number).filter(Number.isSafeInteger)
}

interface Backlog {
  readonly processed: number
  /** Packets dropped because the queue of a core was full. */
  readonly dropped: number
  /** Rounds in which a core had to stop before its queue was empty. */
  readonly squeezed: number
}

/** Sums over all cores of `/proc/net/softnet_stat`: a line of hexadecimal values for each core. */
function backlog(text: string): Backlog {
  const sum = (column: number): number =>
    text.split('\n').reduce((total, line) => {
      return total + (Number.parseInt(line.trim().split(/\s+/)[column] ?? '', 16) || 0)
    }, 0)
  return { processed: sum(0), dropped: sum(1), squeezed: sum(2) }
}
