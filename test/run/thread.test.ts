/** One serving thread, in this thread: it opens everything or nothing, and closes it all. */

import { afterAll, expect, test } from 'bun:test'
import { Access, createAccessMemory } from '../../src/access/access.ts'
import { Bans } from '../../src/access/bans.ts'
import { packKeys } from '../../src/access/keys.ts'
import { packHashes } from '../../src/access/whitelist.ts'
import { Accounts } from '../../src/accounting/accounts.ts'
import { createAccountingMemory } from '../../src/accounting/limits.ts'
import { ENTRY, limitIn, RingReader } from '../../src/accounting/ring.ts'
import { Board } from '../../src/memory/board.ts'
import { ListenerCounters, ThreadCounters } from '../../src/memory/counters.ts'
import { Rules } from '../../src/rules.ts'
import type { Opening } from '../../src/run/open-listener.ts'
import { startThread, type ThreadSetup } from '../../src/run/thread.ts'
import { createConnectionCounts } from '../../src/servers/connection-counts.ts'
import { Garbage } from '../../src/servers/garbage.ts'
import { FAMILIES, WEB_ROW } from '../../src/swarm/layout.ts'
import { createSwarmMemory } from '../../src/swarm/swarm.ts'
import { SETTINGS } from '../support/accounting/limited.ts'
import { capturedLog } from '../support/captured-log.ts'
import { configOf, minimalToml } from '../support/configuration.ts'
import { policy } from '../support/servers/served-http.ts'
import { webSocketListener } from '../support/servers/served-websockets.ts'
import { hashOf, udpPeer, urlData } from '../support/udp-client.ts'
import { Speaker } from '../support/webtorrent/speaker.ts'

const garbage = new Garbage()
afterAll(() => garbage[Symbol.dispose]())
const { log } = capturedLog()

const countersOf = ({ threads = 1 }: Partial<ThreadSetup>) => new ListenerCounters(threads).memory

function setupOf(toml: string, changes: Partial<ThreadSetup> = {}): ThreadSetup {
  const config = configOf(minimalToml({ filter: 'off', rest: toml }))
  const udp = config.udp_trackers ?? []
  const http = config.http_trackers ?? []
  const seed = Int32Array.of(1)
  const rules = Rules.of(policy)
  return {
    thread: 1,
    threads: 1,
    swarm: createSwarmMemory(64 * 2 ** 20, seed),
    access: undefined,
    counters: new ThreadCounters((changes.threads ?? 1) + 1).memory,
    rules: rules.memory,
    bans: { memory: new Bans(rules, seed).memory, seed },
    page: new Board(16).memory,
    secret: new Uint8Array(16),
    mostConnections: 100,
    logging: { filter: 'off', style: 'full', colour: false },
    listeners: [
      ...udp.map((listener, i): Opening => {
        const common = { id: i, counters: countersOf(changes), sharesPort: false }
        return { ...common, type: 'udp_tracker', listener, descriptors: [] }
      }),
      ...http.map((listener, i): Opening => {
        const common = { id: udp.length + i, counters: countersOf(changes), sharesPort: false }
        return { ...common, type: 'http_tracker', listener, certificate: null }
      }),
    ],
    ...changes,
  }
}

test('W61: all WebSocket listeners share what the limit of open files leaves', async () => {
  const setup = setupOf('', {
    mostConnections: 1,
    swarm: createSwarmMemory(64 * 2 ** 20, Int32Array.of(1), false, [...FAMILIES, WEB_ROW]),
    listeners: [1, 2].map((id) => ({
      id,
      type: 'websocket_tracker',
      listener: webSocketListener,
      counters: countersOf({}),
      sharesPort: false,
      certificate: null,
      host: undefined,
      connections: createConnectionCounts(1),
    })),
  })
  const thread = await startThread(setup, garbage, log)
  const [one, two] = thread.opened.ports.map((port) => `ws://127.0.0.1:${port}/`)
  using _ = await Speaker.open(one!)
  await expect(Speaker.open(two!)).rejects.toThrow('503')
  await thread.stop(0)
})

const udp = (port: number, more = '') =>
  `[[udp_trackers]]\nbind_address = "127.0.0.1:${port}"\n${more}`
