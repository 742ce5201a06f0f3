/** Whether IPv6 clients reach the tracker, and with which addresses clients arrive through a container's network. */
import { isIP } from 'node:net'
import type { Config } from '../config/model.ts'
import { type Check, ok, problem, type Result, warning } from './finding.ts'
import { listenersOf } from './listeners.ts'
import { insideContainer, type Machine, processIds } from './machine.ts'

const IPV6_OFF = '/proc/sys/net/ipv6/conf/all/disable_ipv6'

/** Bridges and their ends: only containers use their addresses. */
const BRIDGE = /^(docker\d|br-|veth|virbr)/

/** Interfaces with an IPv6 address that is not link-local. Empty where there is no IPv6. */
function withIPv6(machine: Machine): readonly string[] {
  const lines = (machine.maybe('/proc/net/if_inet6') ?? '').split('\n')
  return lines.flatMap((line) => {
    const [, , , scope, , at] = line.trim().split(/\s+/)
    // 00 is global; unique local addresses have it, too.
    return scope === '00' && at !== undefined ? [at] : []
  })
}

/** Listeners on an IPv6 address that others can reach. */
const bindsIPv6 = (config: Config) =>
  listenersOf(config).filter(({ bind_address: { ip } }) => isIP(ip) === 6 && ip !== '::1')

export const ipv6: Check = {
  name: 'ipv6',
  linux: true,
  run({ config, machine }) {
    const listeners = bindsIPv6(config)
    const names = listeners.map(({ name }) => name).join(', ')
    const off = !machine.exists('/proc/net/if_inet6') || machine.maybeNumber(IPV6_OFF) === 1
    if (off && listeners.length > 0)
      return problem(
        `${names} cannot be opened: IPv6 is switched off here`,
        'sysctl -w net.ipv6.conf.all.disable_ipv6=0  # in a container: its network needs IPv6, see docker network create --ipv6',
        'Or bind to 0.0.0.0.',
      )
    if (off) return ok('switched off here, and no listener needs it')
    const interfaces = withIPv6(machine).filter((name) => !BRIDGE.test(name))
    if (listeners.length === 0)
      return ok(
        interfaces.length === 0
          ? 'this machine has no address that others could reach, and no listener needs one'
          : 'this machine has an address, but no listener serves it: [::]:PORT instead of 0.0.0.0:PORT serves both families',
      )
    if (interfaces.length === 0)
      return warning(
        `${names}: this machine has only link-local IPv6 addresses, so only IPv4 clients reach it`,
        'ip -6 address; ip -6 route  # does the provider offer IPv6? In a container: docker network create --ipv6',
      )
    return ok(`${names} can be reached through ${interfaces.join(', ')}`)
  },
}

export const container: Check = {
  name: 'container',
  linux: true,
  run({ config, machine }) {
    return insideContainer(machine) ? inside(config, machine) : outside(config, machine)
  },
}

const HOST_NETWORK = 'docker run --network host …  # clients then arrive with their own addresses'

function inside(config: Config, machine: Machine): Result {
  const hasCards = machine
    .names('/sys/class/net')
    .some((name) => machine.exists(`/sys/class/net/${name}/device`))
  if (hasCards) return ok('in a container, with the network cards of its host')
  const bridge = gateway(machine)
  if (bridge === undefined) return ok('in a container whose network has no gateway')
  const place = `in a container behind a bridge (its gateway is ${bridge})`
  if (withIPv6(machine).length === 0)
    return warning(
      `${place} without IPv6: IPv6 clients come through Docker's proxy, if at all, and all of them have the address ${bridge}${bindsIPv6(config).length === 0 ? '' : '; [::] serves no client here'}`,
      HOST_NETWORK,
      'docker network create --ipv6 tracker; docker run --network tracker …',
    )
  return ok(`${place} with IPv6`)
}

/** The IPv4 address of the default route; undefined: there is none. */
function gateway(machine: Machine): string | undefined {
  for (const line of (machine.maybe('/proc/net/route') ?? '').split('\n')) {
    const [, target, address = ''] = line.trim().split(/\s+/)
    // In the byte order of the machine, which is little endian on all that we build for.
    if (target === '00000000' && /^[0-9A-F]{8}$/i.test(address))
      return [...Buffer.from(address, 'hex')].reverse().join('.')
  }
  return undefined
}

function outside(config: Config, machine: Machine): Result {
  if (!machine.exists('/sys/class/net/docker0')) return ok('no container, and no Docker bridge')
  const proxied = proxiedPorts(machine)
  const ours = listenersOf(config).filter(({ bind_address: { port } }) => proxied.has(port))
  if (ours.length > 0)
    return warning(
      `docker-proxy forwards ${ours.map(({ bind_address: { port } }) => `port ${port}`).join(', ')}: clients that come through it, all IPv6 clients among them, have the address of the bridge in the container`,
      HOST_NETWORK,
      `Or in /etc/docker/daemon.json: {"userland-proxy": false, "ipv6": true, "fixed-cidr-v6": "fd00:6969::/80", "ip6tables": true}, then systemctl restart docker`,
    )
  const bridged = withIPv6(machine).some((name) => BRIDGE.test(name))
  if (bridged && machine.maybeNumber('/proc/sys/net/ipv6/conf/all/forwarding') === 0)
    return warning(
      'the Docker bridges have IPv6, but net.ipv6.conf.all.forwarding is 0: containers get no IPv6 datagram',
      'sysctl -w net.ipv6.conf.all.forwarding=1  # if the address comes by router advertisement, also net.ipv6.conf.all.accept_ra=2',
    )
  return ok('there is a Docker bridge, and no port of this configuration goes through it')
}

/** Ports that a docker-proxy listens on. */
function proxiedPorts(machine: Machine): ReadonlySet<number> {
  const ports = processIds(machine).flatMap((pid) => {
    if (machine.maybe(`/proc/${pid}/comm`)?.trim() !== 'docker-proxy') return []
    const words = (machine.maybe(`/proc/${pid}/cmdline`) ?? '').split('\0')
    return Number(words[words.indexOf('-host-port') + 1])
  })
  return new Set(ports)
}
