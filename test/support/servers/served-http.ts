/** A real tracker behind one HTTP listener on port 0, and a socket that sends exactly the given bytes. */
import type { Access } from '../../../src/access/access.ts'
import type { HttpTrackerConfig } from '../../../src/config/model.ts'
import { AT, type Counter, type CounterRow, Metrics } from '../../../src/memory/counters.ts'
import { Garbage } from '../../../src/servers/garbage.ts'
import { serveHttp } from '../../../src/servers/http.ts'
import { createSwarmMemory, Swarm } from '../../../src/swarm/swarm.ts'
import { type Policy, Tracker } from '../../../src/tracker.ts'
import { type BencodeDictionary, decodeBencode } from '../../../src/wire/bencode.ts'

export const policy: Policy = {
  interval: 120,
  intervalMin: 120,
  maxPeers: 74,
  peerTimeoutSeconds: 900,
  retention: { removePeerless: true },
  schema: '2.0.0',
}

export const listener: HttpTrackerConfig = {
  bind_address: { ip: '127.0.0.1', port: 0 },
  tls_config: null,
  tracker_usage_statistics: true,
  use_ip_from_query_string: false,
  public_url: null,
  network: { external_ip: null, on_reverse_proxy: false, ipv6_v6only: false },
}

/** The moment in which the trackers of `makeTracker` live. */
export const NOW_MILLISECONDS = 1_000_000_000

export function makeTracker(changes: Partial<Policy> = {}, access?: Access): Tracker {
  const swarm = new Swarm(createSwarmMemory(16 * 1024 * 1024, Int32Array.of(1)), 1, 1)
  const clock = { seconds: () => NOW_MILLISECONDS / 1000, milliseconds: () => NOW_MILLISECONDS }
  return new Tracker(swarm, { ...policy, ...changes }, clock, access)
}

export type Serving = Awaited<ReturnType<typeof serve>>

export async function serve(
  changes: Partial<Omit<HttpTrackerConfig, 'network'>> & {
    network?: Partial<HttpTrackerConfig['network']>
    tracker?: Tracker
  } = {},
) {
  const { tracker = makeTracker(), network, ...rest } = changes
  const counters: CounterRow = new Metrics(1, 1).row(0, 0)
  const garbage = new Garbage()
  const reports: string[] = []
  const server = await serveHttp({
    listener: { ...listener, ...rest, network: { ...listener.network, ...network } },
    tracker,
    counters,
    reusePort: false,
    garbage,
    report: (what) => reports.push(what),
  })
  return {
    ...server,
    tracker,
    reports,
    counters,
    count: (counter: Counter) => [counters[AT[counter]], counters[AT[counter] + 1]],
    [Symbol.asyncDispose]: () => {
      garbage[Symbol.dispose]()
      return server.stop(0)
    },
  }
}

/** Percent-encodes every byte. */
export const percent = (bytes: Uint8Array | string): string =>
  [...Buffer.from(bytes as string)].map((b) => `%${b.toString(16).padStart(2, '0')}`).join('')

export const hashA = Buffer.from('9c38422213e30bff212b30c360d26f9a02136422', 'hex')
export const hashB = Buffer.from('3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0', 'hex')

/** The query of an announce that is in order; `changes` replace or (undefined) remove parameters. */
export function announceQuery(changes: Record<string, string | number | undefined> = {}): string {
  const all: Record<string, string | number | undefined> = {
    info_hash: percent(hashA),
    peer_id: '-qB00000000000000001',
    port: 17548,
    downloaded: 0,
    uploaded: 0,
    left: 0,
    event: 'completed',
    compact: 0,
    peer_addr: '192.168.1.88',
    ...changes,
  }
  return Object.entries(all)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join('&')
}

/** Sends `path` as it stands; a `fetch` would rewrite it. */
export async function get(url: string, path: string, headers: Record<string, string> = {}) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `GET ${path} HTTP/1.1\r\nHost: tracker\r\nConnection: close\r\n${lines.join('')}\r\n`
  return parseResponse(await exchange(url, head))
}

export type Reply = {
  status: number
  headers: Record<string, string>
  body: Buffer
  /** What the body says, were it bencoded. */
  value: BencodeDictionary
  failure: string | undefined
}

export function parseResponse(bytes: Buffer): Reply {
  const end = bytes.indexOf('\r\n\r\n')
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  )
  const body = bytes.subarray(end + 4)
  let value: BencodeDictionary = new Map()
  try {
    value = decodeBencode(body) as BencodeDictionary
  } catch {}
  const failure = value.get('failure reason')
  return {
    status: Number(first.split(' ')[1]),
    headers,
    body,
    value,
    failure: failure instanceof Uint8Array ? Buffer.from(failure).toString('latin1') : undefined,
  }
}

/** Sends bytes over a connection of its own; resolves with what came back until the server closed it. */
export async function exchange(url: string, bytes: string | Uint8Array): Promise<Buffer> {
  const { hostname, port, protocol } = new URL(url)
  const chunks: Buffer[] = []
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  let rest = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)
  const push = (socket: { write(bytes: Uint8Array): number }) => {
    const sent = socket.write(rest)
    if (sent > 0) rest = rest.subarray(sent)
  }
  await Bun.connect({
    hostname: hostname.replace(/[[\]]/g, ''),
    port: Number(port),
    ...(protocol === 'https:' && { tls: { rejectUnauthorized: false } }),
    socket: {
      open: push,
      drain: push,
      data: (_socket, chunk) => void chunks.push(Buffer.from(chunk)),
      close: () => resolve(Buffer.concat(chunks)),
      error: () => {},
    },
  })
  return await promise
}
