/** Whose connections are ended, and when, over a kernel that a test makes up. */
import { afterEach, beforeEach, describe, expect, mock, spyOn, test } from 'bun:test'
import {
  ConnectionGuard,
  type GuardedPort,
  guardedPorts,
  reserveOf,
  type Sockets,
} from '../../src/servers/connection-guard.ts'
import type { Connection, Look } from '../../src/servers/tcp-sockets.ts'
import { capturedLog } from '../support/captured-log.ts'

const HTTP = 7070
const PROXIED = 7071
const API = 1212
const PORTS = new Map<number, GuardedPort>([
  [HTTP, { isOperators: false, isShared: false }],
  [PROXIED, { isOperators: false, isShared: true }],
  [API, { isOperators: true, isShared: false }],
])
/** Descriptors that are no connections. */
const OTHERS = 20

class MadeUp implements Sockets {
  readonly limit: number
  connections: Connection[] = []
  looks = 0
  readonly blocked = new Map<number, readonly string[]>()
  isDisposed = false
  #peer = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** `count` connections of a client, given as the last number of its address; their peers. */
  open(client: number, count: number, port = HTTP): string[] {
    return Array.from({ length: count }, () => {
      const fd = this.#lowest()
      const peer = `${client}:${++this.#peer}`
      const hex = `7f0000${client.toString(16).padStart(2, '0')}`
      this.connections.push({ fd, port, client: hex, peer })
      return peer
    })
  }
  #lowest(): number {
    const taken = new Set(this.connections.map(({ fd }) => fd))
    let fd = OTHERS
    while (taken.has(fd)) fd++
    return fd
  }
  lowestFree(): number {
    const fd = this.#lowest()
    return fd < this.limit ? fd : -1
  }
  async look(): Promise<Look> {
    this.looks++
    const listeners = [...PORTS.keys()].map((port) => ({ fd: port, port }))
    return { used: OTHERS + this.connections.length, connections: this.connections, listeners }
  }
  end({ fd, peer }: Connection): boolean {
    const before = this.connections.length
    this.connections = this.connections.filter((one) => one.fd !== fd || one.peer !== peer)
    return this.connections.length < before
  }
  block(fd: number, clients: readonly string[]): void {
    if (clients.length === 0) this.blocked.delete(fd)
    else this.blocked.set(fd, clients)
  }
  /** How many each client has, by the last number of its address. */
  get crowd(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { peer } of this.connections) {
      const client = peer.split(':')[0]!
      counts[client] = (counts[client] ?? 0) + 1
    }
    return counts
  }
  [Symbol.dispose](): void {
    this.isDisposed = true
  }
}

const guards: ConnectionGuard[] = []
// However busy this machine is, no count takes any time, and the guard does not look by itself.
beforeEach(() => void spyOn(performance, 'now').mockReturnValue(0))
afterEach(async () => {
  mock.restore()
  for (const guard of guards.splice(0)) await guard[Symbol.asyncDispose]()
})

/** Time is that of the test: each `pass` is a second of it, unless it says otherwise. */
function guard({ limit = 1_024, most = 100 } = {}) {
  const sockets = new MadeUp(limit)
  const { log, lines } = capturedLog()
  const it = new ConnectionGuard({ sockets, ports: PORTS, mostPerAddress: most, log })
  guards.push(it)
  let now = 0
  return {
    sockets,
    log,
    lines,
    it,
    pass: (milliseconds = 1_000) => {
      now += milliseconds
      return it.tick(now)
    },
  }
}

