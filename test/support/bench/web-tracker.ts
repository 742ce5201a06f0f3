/** A WebTorrent tracker that relays offers and answers between its sockets, and tells what it saw. */
import type { ServerWebSocket } from 'bun'

export type WebMessage = {
  readonly action: string
  readonly info_hash: string
  readonly peer_id: string
  readonly to_peer_id?: string
  readonly offer_id?: string
  readonly event?: string
  readonly left?: number
  readonly offers?: readonly { readonly offer: { sdp: string }; readonly offer_id: string }[]
  readonly answer?: { readonly type: string; readonly sdp: string }
}

type Settings = {
  tls?: { cert: string; key: string }
  /** Takes the place of what a good tracker does with an announce or a scrape. */
  behave?: (message: WebMessage, socket: ServerWebSocket<number>) => void
  /** Some trackers treat an answer as an announce. */
  answersAnswers?: boolean
  /** Status instead of the upgrade. */
  refuse?: number
}

export function webTracker({ tls, behave, answersAnswers, refuse }: Settings = {}) {
  const seen: WebMessage[] = []
  /** Text of what came in binary frames, of which there should be none. */
  const binary: string[] = []
  const sockets = new Map<string, ServerWebSocket<number>>()
  const paths = new Set<string>()
  let relayed = 0
  const announced = ({ info_hash }: WebMessage) =>
    JSON.stringify({ action: 'announce', interval: 120, info_hash, complete: 1, incomplete: 1 })
  const relay = (to: ServerWebSocket<number> | undefined, message: object) => {
    if (to?.send(JSON.stringify({ action: 'announce', ...message }))) relayed++
  }
  const good = (message: WebMessage, socket: ServerWebSocket<number>) => {
    const { action, info_hash, peer_id, offers = [] } = message
    if (action === 'scrape') {
      const files = { [info_hash]: { complete: 1, incomplete: 1, downloaded: 1 } }
      return void socket.send(JSON.stringify({ action, files }))
    }
    socket.send(announced(message))
    const others = [...sockets.values()].filter((other) => other !== socket)
    for (const [i, offer] of offers.entries())
      relay(others[i], { offer: offer.offer, offer_id: offer.offer_id, peer_id, info_hash })
  }
  const server = Bun.serve<number>({
    hostname: '127.0.0.1',
    port: 0,
    ...(tls && { tls: { cert: Bun.file(tls.cert), key: Bun.file(tls.key) } }),
    fetch: (request, own) => {
      paths.add(new URL(request.url).pathname)
      if (refuse !== undefined) return new Response('', { status: refuse })
      return own.upgrade(request, { data: 0 }) ? undefined : new Response('', { status: 426 })
    },
    websocket: {
      message(socket, text) {
        if (typeof text !== 'string') binary.push(text.toString())
        const message: WebMessage = JSON.parse(text.toString())
        seen.push(message)
        const { answer, to_peer_id, offer_id, peer_id, info_hash } = message
        if (peer_id !== undefined) sockets.set(peer_id, socket)
        if (answer) {
          relay(sockets.get(to_peer_id!), { answer, offer_id, peer_id, info_hash })
          if (answersAnswers) socket.send(announced(message))
        } else (behave ?? good)(message, socket)
      },
      close(socket) {
        for (const [id, other] of sockets) if (other === socket) sockets.delete(id)
      },
    },
  })
  return {
    port: server.port!,
    seen,
    binary,
    paths,
    relayed: () => relayed,
    announces: () => seen.filter(({ action, answer }) => action === 'announce' && !answer),
    [Symbol.dispose]: () => void server.stop(true),
  }
}
