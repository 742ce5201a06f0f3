/**
 * A proxy in front of a database server that loses the answer to a commit, and the connection with it, when told to: the
 * client cannot know whether the commit took place.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { ServerConfig } from '../database/servers.ts'

/** In the answer of PostgreSQL; for MySQL in the query only. */
const COMMIT = 'COMMIT'

export class LossyLink implements Disposable {
  /** The account, at the address of the proxy. */
  readonly config: ServerConfig
  /** Answers lost so far. */
  lost = 0
  #toLose = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(config: ServerConfig, port: number, server: Server) {
    this.config = { ...config, host: '127.0.0.1', port }
    this.#server = server
    server.on('connection', (client) => this.#join(client, connect(config.port, config.host)))
  }

  static async to(config: ServerConfig): Promise<LossyLink> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return new LossyLink(config, address.port, server)
  }

  /** Loses the answers to the next `count` commits. */
  lose(count: number): void {
    this.#toLose = count
  }

  [Symbol.dispose](): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(client: Socket, server: Socket): void {
    let wasAsked = false
    client.on('data', (bytes) => {
      wasAsked = this.config.driver === 'mysql' && bytes.includes(COMMIT)
      server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (this.#toLose > 0 && (wasAsked || bytes.includes(`${COMMIT}\0`))) {
        this.#toLose--
        this.lost++
        client.destroy()
      } else client.write(bytes)
    })
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
  }
}
