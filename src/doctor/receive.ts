/** Whether datagrams are lost between the network and the tracker. */
import type { Config } from '../config/model.ts'
import { LIMITS } from '../limits.ts'
import { count, percent, several, size, sysctl } from '../text/figures.ts'
import type { Check, Found } from './finding.ts'
import { ok, problem, skipped, warning } from './finding.ts'
import type { Machine } from './machine.ts'

const RMEM_MAX = '/proc/sys/net/core/rmem_max'
const RMEM_DEFAULT = '/proc/sys/net/core/rmem_default'

/** A share of lost datagrams that nobody would notice. */
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
      usual === undefined ? '' : `; programs that ask for none get ${size(usual)} (rmem_default)`
    if (most >= LIMITS.udpReceiveBuffer)
      return ok(
        `net.core.rmem_max is ${size(most)}, the tracker gets its ${size(LIMITS.udpReceiveBuffer)}${others}`,
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
    const before = look(machine, ports)
    await watch()
    const after = look(machine, ports)
    return judge(before, after)
  },
}

interface Look {
  readonly received: number
  readonly lost: number
  /** Of the configured ports. */
  readonly sockets: readonly UdpSocket[]
}

function look(machine: Machine, ports: ReadonlySet<number>): Look {
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

const dropsOf = ({ sockets }: Look): number => sockets.reduce((sum, { drops }) => sum + drops, 0)

function judge(before: Look, after: Look): Found {
  const drops = dropsOf(after)
  const waiting = Math.max(0, ...after.sockets.map((socket) => socket.waiting))
  const sockets =
    after.sockets.length === 0
      ? 'nothing listens on the configured UDP ports'
      : `${several(after.sockets.length, 'socket')} on the configured UDP ports: ${several(drops, 'datagram')} lost since ${after.sockets.length === 1 ? 'it was' : 'they were'} opened, ${size(waiting)} wait at most`
  const share = after.lost === 0 ? 0 : after.lost / (after.lost + after.received)
  const machine = `in all since boot ${count(after.lost)} of ${count(after.lost + after.received)} UDP datagrams (${percent(share)}) found a full buffer (UdpRcvbufErrors)`
  const now = dropsOf(after) - dropsOf(before)
  // Sockets of a tracker that was restarted meanwhile begin at nothing.
  if (now > 0)
    return problem(
      `the tracker loses datagrams right now, ${count(now)} while this looked; ${sockets}`,
      ...LARGER_BUFFER,
      'Restart the tracker. If buffers are full all the same it has too few cores: see runtime.workers, and the checks of the processor.',
    )
  if (drops > 0 || share > HARMLESS)
    return warning(
      `${sockets}; ${machine}`,
      'See receive-buffer. If it is large enough, load comes in peaks that the cores cannot serve: watch it with',
      `watch -d -n 1 "grep -h ^Udp: /proc/net/snmp; cat /proc/net/udp /proc/net/udp6"`,
    )
  return ok(`${sockets}; ${machine}`)
}

export const servesUdp = ({ udp_trackers }: Config): boolean => (udp_trackers?.length ?? 0) > 0

/** Ports that are known beforehand. */
export const udpPorts = ({ udp_trackers }: Config): ReadonlySet<number> =>
  new Set(
    (udp_trackers ?? []).map(({ bind_address }) => bind_address.port).filter((port) => port !== 0),
  )

/** Of `/proc/net/snmp`: a line of names, then a line of values, both with the same first word. */
function snmpCounter(text: string, table: string, name: string): number | undefined {
  const [names, values] = text
    .split('\n')
    .filter((line) => line.startsWith(`${table}: `))
    .map((line) => line.trim().split(/\s+/))
  return wholeAt(values, names?.indexOf(name) ?? -1)
}

/** Of `/proc/net/snmp6`: a name and its value on each line. */
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
  /** Bytes that wait to be read, the kernel's own share included. */
  readonly waiting: number
  /** Datagrams that found the buffer full. */
  readonly drops: number
}

/** Of `/proc/net/udp` and `/proc/net/udp6`. */
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
