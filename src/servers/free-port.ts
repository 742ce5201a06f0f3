/**
 * Checks that ports are free. Sockets with SO_REUSEPORT share a port with every other such socket, so a
 * second tracker would start and silently take half of the clients of the first one. An exclusive socket,
 * opened and closed before, detects that.
 */
import { listenError } from './listen.ts'
import { udpFlags } from './udp.ts'

type Listener = {
  readonly scheme: string
  readonly bind_address: { readonly ip: string; readonly port: number }
  readonly network: { readonly ipv6_v6only: boolean }
}

/** Rejects with one line that names the port that is in use. */
export async function assertFree(listeners: readonly Listener[]): Promise<void> {
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
