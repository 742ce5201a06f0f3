/** Which cores do the work of the network, and whether they are up to it; how many serve. */

import { count, percent, several, sysctl } from '../text/figures.ts'
import { type Check, ok, problem, warning } from './finding.ts'
import { coreLimit, type Machine } from './machine.ts'

/** Receive interrupts while this looks, below which their share says nothing. */
const BUSY = 2_000
/** The same since boot. */
const MUCH = 1_000_000
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
    const [times, when] = isBusy ? [recent, 'while this looked'] : [after, 'since boot']
    const total = sumOf(times)
    const most = Math.max(...times)
    const share = total === 0 ? 0 : most / total
    const told = `${percent(share)} of the receive interrupts ${when} (${count(total)}) on core ${times.indexOf(most)} of ${after.length}`
    const queues = cards.map(describe).join(', ')
    const found = queues === '' ? told : `${told}; ${queues}`
    if (isBusy && packetsAfter - packetsBefore < total / 2)
      return ok(`${found}; most of it is traffic of this machine with itself`)
    if (share < ONE_CORE || total < (isBusy ? BUSY : MUCH)) return ok(found)
    return warning(`one core does the network's work: ${found}`, ...spread(cards, after.length))
  },
}

/** That came in so far; NaN, with which nothing compares: a card does not say. */
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
  /** Its packets are handed on to other cores. */
  readonly steered: boolean
}

/** Network cards, virtual ones included; not bridges, tunnels and the like. */
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
    // As many queues as cores: the card only has to look at the ports, too.
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
    'What is written below /sys is gone after a restart: repeat it at boot.',
  ]
}

/** All cores, as the files below /sys have it: groups of 32 bits, the highest first. */
export function maskOf(cores: number): string {
  const groups: string[] = []
  for (let left = cores; left > 0; left -= 32)
    groups.unshift((2 ** Math.min(32, left) - 1).toString(16))
  return groups.join(',')
}

/** A share of interrupted rounds that nobody would notice. */
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
    const told = `${count(after.processed)} packets since boot, ${count(after.dropped)} dropped by the kernel's queues, which were left unfinished ${count(after.squeezed)} times`
    const longer = sysctl({
      'net.core.netdev_max_backlog': Math.max(queue * 4, 16_384),
      'net.core.netdev_budget': Math.max(budget * 2, 600),
    })
    const dropped = after.dropped - before.dropped
    if (dropped > 0)
      return problem(
        `the kernel drops packets right now, ${count(dropped)} while this looked; ${told}`,
        ...longer,
      )
    if (after.dropped > 0 || after.squeezed > after.processed * HARMLESS)
      return warning(told, ...longer)
    return ok(told)
  },
}

export const workers: Check = {
  name: 'workers',
  run({ config, machine }) {
    const { cores, platform } = machine.facts
    const wanted = config.runtime.workers
    const threads = wanted || cores
    const quota = coreLimit(machine)
    const told = `${wanted === 0 ? `runtime.workers is 0: ${several(threads, 'thread')}` : several(threads, 'thread')} for ${several(cores, 'core')}`
    if (platform !== 'linux' && wanted > 1)
      return warning(
        `runtime.workers is ${wanted}, but only Linux lets threads share a port: one will serve`,
        'runtime.workers = 1',
      )
    if (quota !== undefined && quota < threads)
      return warning(
        `${told}, but the container may use no more than ${quota} of them: it is stopped for up to 100 ms again and again under load`,
        `runtime.workers = ${Math.max(1, Math.floor(quota))}`,
        `Or give the container more: docker update --cpus ${threads} CONTAINER`,
      )
    if (threads > cores)
      return warning(
        `${told}: more threads than cores only wait for each other`,
        'runtime.workers = 0',
      )
    return ok(told)
  },
}

/** Of `/proc/softirqs`: how often each core was interrupted for this. */
function softirqs(text: string, name: string): readonly number[] {
  const line = text.split('\n').find((one) => one.trim().startsWith(`${name}:`))
  return (line?.trim().split(/\s+/).slice(1) ?? []).map(Number).filter(Number.isSafeInteger)
}

interface Backlog {
  readonly processed: number
  /** The queue of a core was full. */
  readonly dropped: number
  /** A core had to stop before its queue was empty. */
  readonly squeezed: number
}

/** Of `/proc/net/softnet_stat`: a line of hexadecimal values for each core. Sums of all cores. */
function backlog(text: string): Backlog {
  const sum = (column: number): number =>
    text.split('\n').reduce((total, line) => {
      return total + (Number.parseInt(line.trim().split(/\s+/)[column] ?? '', 16) || 0)
    }, 0)
  return { processed: sum(0), dropped: sum(1), squeezed: sum(2) }
}
