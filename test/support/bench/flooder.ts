/**
 * A program: a UDP tracker that answers well, and also floods the last client with unsolicited datagrams, faster than
 * they can be read. Prints its port; ends with its standard input.
 */
import { actionOf, answerTo } from '../client/fake-udp.ts'

const BATCH = 64
/** Batches between two reads of requests. */
const BATCHES = 100

let flood: (Uint8Array | number | string)[] | undefined

const socket = await Bun.udpSocket({
  hostname: '127.0.0.1',
  socket: {
    data(socket, packet, port, address) {
      const request = new DataView(packet.buffer, packet.byteOffset, packet.length)
      const words = actionOf(request) === 0 ? [7, 8] : [120, 1, 1]
      socket.send(answerTo(request, actionOf(request), ...words), port, address)
      const noise = new Uint8Array(1)
      flood = Array.from({ length: BATCH }, () => [noise, port, address]).flat()
    },
    error() {},
  },
})
console.log(socket.port)
const timer = setInterval(() => {
  for (let i = 0; flood && i < BATCHES; i++)
    try {
      socket.sendMany(flood)
    } catch {
      // The kernel reports clients that have closed their socket.
    }
}, 0)
for await (const _ of Bun.stdin.stream());
clearInterval(timer)
socket.close()
