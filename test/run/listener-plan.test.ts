/** Which listeners stay, are opened and are closed when one configuration follows another. */
import { expect, test } from 'bun:test'
import { type Listed, planListeners } from '../../src/run/listener-plan.ts'
import type { Opening, Wanted } from '../../src/run/open-listener.ts'
import { configOf, minimalToml } from '../support/configuration.ts'

/**
 * Listeners as `udp 0.0.0.0:1`, `https 0.0.0.0:2 CERTIFICATE`, `udp [::]:1 only6`. A `ws` on the address of an HTTP
 * listener before it is on its server.
 */
function wanted(...texts: string[]): Wanted[] {
  return texts.map((text) => {
    const [scheme, address, more] = text.split(' ')
    const only6 = `network.ipv6_v6only = ${more === 'only6'}\n`
    const table = scheme === 'udp' ? 'udp' : scheme === 'ws' ? 'websocket' : 'http'
    const rest = `[[${table}_trackers]]\nbind_address = "${address}"\n${only6}`
    const { udp_trackers, http_trackers, websocket_trackers } = configOf(minimalToml({ rest }))
    if (scheme === 'udp') return { type: 'udp_tracker', listener: udp_trackers![0]! }
    const host = texts.find((other) => other.startsWith('http') && other.split(' ')[1] === address)
    const of = scheme === 'ws' && host !== undefined ? host : text
    const certificate = of.startsWith('https') ? { cert: of, key: of } : null
    if (scheme !== 'ws') return { type: 'http_tracker', listener: http_trackers![0]!, certificate }
    const isHosted = host !== undefined
    return { type: 'websocket_tracker', listener: websocket_trackers![0]!, certificate, isHosted }
  })
}

function planner(canReplace = true) {
  let last = 0
  const id = () => ++last
  const open = (one: Wanted): Opening => {
    const common = { id: id(), counters: new SharedArrayBuffer(8), sharesPort: false }
    if (one.type === 'http_tracker') return { ...common, ...one }
    if (one.type === 'udp_tracker') return { ...common, ...one, descriptors: [] }
    return { ...common, ...one, host: undefined, connections: new SharedArrayBuffer(8) }
  }
  /** Those with port 0 got another. */
  const opened = (listed: readonly Listed[]): readonly Listed[] =>
    listed.map(({ configured, opening }) => {
      const { listener } = opening
      const { ip, port } = listener.bind_address
      const bind_address = { ip, port: port || 1_000 + opening.id }
      const there = { ...opening, listener: { ...listener, bind_address } } as Opening
      return { configured, opening: there }
    })
  return (now: readonly Listed[], ...texts: string[]) => {
    const plan = planListeners(now, wanted(...texts), { open, id }, canReplace)
    const ids = (openings: readonly Opening[]) => openings.map((one) => one.id)
    return {
      now: opened(plan.all),
      all: ids(plan.all.map(({ opening }) => opening)),
      opened: ids(plan.opened),
      closed: ids(plan.closed),
      removed: ids(plan.removed),
      stuck: ids(plan.stuck),
      sharing: ids(plan.opened.filter(({ sharesPort }) => sharesPort)),
      counters: plan.all.map(({ opening }) => opening.counters),
      ports: plan.all.map(({ opening }) => opening.listener.bind_address.port),
      hosts: plan.all.map(({ opening }) => ('host' in opening ? opening.host : undefined)),
    }
  }
}

test('what is the same stays, in whatever order, and on the port that it got', () => {
  const plan = planner()
  const first = plan([], 'udp 0.0.0.0:1', 'udp 0.0.0.0:0', 'udp 0.0.0.0:0', 'https 0.0.0.0:1 a')
  expect(first).toMatchObject({ all: [1, 2, 3, 4], opened: [1, 2, 3, 4], closed: [] })
  const again = plan(
    first.now,
    ...['udp 0.0.0.0:0', 'udp 0.0.0.0:1', 'udp 0.0.0.0:0', 'https 0.0.0.0:1 a'],
  )
  expect(again).toMatchObject({ all: [2, 1, 3, 4], opened: [], closed: [], removed: [] })
  expect(again.ports).toEqual([1_002, 1, 1_003, 1])
})

