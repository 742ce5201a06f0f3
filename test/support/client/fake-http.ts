/** An HTTP server that sends the bytes of a test, and records its requests. */
export type Sender = { write(text: string | Uint8Array): unknown; end(): unknown }

/** `behave` is called once for each connection, with the first bytes that came. */
export async function fakeHttpServer(
  behave: (request: string, socket: Sender) => void,
  { hostname = '127.0.0.1', tls }: { hostname?: string; tls?: { cert: string; key: string } } = {},
) {
  const requests: string[] = []
  const open = new Set<Bun.Socket<{ asked: boolean }>>()
  const server = Bun.listen<{ asked: boolean }>({
    hostname,
    port: 0,
    ...(tls && { tls }),
    socket: {
      open(socket) {
        socket.data = { asked: false }
        open.add(socket)
      },
      data(socket, bytes) {
        if (socket.data.asked) return
        socket.data.asked = true
        const request = bytes.toString('latin1')
        requests.push(request)
        behave(request, socket)
      },
      close: (socket) => void open.delete(socket),
      error() {},
    },
  })
  return {
    port: server.port,
    requests,
    /** Connections that the client has not closed. */
    open: () => open.size,
    [Symbol.dispose]: () => server.stop(true),
  }
}

/** A whole answer. */
export const respond = (body: string, status = '200 OK', head = ''): string =>
  `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body, 'latin1')}\r\n${head}\r\n${body}`
