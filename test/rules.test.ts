/** Rules that change while listeners serve: in this thread, and in others. */
import { expect, test } from 'bun:test'
import { Rules, type RuleValues } from '../src/rules.ts'
import { announceQuery, get, percent } from './support/http-client.ts'
import { captureWorkers } from './support/run/captured-workers.ts'
import { overBothPaths } from './support/servers/both-paths.ts'
import { makeTracker, policy, serve } from './support/servers/served-http.ts'
import { serveUdpAlone } from './support/servers/served-udp.ts'
import { startTracker } from './support/started-tracker.ts'
import {
  actionOf,
  announcePacket,
  connected,
  connectPacket,
  hashOf,
  messageOf,
  readAnnounce,
  scrapePacket,
  transactionOf,
} from './support/udp-client.ts'

const COOKIE_ERROR = 'tracker announce error: Connection cookie error'
const PEERS = 150

test.each<Partial<RuleValues>>([
  { maxPeers: 0 },
  { maxPeers: 1_001 },
  { interval: 2 ** 31 },
  { intervalMin: 2 ** 31 },
])('values that no answer can carry are refused, and change nothing: %p', (changes) => {
  const rules = Rules.of(policy)
  const { version } = rules
  expect(() => rules.write({ ...policy, banLimit: 77, ...changes })).toThrow(RangeError)
  expect([rules.version, rules.banLimit]).toEqual([version, policy.banLimit])
})

test.each<Partial<RuleValues>>([
  {},
  {
    interval: 2 ** 31 - 1,
    intervalMin: 2 ** 31 - 1,
    maxPeers: 1_000,
    peerTimeoutSeconds: 2 ** 32 - 1,
    webPeerTimeoutSeconds: 2 ** 32 - 2,
    removePeerless: false,
    schema: '3.0.0',
    idErrors: 'serve',
    banLimit: 2 ** 32 - 1,
  },
  {
    interval: 0,
    intervalMin: 0,
    peerTimeoutSeconds: 0,
    webPeerTimeoutSeconds: 0,
    idErrors: 'ban',
    banLimit: 0,
  },
])('values are read as they were written, in any thread: %p', (changes) => {
  const values = { ...policy, ...changes }
  const rules = Rules.of(policy)
  const elsewhere = new Rules(rules.memory)
  const { version } = elsewhere
  rules.write(values)
  for (const name of Object.keys(values) as (keyof RuleValues)[])
    expect([name, elsewhere[name]]).toEqual([name, values[name]])
  expect(elsewhere.version).not.toBe(version)
})

type Seen = { readonly interval: number; readonly peers: number }

/** What an announce of a new peer over UDP is told. */
async function overUdp(client: Awaited<ReturnType<typeof connected>>, port: number): Promise<Seen> {
  const { interval, peers } = await client.announce({ port, left: 1n, want: 1_000 })
  expect(new Set(peers).size).toBe(peers.length)
  return { interval, peers: peers.length }
}
async function overHttp(url: string, port: number) {
  const query = { info_hash: percent(hashOf(1)), port, left: 1, compact: 1, numwant: 1_000 }
  const { value } = await get(url, `/announce?${announceQuery({ ...query, event: '' })}`)
  return {
    interval: value.get('interval'),
    'min interval': value.get('min interval'),
    peers: (value.get('peers') as Uint8Array).length / 6,
  }
}

overBothPaths('a UDP socket and HTTP in the thread of the writer', (isDirect) => {
  test('follow a change', async () => {
    const tracker = makeTracker()
    using udp = await serveUdpAlone(isDirect, { tracker })
    await using http = await serve({ tracker })
    using client = await connected(udp.port)
    for (let port = 1; port <= PEERS; port++) await client.announce({ port, left: 1n, want: 1 })

    expect(await overUdp(client, 1)).toEqual({ interval: 120, peers: 74 })
    expect(await overHttp(http.url, 1)).toEqual({ interval: 120, 'min interval': 120, peers: 74 })

    const more = { ...policy, interval: 600, intervalMin: 300 }
    tracker.rules.write({ ...more, maxPeers: 1_000 })
    expect(await overUdp(client, 1)).toEqual({ interval: 600, peers: PEERS - 1 })
    expect(await overHttp(http.url, 1)).toEqual({
      interval: 600,
      'min interval': 300,
      peers: PEERS - 1,
    })
    // As long as answers were before, which had other memory.
    const { interval, peers } = await client.announce({ port: 1, left: 1n, want: 1 })
    expect([interval, peers.length]).toEqual([600, 1])
    tracker.rules.write({ ...more, maxPeers: 3 })
    expect((await overUdp(client, 1)).peers).toBe(3)
    expect((await overHttp(http.url, 1)).peers).toBe(3)
    // Smaller than a scrape's answer, whose room stays.
    expect(await client.scrape(...Array.from({ length: 74 }, () => hashOf(1)))).toHaveLength(74)
  })

  test('a batch that meets the change half-way stays within its memory', async () => {
    const tracker = makeTracker({ maxPeers: 30 })
    using udp = await serveUdpAlone(isDirect, { tracker })
    using client = await connected(udp.port)
    for (let port = 1; port <= PEERS; port++) await client.announce({ port, left: 1n, want: 1 })
    // As if another thread wrote while this one serves: nothing tells the listener.
    const { version } = tracker.rules
    const words = new Int32Array(tracker.rules.memory)
    tracker.rules.write({ ...policy, maxPeers: 1_000 })
    words[words.indexOf(tracker.rules.version)] = version
    expect((await overUdp(client, 1)).peers).toBe(30)
  })
})