test('an address that changes is another listener', () => {
  const plan = planner()
  const first = plan([], 'udp 0.0.0.0:1', 'udp 0.0.0.0:2')
  const moved = plan(first.now, 'udp 0.0.0.0:3', 'udp 0.0.0.0:2')
  expect(moved).toMatchObject({ all: [3, 2], opened: [3], closed: [1], removed: [1], sharing: [] })
})

test.each([
  ['udp 0.0.0.0:1', 'udp [::]:1'],
  ['http 0.0.0.0:1', 'http [::]:1'],
  ['udp [::]:1', 'udp [::]:1 only6'],
])('%s to %s: the port is shared until the old one is closed', (before, after) => {
  const plan = planner()
  const moved = plan(plan([], before).now, after)
  expect(moved).toMatchObject({ opened: [2], closed: [1], removed: [1], sharing: [2] })
})

test('UDP and TCP share no port', () => {
  const plan = planner()
  expect(plan(plan([], 'udp 0.0.0.0:1').now, 'http 0.0.0.0:1').sharing).toEqual([])
})

test.each([
  ['https 0.0.0.0:0 a', 'https 0.0.0.0:0 b'],
  ['http 0.0.0.0:0', 'https 0.0.0.0:0 a'],
  ['https 0.0.0.0:0 a', 'http 0.0.0.0:0'],
])('%s to %s: another server takes over the port and the counters', (before, after) => {
  const plan = planner()
  const first = plan([], before)
  const other = plan(first.now, after)
  expect(other).toMatchObject({ opened: [2], closed: [1], removed: [], sharing: [2] })
  expect(other.ports).toEqual([1_001])
  expect(other.counters[0]).toBe(first.counters[0]!)
})

test('where two sockets cannot share a port, a listener keeps its certificate and follows the rest', () => {
  const plan = planner(false)
  const first = plan([], 'https 0.0.0.0:0 a')
  const other = plan(first.now, 'https 0.0.0.0:0 b', 'http 0.0.0.0:3')
  expect(other).toMatchObject({ all: [1, 2], opened: [2], closed: [], stuck: [1] })
  // And it is still the old one when it is looked at again.
  expect(plan(other.now, 'https 0.0.0.0:0 a', 'http 0.0.0.0:3').stuck).toEqual([])
})

test('WebSockets on the address of an HTTP listener are on its server, and follow it to another', () => {
  const plan = planner()
  const first = plan([], 'https 0.0.0.0:1 a', 'ws 0.0.0.0:1', 'ws 0.0.0.0:2')
  expect(first).toMatchObject({ opened: [1, 2, 3], hosts: [undefined, 1, undefined] })
  const same = plan(first.now, 'https 0.0.0.0:1 a', 'ws 0.0.0.0:1', 'ws 0.0.0.0:2')
  expect(same).toMatchObject({ all: [1, 2, 3], opened: [], closed: [] })
  const renewed = plan(first.now, 'https 0.0.0.0:1 b', 'ws 0.0.0.0:1', 'ws 0.0.0.0:2')
  expect(renewed).toMatchObject({
    all: [4, 5, 3],
    closed: [1, 2],
    hosts: [undefined, 4, undefined],
  })
  expect(renewed).toMatchObject({ removed: [], sharing: [4, 5] })
  expect(renewed.counters[1]).toBe(first.counters[1]!)
})

test('WebSockets get a server of their own, or one of an HTTP listener, on the port that they have', () => {
  const plan = planner()
  const hosted = plan([], 'http 0.0.0.0:1', 'ws 0.0.0.0:1')
  const alone = plan(hosted.now, 'ws 0.0.0.0:1')
  expect(alone).toMatchObject({ all: [3], opened: [3], closed: [2, 1], removed: [1], sharing: [3] })
  expect(alone.hosts).toEqual([undefined])
  const again = plan(alone.now, 'http 0.0.0.0:1', 'ws 0.0.0.0:1')
  expect(again).toMatchObject({ opened: [4, 5], closed: [3], removed: [], sharing: [4, 5] })
  expect(again.hosts).toEqual([undefined, 4])
})
