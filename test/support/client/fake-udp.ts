/** A UDP tracker whose test decides what happens with each datagram. */
export type Behaviour = (request: DataView, answer: (bytes: Uint8Array) => void) => void

export async function fakeUdpTracker(hostname: string, behave: Behaviour) {
  let received = 0
  const socket = await Bun.udpSocket({
    hostname,
    socket: {
      data(socket, packet, port, address) {
        received++
        const request = new DataView(packet.buffer, packet.byteOffset, packet.length)
        behave(request, (bytes) => void socket.send(bytes, port, address))
      },
      error() {},
    },
  })
  return {
    port: socket.port,
    received: () => received,
    [Symbol.dispose]: () => socket.close(),
  }
}

/** The head of an answer to `request`, then words. */
export function answerTo(request: DataView, action: number, ...words: number[]): Uint8Array {
  const bytes = new Uint8Array(8 + words.length * 4)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, action)
  view.setInt32(4, request.getInt32(12))
  for (const [i, word] of words.entries()) view.setInt32(8 + i * 4, word)
  return bytes
}

export const actionOf = (request: DataView): number => request.getInt32(8)