const http = (port: number) => `[[http_trackers]]\nbind_address = "127.0.0.1:${port}"\n`

test('reports its ports in the order of the lists', async () => {
  const thread = await startThread(setupOf(udp(0) + udp(0) + http(0)), garbage, log)
  const { ports } = thread.opened
  const udpPorts = ports.slice(0, 2)
  expect(thread.opened.receiveBuffer).toBeGreaterThan(0)
  expect(new Set(ports).size).toBe(3)
  for (const port of udpPorts) {
    using peer = await udpPeer(port)
    expect((await peer.scrape(hashOf(1))).seeders).toBe(0)
  }
  await thread.stop(0)
  // Its own address again, at once and alone.
  const again = await startThread(setupOf(udp(udpPorts[0]!) + http(ports[2]!)), garbage, log)
  await again.stop(0)
})

test('keeps nothing open when the last listener cannot be opened', async () => {
  const first = await startThread(setupOf(udp(0) + http(0)), garbage, log)
  const [udpPort = 0, httpPort = 0] = first.opened.ports
  const free = await Bun.udpSocket({ hostname: '127.0.0.1' })
  const { port } = free
  free.close()
  await expect(startThread(setupOf(udp(port) + http(httpPort)), garbage, log)).rejects.toThrow(
    `port in use: http 127.0.0.1:${httpPort}`,
  )
  await expect(startThread(setupOf(udp(port) + udp(udpPort)), garbage, log)).rejects.toThrow(
    `port in use: udp 127.0.0.1:${udpPort}`,
  )
  const third = await startThread(setupOf(udp(port)), garbage, log)
  await third.stop(0)
  await first.stop(0)
})

test.each([1, 2])('serves what another part lists while it runs (threads: %d)', async (threads) => {
  const rules = { listed: true, private: false, checksExpiration: true, seed: Int32Array.of(1) }
  const access = createAccessMemory({ ...rules, whitelistCapacity: 10 })!
  const thread = await startThread(setupOf(udp(0), { access, threads }), garbage, log)
  using peer = await udpPeer(thread.opened.ports[0]!)
  const { whitelist } = new Access(access, threads === 1)
  const { words } = packHashes(hashOf(1))
  await expect(peer.announce(hashOf(1))).rejects.toThrow('is not whitelisted')
  whitelist!.put(packHashes(hashOf(1)))
  expect((await peer.announce(hashOf(1))).seeders).toBe(1)
  whitelist!.remove(words)
  await expect(peer.announce(hashOf(1))).rejects.toThrow('is not whitelisted')
  await thread.stop(0)
})

test.each([
  ['torrents', undefined],
  ['users', 'noDownload'],
] as const)(
  'N21: notes announces in its ring, and its successor goes on there (%s)',
  async (level, limit) => {
    const accounting = createAccountingMemory(level, 2, Int32Array.of(1))
    const [other, own] = accounting.rings.map((ring) => new RingReader(ring))
    const key = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
    const isPrivate = level === 'users'
    const access = createAccessMemory({
      listed: false,
      private: isPrivate,
      checksExpiration: true,
      seed: Int32Array.of(1),
      keyCapacity: 10,
    })
    if (access)
      new Access(access, false).keys!.put(packKeys([{ key, validUntil: 1e15, account: 7 }]))
    if (isPrivate) new Accounts(accounting.accounts).set(7, { ...SETTINGS, canDownload: false })
    const setup = setupOf(udp(0), { thread: 2, threads: 2, accounting, access })
    for (const life of [1, 2]) {
      const thread = await startThread(setup, garbage, log)
      using peer = await udpPeer(thread.opened.ports[0]!)
      const options = urlData(`/announce/${key}`)
      for (const left of [0, 5]) await peer.announce(hashOf(life), { left, options })
      await thread.stop(0)
      const entries = Array.from({ length: own!.waiting }, (_, i) => {
        const at = own!.at(i)
        return [own!.cells[at + ENTRY.account], limitIn(own!.cells[at + ENTRY.what]!)]
      })
      const account = isPrivate ? 7 : 0
      expect(entries).toEqual([
        [account, undefined],
        [account, limit],
      ])
      own!.took(2)
    }
    expect(other!.waiting).toBe(0)
  },
)
