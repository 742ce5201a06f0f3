/**
 * Keeps descriptors free: closes connections of an address that has too many of them and, while the process is
 * near its limit of open files, those of the addresses that have most. Without it a client that opens
 * connections and sends little takes the last descriptor, Bun asks the kernel for another one for ever, and no
 * other client is served, nor are the API and the health check.
 *
 * It looks at the whole process from the control thread: Bun has no hook for a new connection and no way to
 * stop accepting for a while. The kernel finds, ends and blocks connections (tcp-sockets.ts).
 */

import { LimitedLines } from '../log/limited-lines.ts'
import type { Log } from '../log/log.ts'
import { Trouble } from '../log/trouble.ts'
import { type Connection, type Look, printClient } from './tcp-sockets.ts'

/** What the guard must know about the listeners on one port. */
export type GuardedPort = {
  /** It serves the operator, not clients of the tracker: the reserve is for the operator. */
  readonly isOperators: boolean
  /** Many clients come from one address, a proxy's: the address does not show who has too many. */
  readonly isShared: boolean
}

/**
 * The same by port. Listeners on different addresses may have the same port, and connections do not show which
 * they came to: what protects a listener of the operator must not protect a client that floods the other.
 */
export function guardedPorts(
  listeners: readonly (readonly [port: number, GuardedPort])[],
): ReadonlyMap<number, GuardedPort> {
  const ports = new Map<number, GuardedPort>()
  for (const [port, one] of listeners) {
    const other = ports.get(port) ?? one
    ports.set(port, {
      isOperators: one.isOperators && other.isOperators,
      isShared: one.isShared || other.isShared,
    })
  }
  return ports
}

/** `TcpSockets`, or a substitute of a test. */
export type Sockets = Disposable & {
  /** Descriptors that the process may have. */
  readonly limit: number
  lowestFree(): number
  look(ports: ReadonlySet<number>): Promise<Look>
  end(connection: Connection): boolean
  block(fd: number, clients: readonly string[]): void
}

type GuardOptions = {
  readonly sockets: Sockets
  readonly log: Log
} & Guarded

type Guarded = {
  readonly ports: ReadonlyMap<number, GuardedPort>
  /** Most connections of one address, not counting those to the operator's listeners; 0: any number. */
  readonly mostPerAddress: number
}

/** Time between two looks at how near the limit is, which cost two system calls; and while it is near. */
const PROBE_MILLISECONDS = 100
const PROBE_NEAR_MILLISECONDS = 20
/** Time between two counts of the connections while the limit is far. */
const COUNT_MILLISECONDS = 1_000
/** Share of the time that counting may take, far from the limit and near it: many connections are counted less often. */
const SHARE = 0.01
const SHARE_NEAR = 0.1

/** Clients a second whose connections were closed and that have a line for it at `debug`. */
const CLIENT_LINES = 10

/** Descriptors that are kept free: an eighth of all, but no more than any burst needs. */
export const reserveOf = (limit: number): number => Math.min(1_024, Math.max(8, limit >> 3))

export class ConnectionGuard {
  #options: GuardOptions
  #ports: ReadonlySet<number>
  readonly #reserve: number
  #timer: Timer
  #isOver = false
  /** In which order connections were first seen, by descriptor: the smaller, the older. */
  #seen = new Map<number, { readonly peer: string; readonly order: number }>()
  #order = 0
  /** Earliest times of the next count. */
  #nextFar = 0
  #nextNear = 0
  /** Whether new connections of some clients are not accepted for the moment. */
  #isBlocking = false
  readonly #crowd: Trouble
  readonly #shortage: Trouble
  readonly #lines: LimitedLines

  constructor(options: GuardOptions) {
    this.#options = options
    this.#ports = new Set(options.ports.keys())
    this.#reserve = reserveOf(options.sockets.limit)
    this.#crowd = new Trouble(options.log, 'HTTP TRACKER', 'connections were closed')
    this.#shortage = new Trouble(options.log, 'TRACKER', 'connections were closed')
    const limit = { lines: CLIENT_LINES, milliseconds: 1_000 }
    this.#lines = new LimitedLines(options.log, { level: 'debug', target: 'TRACKER', ...limit })
    this.#timer = setTimeout(() => this.#run(), PROBE_MILLISECONDS)
  }

  /** From the next look on. */
  follow(guarded: Guarded): void {
    this.#options = { ...this.#options, ...guarded }
    this.#ports = new Set(guarded.ports.keys())
  }

  async #run(): Promise<void> {
    const isNear = await this.tick(performance.now())
    if (this.#isOver) return
    const wait = isNear ? PROBE_NEAR_MILLISECONDS : PROBE_MILLISECONDS
    this.#timer = setTimeout(() => this.#run(), wait)
  }

