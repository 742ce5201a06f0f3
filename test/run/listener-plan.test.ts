/** Which listeners stay, are opened and are closed when one configuration follows another. */
import { expect, test } from 'bun:test'
import { type Listed, planListeners } from '../../src/run/listener-plan.ts'
import type { Opening, Wanted } from '../../src/run/open-listener.ts'
import { configOf, minimalToml } from '../support/configuration.ts'

/** Listeners as `udp 0.0.0.0:1`, `https 0.0.0.0:2 CERTIFICATE`, `udp [::]:1 only6`. */
function wanted(...texts: string[]): Wanted[] {
  return texts.map((text) => {
    const [scheme, address, more] = text.split(' ')
    const only6 = `network.ipv6_v6only = ${more === 'only6'}\n`
    const table = scheme === 'udp' ? 'udp_trackers' : 'http_trackers'
    const rest = `[[${table}]]\nbind_address = "${address}"\n${only6}`
    const { udp_trackers, http_trackers } = configOf(minimalToml({ rest }))
    if (scheme === 'udp') return { type: 'udp_tracker', listener: udp_trackers![0]! }
    const certificate = scheme === 'https' ? { cert: more!, key: more! } : null
    return { type: 'http_tracker', listener: http_trackers![0]!, certificate }
  })
}

function planner(canReplace = true) {
  let last = 0
  const id = () => ++last
  const open = (one: Wanted): Opening => {
    const common = { id: id(), counters: new SharedArrayBuffer(8), sharesPort: false }
    if (one.type === 'http_tracker') return { ...common, ...one }
    return { ...common, ...one, descriptors: [] }
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