test('the policy for wrong ids, its limit, the time-out and the words of refusals change in place', async () => {
  const tracker = makeTracker({ banLimit: 2 })
  using udp = await serveUdpAlone(true, { tracker })
  await using http = await serve({ tracker })
  using client = await connected(udp.port)
  using neighbour = await connected(udp.port, '127.0.0.1', '127.0.0.2')
  const wrong = announcePacket(client.id ^ 1n)
  const told = async () => {
    const answer = await client.ask(wrong)
    return actionOf(answer) === 3 ? messageOf(answer) : readAnnounce(answer).action
  }
  const isSilent = async (packet: Uint8Array) => {
    client.send(packet)
    neighbour.send(connectPacket(5))
    expect(transactionOf(await neighbour.receive())).toBe(5)
    return client.unread().length === 0
  }
  for (let i = 0; i <= 2; i++) expect(await told()).toBe(COOKIE_ERROR)
  expect(await isSilent(wrong)).toBe(true)
  expect(await isSilent(connectPacket())).toBe(false)

  tracker.rules.write({ ...policy, banLimit: 2, idErrors: 'ban' })
  expect(await isSilent(connectPacket())).toBe(true)
  tracker.rules.write({ ...policy, banLimit: 3, idErrors: 'ban' })
  expect(await isSilent(connectPacket())).toBe(false)
  expect(await told()).toBe(COOKIE_ERROR)
  expect(await isSilent(connectPacket())).toBe(true)
  tracker.rules.write({ ...policy, banLimit: 2, idErrors: 'serve' })
  expect(await told()).toBe(1)

  const { failure } = await get(http.url, `/announce/bad?${announceQuery()}`)
  expect(failure).toBe('Authentication error: Invalid format for authentication key param')
  tracker.rules.write({ ...policy, schema: '3.0.0', peerTimeoutSeconds: 0 })
  expect((await get(http.url, `/announce/bad?${announceQuery()}`)).failure).toBe(
    `Tracker ${failure!.toLowerCase().slice(0, 1)}${failure!.slice(1)}`,
  )
  // Each peer is gone as soon as it is there.
  expect((await client.scrape(hashOf(1)))[0]).toEqual([0, 0, 0])
})

test('every thread follows what the control thread writes', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 2 })
  const rules = new Rules(workers.of(1).setup.rules)
  const url = `http://127.0.0.1:${tracker.ports.http[0]}`
  const [port] = tracker.ports.udp as [number]
  const values = { ...policy, banLimit: 1_000 }
  // The kernel deals clients out to the threads by their ports.
  const clients = await Promise.all(Array.from({ length: 12 }, () => connected(port)))
  for (let peer = 1; peer <= PEERS; peer++)
    await clients[peer % 12]!.announce({ port: peer, left: 1n, want: 1 })
  const expectAll = async (interval: number, peers: number) => {
    for (const client of clients) expect(await overUdp(client, 1)).toEqual({ interval, peers })
    for (let i = 0; i < 12; i++) expect(await overHttp(url, 1)).toMatchObject({ interval, peers })
  }
  await expectAll(120, 74)
  rules.write({ ...values, interval: 601, maxPeers: 1_000 })
  await expectAll(601, PEERS - 1)
  rules.write({ ...values, interval: 602, maxPeers: 5 })
  await expectAll(602, 5)
  for (const client of clients) {
    const bad = scrapePacket(client.id ^ 1n, [hashOf(1)])
    expect(messageOf(await client.ask(bad))).toBe('Connection cookie error')
  }
  rules.write({ ...values, idErrors: 'serve' })
  for (const client of clients) {
    const bad = scrapePacket(client.id ^ 1n, [hashOf(1)])
    expect(actionOf(await client.ask(bad))).toBe(2)
    client[Symbol.dispose]()
  }
})