  /** Looks, and acts if needed. Whether the limit is near. `now`: milliseconds of any origin. */
  async tick(now: number): Promise<boolean> {
    const { sockets } = this.#options
    const free = sockets.lowestFree()
    const isNear = free < 0 || free >= sockets.limit - this.#reserve || this.#isBlocking
    if (now >= (isNear ? this.#nextNear : this.#nextFar)) {
      const began = performance.now()
      const look = await sockets.look(this.#ports)
      if (this.#isOver) return false
      this.#count(look, now, free < 0)
      const took = performance.now() - began
      this.#nextNear = now + took / SHARE_NEAR
      this.#nextFar = now + Math.max(COUNT_MILLISECONDS, took / SHARE)
    }
    this.#crowd.pass(now)
    this.#shortage.pass(now)
    return isNear
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    clearTimeout(this.#timer)
    const { sockets } = this.#options
    if (this.#isBlocking) this.#block(await sockets.look(this.#ports), [])
    sockets[Symbol.dispose]()
  }

  #count(look: Look, now: number, isExhausted: boolean): void {
    const { mostPerAddress: most, sockets } = this.#options
    const ranked = this.#rank(look.connections)
    const isCrowd = ({ rank, isOperators }: Ranked) => most > 0 && rank >= most && !isOperators
    const crowd = ranked.filter(isCrowd)
    this.#crowd.add(now, this.#end(crowd), () => {
      const [client, count] = mostOf(crowd)
      return [
        '{client} has {connections} connections, more than abuse.max_connections_per_address = {limit}: the oldest are closed',
        { client, connections: count, limit: most },
      ]
    })

    const used = look.used - crowd.length
    const isShort = used > sockets.limit - this.#reserve
    const rest = isShort ? ranked.filter((one) => !isCrowd(one)) : []
    const spare = this.#worst(rest).slice(0, used - sockets.limit + 2 * this.#reserve)
    this.#shortage.add(now, this.#end(spare), () => {
      const [client, count] = mostOf(spare)
      return [
        '{open} of the {limit} files that this process may open are open: connections are closed, first those of the address that has most ({client} has {connections})',
        { open: look.used, limit: sockets.limit, client, connections: count },
      ]
    })
    // Closing alone does not keep up with clients that connect again at once.
    this.#block(look, isExhausted ? [...crowd, ...spare] : [])
  }

  /** Each connection with its place among those of its client; the newest has 0. */
  #rank(connections: readonly Connection[]): readonly Ranked[] {
    const seen = new Map<number, { readonly peer: string; readonly order: number }>()
    const ranked = connections.map((connection) => {
      const { fd, peer, port } = connection
      const before = this.#seen.get(fd)
      const mark = before?.peer === peer ? before : { peer, order: this.#order++ }
      seen.set(fd, mark)
      return {
        ...connection,
        ...(this.#options.ports.get(port) ?? UNKNOWN),
        order: mark.order,
        rank: 0,
      }
    })
    this.#seen = seen
    // Behind a proxy each connection counts as a client of its own.
    const alone = ranked.filter(({ isShared }) => !isShared)
    const clients = Map.groupBy(alone, ({ isOperators, client }) => `${isOperators} ${client}`)
    for (const all of clients.values())
      for (const [rank, one] of all.sort((a, b) => b.order - a.order).entries()) one.rank = rank
    return ranked
  }

  /**
   * In the order in which to close them: first those of the address that has most, the oldest before the newer.
   * An announce takes a moment; a connection that has been there for long is idle or slow. Those of the operator
   * come last, as long as they are not many.
   */
  #worst(connections: readonly Ranked[]): readonly Ranked[] {
    const few = this.#reserve >> 1
    const rankOf = ({ rank, isOperators }: Ranked) => (isOperators ? Math.max(0, rank - few) : rank)
    return connections.toSorted(
      (a, b) =>
        rankOf(b) - rankOf(a) || Number(a.isOperators) - Number(b.isOperators) || a.order - b.order,
    )
  }

  #end(connections: readonly Connection[]): number {
    const ended = connections.filter((one) => this.#options.sockets.end(one))
    if (this.#options.log.prints('debug'))
      for (const [client, { length: count }] of Map.groupBy(ended, (one) => one.client))
        this.#lines.say('connections of a client were closed', () => ({
          client: printClient(client),
          count,
        }))
    return ended.length
  }

  /** Until the next count accepts no new connection of the clients whose connections were ended. */
  #block({ listeners }: Look, ended: readonly Connection[]): void {
    if (ended.length === 0 && !this.#isBlocking) return
    const blocked = Map.groupBy(ended, ({ port }) => port)
    for (const { fd, port } of listeners) {
      const clients = new Set(blocked.get(port)?.map(({ client }) => client))
      this.#options.sockets.block(fd, [...clients])
    }
    this.#isBlocking = ended.length > 0
  }
}

/** A port that is not guarded any more, since the look. */
const UNKNOWN: GuardedPort = { isOperators: true, isShared: true }

type Ranked = Connection & {
  readonly order: number
  readonly rank: number
  readonly isOperators: boolean
}

/** The client that has most of them, and how many. */
function mostOf(connections: readonly Ranked[]): readonly [client: string, count: number] {
  const most = connections.reduce((a, b) => (b.rank > a.rank ? b : a))
  return [printClient(most.client), most.rank + 1]
}
