/** A WebTorrent tracker whose test decides what is said to each message. */
export type Said = Record<string, unknown>
export type Behave = (message: Said, socket: Bun.ServerWebSocket<undefined>) => void

export function fakeWebSocketTracker(
  behave: Behave,
  { hostname = '127.0.0.1', tls }: { hostname?: string; tls?: { cert: string; key: string } } = {},
) {
  const messages: Said[] = []
  const requests: { path: string; host: string | null }[] = []
  let open = 0
  const server = Bun.serve({
    hostname,
    port: 0,
    ...(tls && { tls }),
    fetch(request, own) {
      const { pathname, search } = new URL(request.url)
      requests.push({ path: pathname + search, host: request.headers.get('host') })
      return own.upgrade(request) ? undefined : new Response('no', { status: 426 })
    },
    websocket: {
      open: () => void open++,
      close: () => void open--,
      message(socket, text) {
        const message = JSON.parse(String(text))
        messages.push(message)
        behave(message, socket)
      },
    },
  })
  return {
    port: server.port!,
    messages,
    requests,
    open: () => open,
    [Symbol.dispose]: () => void server.stop(true),
  }
}

/** Says what a good tracker says. */
export const answering: Behave = (message, socket) => {
  const hashes = [message.info_hash].flat().map(String)
  const files = Object.fromEntries(
    hashes.map((hash, i) => [hash, { complete: i + 1, incomplete: 2, downloaded: 3 }]),
  )
  const { action, info_hash } = message
  socket.send(
    JSON.stringify(
      action === 'scrape'
        ? { action, files }
        : { action, info_hash, interval: 120, complete: 1, incomplete: 2 },
    ),
  )
}
