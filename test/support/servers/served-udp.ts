/** One UDP listener without the rest of the tracker, on any port of the loopback. */

import {
  AT,
  type Counter,
  type Kind,
  ListenerCounters,
  REFUSED_KINDS,
} from '../../../src/memory/counters.ts'
import { REFUSALS } from '../../../src/refusal.ts'
import { ConnectionIds } from '../../../src/servers/connection-id.ts'
import { closeDescriptors, openDescriptors } from '../../../src/servers/direct-socket.ts'
import { Garbage } from '../../../src/servers/garbage.ts'
import { RequestLog } from '../../../src/servers/request-log.ts'
import { serveUdp, type UdpOptions } from '../../../src/servers/udp.ts'
import { capturedLog } from '../captured-log.ts'
import { makeTracker } from './served-http.ts'

/**
 * A server for which every read of the clock takes `step` milliseconds, as if its thread were that slow. `isDirect`:
 * its socket is read with our own system calls, otherwise by Bun.
 */
export async function serveUdpAlone(isDirect: boolean, changes: Partial<UdpOptions> = {}) {
  const time = { now: 1_800_000_000_000, step: 0 }
  const milliseconds = () => {
    time.now += time.step
    return time.now
  }
  const garbage = new Garbage()
  const { log, lines } = capturedLog()
  const listener = new ListenerCounters(1)
  const counters = listener.row(0)
  const own = isDirect && changes.descriptors === undefined ? openDescriptors() : undefined
  const descriptors = own ?? changes.descriptors
  const server = await serveUdp({
    ip: '127.0.0.1',
    port: 0,
    ipv6Only: false,
    reusePort: false,
    tracker: makeTracker(),
    listenerRules: { externalIp: undefined },
    connectionIds: new ConnectionIds(new Uint8Array(16), 120),
    counters,
    clock: { milliseconds, seconds: () => Math.floor(milliseconds() / 1000) },
    garbage,
    report: (_what, error) => {
      throw error
    },
    log: new RequestLog(log, 'UDP TRACKER', { listener: 'here' }),
    ...changes,
    descriptors,
  })
  return {
    ...server,
    log,
    lines,
    time,
    descriptors,
    /** The sum of both families. */
    count: (counter: Counter) => counters[AT[counter]]! + counters[AT[counter] + 1]!,
    /** How many requests were refused, for whatever reason. */
    refusals: () =>
      REFUSED_KINDS.flatMap((kind) =>
        REFUSALS.map((refusal) => listener.refused(kind, refusal)),
      ).reduce((sum, { ipv4, ipv6 }) => sum + ipv4 + ipv6, 0),
    processing: (kind: Kind) => listener.times(kind),
    [Symbol.dispose]() {
      server.stop()
      if (own !== undefined) closeDescriptors(own)
      garbage[Symbol.dispose]()
    },
  }
}
