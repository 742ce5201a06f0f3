/**
 * Checks that ports are free. Sockets with SO_REUSEPORT share a port with every other such socket, so a
 * second tracker would start and silently take half of the clients of the first one. An exclusive socket,
 * opened and closed before, detects that.
 */
import { listenError } from './listen.ts'
import { udpFlags } from './udp.ts'

type Listener = {
  readonly bind_address: { readonly ip: string; readonly port: number }
  readonly network: { readonly ipv6_v6only: boolean }
}
type TcpListener = Listener & { readonly tls_config: unknown }

/** Rejects with one line that names the port that is in use. */
export async function assertFree(
  udp: readonly Listener[],
  http: readonly TcpListener[],
): Promise<void> {
  const listeners = [
    ...udp.map((listener) => ({ ...listener, scheme: 'udp' })),
    ...http.map((listener) => ({ ...listener, scheme: listener.tls_config ? 'https' : 'http' })),
  ]
  for (const { bind_address, network, scheme } of listeners) {
    const { ip, port } = bind_address
    const ipv6Only = network.ipv6_v6only
    if (port === 0) continue
    const bind = { hostname: ip, port, ipv6Only, socket: { data() {} } }
    try {
      if (scheme !== 'udp') Bun.listen(bind).stop(true)
      else (await Bun.udpSocket({ ...bind, ...udpFlags({ reusePort: false, ipv6Only }) })).close()
    } catch (error) {
      throw listenError(scheme, ip, port, error)
    }
  }
}