describe('an address that has more connections than it may', () => {
  test('loses the oldest of them, and no other client loses any', async () => {
    const { sockets, pass } = guard()
    const old = sockets.open(1, 10)
    sockets.open(2, 100)
    await pass()
    expect(sockets.crowd).toEqual({ 1: 10, 2: 100 })
    sockets.open(1, 100)
    await pass()
    expect(sockets.crowd).toEqual({ 1: 100, 2: 100 })
    const left = new Set(sockets.connections.map(({ peer }) => peer))
    expect(old.filter((peer) => left.has(peer))).toEqual([])
  })

  test('is looked for where and as it is said last', async () => {
    const { sockets, pass, it } = guard()
    sockets.open(1, 90)
    sockets.open(2, 90, PROXIED)
    await pass()
    it.follow({
      mostPerAddress: 50,
      ports: new Map([[PROXIED, { isOperators: false, isShared: false }]]),
    })
    await pass()
    // Its port is not guarded any more, whatever was seen there.
    expect(sockets.crowd).toEqual({ 1: 90, 2: 50 })
  })

  test('is not kept from coming again: only the surplus is too much', async () => {
    const { sockets, pass } = guard()
    sockets.open(1, 200)
    await pass()
    expect(sockets.blocked.size).toBe(0)
  })

  test('is not looked at behind a proxy, nor at the API, nor where any number is allowed', async () => {
    const { sockets, pass } = guard()
    sockets.open(1, 300, PROXIED)
    sockets.open(2, 300, API)
    await pass()
    expect(sockets.crowd).toEqual({ 1: 300, 2: 300 })
    const free = guard({ most: 0 })
    free.sockets.open(1, 500)
    await free.pass()
    expect(free.sockets.crowd).toEqual({ 1: 500 })
  })

  test('is named at debug with what was closed, and so is every other', async () => {
    const { sockets, log, lines, pass } = guard()
    sockets.open(1, 130)
    sockets.open(2, 100)
    sockets.open(3, 102)
    await pass()
    expect(lines).toHaveLength(1)
    log.filter = 'debug'
    sockets.open(1, 130)
    sockets.open(3, 1)
    await pass()
    expect(lines.slice(1)).toEqual([
      'DEBUG TRACKER: connections of a client were closed client=127.0.0.1 count=130',
      'DEBUG TRACKER: connections of a client were closed client=127.0.0.3 count=1',
    ])
  })

  test('is named once, and what was closed is told every minute and when it is over', async () => {
    const { sockets, lines, pass } = guard()
    for (let second = 0; second < 50; second++) {
      sockets.open(1, 30)
      await pass()
    }
    expect(lines).toEqual([
      ' WARN HTTP TRACKER: 127.0.0.1 has 120 connections, more than abuse.max_connections_per_address = 100: the oldest are closed',
    ])
    for (let second = 0; second < 59; second++) await pass()
    expect(lines.slice(1)).toEqual([
      ' WARN HTTP TRACKER: connections were closed count=1400 seconds=60',
    ])
    await pass()
    expect(lines[2]).toBe(
      ' INFO HTTP TRACKER: It is over: connections were closed count=1400 seconds=46',
    )
    for (let second = 0; second < 100; second++) await pass()
    expect(lines).toHaveLength(3)
    sockets.open(2, 101)
    await pass()
    expect(lines[3]).toContain('127.0.0.2 has 101 connections')
  })
})

