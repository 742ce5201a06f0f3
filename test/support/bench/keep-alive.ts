/** An HTTP server that keeps its connections and hands every request to a test. */

export type Exchange = {
  /** Requests on this connection before this one. */
  readonly before: number
  readonly request: string
  write(text: string | Uint8Array): void
  close(): void
}

export async function keepAliveServer(
  behave: (exchange: Exchange) => void,
  {
    tls,
    hostname = '127.0.0.1',
    greet,
  }: {
    tls?: { cert: string; key: string }
    hostname?: string
    /** Called for each connection. */
    greet?: (socket: { write(text: string): unknown; end(): unknown }) => void
  } = {},
) {
  let requests = 0
  let connections = 0
  const server = Bun.listen<{ before: number }>({
    hostname,
    port: 0,
    ...(tls && { tls: { cert: Bun.file(tls.cert), key: Bun.file(tls.key) } }),
    socket: {
      open(socket) {
        connections++
        socket.data = { before: 0 }
        greet?.(socket)
      },
      // Requests are short and come one at a time, so each arrives in one piece.
      data(socket, bytes) {
        requests++
        const { before } = socket.data
        socket.data.before++
        behave({
          before,
          request: bytes.toString('latin1'),
          write: (text) => void socket.write(text),
          close: () => void socket.end(),
        })
      },
      error() {},
    },
  })
  return {
    port: server.port,
    requests: () => requests,
    connections: () => connections,
    [Symbol.dispose]: () => server.stop(true),
  }
}
