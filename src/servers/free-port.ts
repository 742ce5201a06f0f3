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
  for (const { bind_address, network } of udp) {
    const { ip, port } = bind_address
    if (port === 0) continue
    try {
      const socket = await Bun.udpSocket({
        hostname: ip,
        port,
        ...udpFlags({ reusePort: false, ipv6Only: network.ipv6_v6only }),
      })
      socket.close()
    } catch (error) {
      throw listenError('udp', ip, port, error)
    }
  }
  for (const { bind_address, network, tls_config } of http) {
    const { ip, port } = bind_address
    if (port === 0) continue
    try {
      const options = { hostname: ip, port, ipv6Only: network.ipv6_v6only, socket: { data() {} } }
      Bun.listen(options).stop(true)
    } catch (error) {
      throw listenError(tls_config === null ? 'http' : 'https', ip, port, error)
    }
  }
}
