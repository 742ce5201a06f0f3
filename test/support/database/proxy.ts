/**
 * A connection to a database server that breaks at the one moment that matters, the commit of a transaction,
 * so that the client cannot know whether it was done; or that falls silent.
 */
import { connect, createServer, type Socket } from 'node:net'
import type { ServerConfig } from './servers.ts'

/** `asked`: the server never hears of the COMMIT. `answered`: it does it, and its answer is lost. */
export type Breaks = 'never' | 'asked' | 'answered'

export class BreakingWay implements AsyncDisposable {
  /** What happens to the next COMMIT; it is `never` again afterwards. */
  breaks: Breaks = 'never'
  /** How many pieces of the server's come through on a connection that is yet to be made. */
  pieces = Number.POSITIVE_INFINITY
  /** How many pieces of the client's still come through; the next one ends its connection, and all are let through again. */
  asks = Number.POSITIVE_INFINITY
  readonly config: ServerConfig
  readonly #server
  readonly #sockets = new Set<Socket>()
  readonly #silent = new Set<Socket>()

  private constructor(target: ServerConfig, server: ReturnType<typeof createServer>) {
    this.#server = server
    const address = server.address() as { port: number }
    this.config = { ...target, host: '127.0.0.1', port: address.port }
    server.on('connection', (near) => this.#join(near, connect(target.port, target.host)))
  }

  static async to(target: ServerConfig): Promise<BreakingWay> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new BreakingWay(target, server)
  }

  #join(near: Socket, far: Socket): void {
    let committing = false
    let pieces = this.pieces
    const part = () => {
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) {
      this.#sockets.add(socket)
      socket.on('error', part)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        part()
      })
    }
    near.on('data', (bytes) => {
      if (this.asks-- <= 0) {
        this.asks = Number.POSITIVE_INFINITY
        return part()
      }
      if (bytes.includes('COMMIT')) {
        committing = this.breaks === 'answered'
        const never = this.breaks === 'asked'
        if (never || committing) this.breaks = 'never'
        if (never) return part()
      }
      far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (committing) part()
      else if (pieces-- > 0 && !this.#silent.has(far)) near.write(bytes)
    })
  }

  /** From now on no answer comes through on the connections that there are. */
  fallSilent(): void {
    for (const socket of this.#sockets) this.#silent.add(socket)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
