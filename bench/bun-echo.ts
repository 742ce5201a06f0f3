/**
 * What `Bun.udpSocket` can do at best: answers as `udp-echo.c` does, sent in batches by the tracker's own
 * outbox, with the tracker's socket options and nothing to think about. The gap from the echo in C to this
 * one is Bun's, the gap from this one to the tracker is ours.
 */
import { Outbox } from '../src/servers/outbox.ts'
import { tuneUdpSockets } from '../src/servers/socket-options.ts'

const port = Number(process.argv[2])
const peerBytes = Number(process.argv[3]) * 6
const LENGTHS = [16, 20 + peerBytes, 20] as const
const unsent = () => {}
const outbox = new Outbox(2048, { unsent, socketError: unsent })
let queued = false
const flush = () => {
  queued = false
  outbox.flush()
}

const socket = await Bun.udpSocket({
  hostname: '127.0.0.1',
  port,
  socket: {
    data(_socket, packet, sender, address) {
      const at = outbox.begin()
      const action = packet[11]!
      outbox.bytes[at + 3] = action
      for (let i = 4; i < 8; i++) outbox.bytes[at + i] = packet[8 + i]!
      outbox.push(LENGTHS[action] ?? 16, sender, address)
      if (!queued) setImmediate(flush)
      queued = true
    },
    error: unsent,
  },
})
outbox.attach(socket)
tuneUdpSockets([(socket as unknown as { fd: number }).fd], 8 * 1024 * 1024)
