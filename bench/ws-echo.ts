/**
 * The limit of a WebTorrent tracker on Bun's WebSockets: constant messages of the usual size and number, without a look at what
 * is asked but for the info hash of an announce, by which a client knows its answer. Ends by itself, so that a benchmark that was killed leaves
 * none behind. Usage: bun ws-echo.ts port seconds [certificate key]
 */
import type { ServerWebSocket } from 'bun'

const [port, seconds, cert, key] = process.argv.slice(2) as [string, string, string?, string?]

const HASH = '"info_hash":"'
const SCRAPED = JSON.stringify({ action: 'scrape', files: {} })
/** As long as what trackers relay of the offers and answers of the load. */
const [OFFER, ANSWER] = (['offer', 'answer'] as const).map((type) =>
  JSON.stringify({
    action: 'announce',
    [type]: { type, sdp: `v=0\r\n${'s'.repeat(950)}` },
    offer_id: 'o'.repeat(20),
    peer_id: 'p'.repeat(20),
    info_hash: 'h'.repeat(20),
  }),
) as [string, string]

const sockets: ServerWebSocket<number>[] = []
let next = 0

function relay(message: string): void {
  next = (next + 1) % sockets.length
  sockets[next]!.send(message)
}

Bun.serve<number>({
  hostname: '127.0.0.1',
  port: Number(port),
  ...(cert && key && { tls: { cert: Bun.file(cert), key: Bun.file(key) } }),
  fetch: (request, server) =>
    server.upgrade(request, { data: 0 }) ? undefined : new Response('', { status: 426 }),
  websocket: {
    open(socket) {
      socket.data = sockets.push(socket) - 1
    },
    close({ data: place }) {
      const last = sockets.pop()!
      if (place === sockets.length) return
      sockets[place] = last
      last.data = place
    },
    message(socket, message) {
      const text = String(message)
      if (text.includes('"to_peer_id"')) return relay(ANSWER)
      if (text.startsWith('{"action":"scrape"')) return void socket.send(SCRAPED)
      const from = text.indexOf(HASH) + HASH.length
      const hash = text.slice(from, text.indexOf('","', from))
      socket.send(
        `{"action":"announce","interval":120,"info_hash":"${hash}","complete":15,"incomplete":5}`,
      )
      for (let at = text.indexOf('{"offer"'); at >= 0; at = text.indexOf('{"offer"', at + 1))
        relay(OFFER)
    },
  },
})
setTimeout(() => process.exit(), Number(seconds) * 1000)
