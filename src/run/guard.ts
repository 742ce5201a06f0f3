/** What the connection guard must know of the listeners, those of the operator included. */
import type { Config } from '../config/model.ts'
import type { Log } from '../log/log.ts'
import { ConnectionGuard, guardedPorts } from '../servers/connection-guard.ts'
import type { HttpServer } from '../servers/listen.ts'
import { TcpSockets } from '../servers/tcp-sockets.ts'
import type { TrackerService } from './services.ts'

/** undefined: the system does not list connections. */
export function startGuard(guarded: ReturnType<typeof guardedBy>, log: Log) {
  const sockets = TcpSockets.open()
  return sockets && new ConnectionGuard({ sockets, log, ...guarded })
}

export const guardedBy = (
  { abuse }: Config,
  trackers: readonly TrackerService[],
  operators: readonly (HttpServer | undefined)[],
) => ({
  mostPerAddress: abuse.max_connections_per_address,
  ports: guardedPorts([
    ...trackers
      .filter(({ type }) => type !== 'udp_tracker')
      .map(({ address, isBehindProxy: isShared }) => {
        return [address.port, { isOperators: false, isShared }] as const
      }),
    ...operators.flatMap((server) =>
      server ? [[server.address.port, { isOperators: true, isShared: false }] as const] : [],
    ),
  ]),
})
