/** Whether datagrams are lost between the network and the tracker. */
import type { Config } from '../config/model.ts'
import { LIMITS } from '../limits.ts'
import { count, percent, several, size, sysctl } from '../text/figures.ts'
import { type Check, ok, problem, type Result, skipped, warning } from './finding.ts'
import type { Machine } from './machine.ts'

const RMEM_MAX = '/proc/sys/net/core/rmem_max'
const RMEM_DEFAULT = '/proc/sys/net/core/rmem_default'

/** A share of lost datagrams below this goes unnoticed. */
const HARMLESS = 1 / 10_000

export const NO_UDP = skipped('no UDP tracker is configured')
const LARGER_BUFFER = sysctl({ 'net.core.rmem_max': LIMITS.udpReceiveBuffer })

export const receiveBuffer: Check = {
  name: 'receive-buffer',
  linux: true,
  run({ config, machine }) {
    if (!servesUdp(config)) return NO_UDP
    const most = machine.number(RMEM_MAX)
    const usual = machine.maybeNumber(RMEM_DEFAULT)
    const others =
      usual === undefined ? '' : `; sockets that do not ask get ${size(usual)} (rmem_default)`
    if (most >= LIMITS.udpReceiveBuffer)
      return ok(
        `net.core.rmem_max is ${size(most)}, the tracker gets the ${size(LIMITS.udpReceiveBuffer)} it asks for${others}`,
      )
    return warning(
      `net.core.rmem_max is ${size(most)}, the tracker asks for ${size(LIMITS.udpReceiveBuffer)}: bursts of datagrams are lost${others}`,
      ...LARGER_BUFFER,
      'Restart the tracker: sockets keep the buffer they were opened with. For a container, type this on its host.',
    )
  },
}

export const receiveDrops: Check = {
  name: 'receive-drops',
  linux: true,
  async run({ config, machine, watch }) {
    if (!servesUdp(config)) return NO_UDP
    const ports = udpPorts(config)
    const before = countersOf(machine, ports)
    await watch()
    return judge(before, countersOf(machine, ports))
  },
}

interface Counters {
  /** Datagrams of the whole machine, since boot. */
  readonly received: number
  readonly lost: number
  /** Sockets on the configured ports. */
  readonly sockets: readonly UdpSocket[]
}

function countersOf(machine: Machine, ports: ReadonlySet<number>): Counters {
  const four = machine.text('/proc/net/snmp')
  const six = machine.maybe('/proc/net/snmp6') ?? ''
  const sockets = ['/proc/net/udp', '/proc/net/udp6'].flatMap((path) =>
    udpSockets(machine.maybe(path) ?? ''),
  )
  return {
    received:
      (snmpCounter(four, 'Udp', 'InDatagrams') ?? 0) + (snmp6Counter(six, 'Udp6InDatagrams') ?? 0),
    lost:
      (snmpCounter(four, 'Udp', 'RcvbufErrors') ?? 0) +
      (snmp6Counter(six, 'Udp6RcvbufErrors') ?? 0),
    sockets: sockets.filter(({ port }) => ports.has(port)),
  }
}

const dropsOf = ({ sockets }: Counters): number =>
  sockets.reduce((sum, { drops }) => sum + drops, 0)

function judge(before: Counters, after: Counters): Result {
  const drops = dropsOf(after)
  const waiting = Math.max(0, ...after.sockets.map((socket) => socket.waiting))
  const sockets =
    after.sockets.length === 0
      ? 'nothing listens on the configured UDP ports'
      : `${several(after.sockets.length, 'socket')} on the configured UDP ports: ${several(drops, 'datagram')} lost since ${after.sockets.length === 1 ? 'it was' : 'they were'} opened, at most ${size(waiting)} waiting`
  const share = after.lost === 0 ? 0 : after.lost / (after.lost + after.received)
  const machine = `in all since boot ${count(after.lost)} of ${count(after.lost + after.received)} UDP datagrams (${percent(share)}) found a full buffer (UdpRcvbufErrors)`
  const now = dropsOf(after) - dropsOf(before)
  // Negative if the tracker was restarted meanwhile: its new sockets count from 0.
  if (now > 0)
    return problem(
      `the tracker loses datagrams right now, ${count(now)} during this check; ${sockets}`,
      ...LARGER_BUFFER,
      'Restart the tracker. If its buffers still fill, it has too few cores: see runtime.workers and the checks of the processor.',
    )
  if (drops > 0 || share > HARMLESS)
    return warning(
      `${sockets}; ${machine}`,
      'See receive-buffer. If the buffer is large enough, load comes in peaks that the cores cannot serve: watch them with',
      `watch -d -n 1 "grep -h ^Udp: /proc/net/snmp; cat /proc/net/udp /proc/net/udp6"`,
    )
  return ok(`${sockets}; ${machine}`)
}

export const servesUdp = ({ udp_trackers }: Config): boolean => (udp_trackers?.length ?? 0) > 0

/** The ports that the configuration fixes. */
export const udpPorts = ({ udp_trackers }: Config): ReadonlySet<number> =>
  new Set(
    (udp_trackers ?? []).map(({ bind_address }) => bind_address.port).filter((port) => port !== 0),
  )

/** A counter of `/proc/net/snmp`: a line of names, then a line of values, both with the same first word. */
function snmpCounter(text: string, table: string, name: string): number | undefined {
  const [names, values] = text
    .split('\n')
    .filter((line) => line.startsWith(`${table}: `))
    .map((line) => line.trim().split(/\s+/))
  return wholeAt(values, names?.indexOf(name) ?? -1)
}

/** A counter of `/proc/net/snmp6`: each line is a name and its value. */
function snmp6Counter(text: string, name: string): number | undefined {
  const line = text.split('\n').find((one) => one.split(/\s+/)[0] === name)
  return wholeAt(line?.trim().split(/\s+/), 1)
}

const wholeAt = (words: readonly string[] | undefined, at: number): number | undefined => {
  const word = words?.[at]
  return word !== undefined && /^\d+$/.test(word) ? Number(word) : undefined
}

interface UdpSocket {
  readonly port: number
  /** Bytes that wait to be read, with the kernel's overhead. */
  readonly waiting: number
  /** Datagrams that found the buffer full. */
  readonly drops: number
}

/** The rows of `/proc/net/udp` or `/proc/net/udp6`; malformed ones are skipped. */
function udpSockets(text: string): UdpSocket[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/)
    const [, port] = /^[0-9A-F]+:([0-9A-F]{4})$/i.exec(words[1] ?? '') ?? []
    const [, waiting] = /^[0-9A-F]+:([0-9A-F]+)$/i.exec(words[4] ?? '') ?? []
    const drops = wholeAt(words, 12)
    if (port === undefined || waiting === undefined || drops === undefined) return []
    return [{ port: Number.parseInt(port, 16), waiting: Number.parseInt(waiting, 16), drops }]
  })
}