describe('near the limit of open files', () => {
  const LIMIT = 256
  const RESERVE = reserveOf(LIMIT)

  test('who has most loses first, the oldest before the newer, until twice the reserve is free', async () => {
    const { sockets, pass, lines } = guard({ limit: LIMIT, most: 512 })
    const honest = sockets.open(1, 3)
    await pass()
    const old = sockets.open(2, 100)
    await pass()
    const newer = sockets.open(2, LIMIT - OTHERS - 103 - 10)
    expect(await pass()).toBe(true)
    expect(OTHERS + sockets.connections.length).toBe(LIMIT - 2 * RESERVE)
    const left = new Set(sockets.connections.map(({ peer }) => peer))
    expect(honest.every((peer) => left.has(peer))).toBe(true)
    expect(newer.every((peer) => left.has(peer))).toBe(true)
    expect(old.filter((peer) => left.has(peer)).length).toBe(
      LIMIT - 2 * RESERVE - OTHERS - 3 - newer.length,
    )
    expect(lines).toEqual([
      ' WARN TRACKER: 246 of the 256 files that this process may open are open: connections are closed, first those of the address that has most (127.0.0.2 has 223)',
    ])
    expect(await pass()).toBe(false)
    expect(sockets.blocked.size).toBe(0)
  })

  test('of as many addresses as connections the oldest go', async () => {
    const { sockets, pass } = guard({ limit: LIMIT })
    const old = sockets.open(1, 1)
    await pass()
    for (let client = 2; OTHERS + sockets.connections.length < LIMIT - 5; client++)
      sockets.open(client, 1)
    await pass()
    expect(sockets.crowd[1]).toBeUndefined()
    expect(OTHERS + sockets.connections.length).toBe(LIMIT - 2 * RESERVE)
    expect(old).toHaveLength(1)
  })

  test('the operator’s connections go last, a proxy’s one by one', async () => {
    const { sockets, pass } = guard({ limit: LIMIT, most: 512 })
    sockets.open(1, 5, API)
    sockets.open(2, 50, PROXIED)
    await pass()
    sockets.open(3, LIMIT - OTHERS - 55 - 2)
    await pass()
    expect(sockets.crowd).toEqual({ 1: 5, 2: 50, 3: LIMIT - 2 * RESERVE - OTHERS - 55 })
  })

  test('a flood of the API itself is one like any other', async () => {
    const { sockets, pass } = guard({ limit: LIMIT })
    sockets.open(1, 20)
    await pass()
    sockets.open(2, LIMIT - OTHERS - 20, API)
    await pass()
    expect(sockets.crowd[1]).toBe(20)
    expect(sockets.crowd[2]).toBe(LIMIT - 2 * RESERVE - OTHERS - 20)
  })

  test('who takes the last descriptor gets no new connection until there are some again', async () => {
    const { sockets, pass } = guard({ limit: LIMIT, most: 512 })
    sockets.open(1, 1)
    sockets.open(2, LIMIT - OTHERS - 1)
    await pass()
    expect([...sockets.blocked]).toEqual([[HTTP, ['7f000002']]])
    // Soon, not in a second.
    await pass(500)
    expect(sockets.blocked.size).toBe(0)
  })

  test('connections are counted at once, not in a second', async () => {
    const { sockets, pass } = guard({ limit: LIMIT })
    await pass()
    const { looks } = sockets
    await pass(100)
    expect(sockets.looks).toBe(looks)
    sockets.open(1, LIMIT - OTHERS - 1)
    await pass(500)
    expect(sockets.looks).toBe(looks + 1)
  })

  test('nothing is ended where nothing can be: files of another kind', async () => {
    const { sockets, pass, lines } = guard({ limit: OTHERS + 2 })
    await pass()
    expect([sockets.blocked.size, lines]).toEqual([0, []])
  })
})

test('what it blocked is open again when it stops', async () => {
  const { sockets, pass, it } = guard({ limit: 256 })
  sockets.open(2, 236)
  await pass()
  expect(sockets.blocked.size).toBe(1)
  await it[Symbol.asyncDispose]()
  expect([sockets.blocked.size, sockets.isDisposed]).toEqual([0, true])
})

test('a descriptor that is another connection by now is a new one', async () => {
  const { sockets, pass } = guard()
  sockets.open(1, 1)
  await pass()
  sockets.connections = []
  const [again] = sockets.open(1, 1)
  sockets.open(1, 99)
  await pass()
  sockets.open(1, 1)
  await pass()
  // It was the oldest of the hundred, though its descriptor is older.
  expect(sockets.connections.some(({ peer }) => peer === again)).toBe(false)
  expect(sockets.crowd).toEqual({ 1: 100 })
})

test('a port that a tracker and the operator share on two addresses is the tracker’s', () => {
  const operators = { isOperators: true, isShared: false }
  const tracker = { isOperators: false, isShared: false }
  const proxied = { isOperators: false, isShared: true }
  const ports = guardedPorts([
    [HTTP, tracker],
    [PROXIED, proxied],
    [PROXIED, tracker],
    [HTTP, operators],
    [API, operators],
    [API, operators],
  ])
  expect([...ports]).toEqual([
    [HTTP, tracker],
    [PROXIED, proxied],
    [API, operators],
  ])
})
