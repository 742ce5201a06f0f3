/**
 * The limit of `Bun.udpSocket`: the constant answers of `udp-echo.c`, sent by the tracker's own outbox with its socket
 * options. The gap between the echo in C and this one is Bun's, the gap between this one and the tracker is ours.
 */

import { BunSocket } from '../src/servers/bun-socket.ts'
import { Datagrams, SLOT_BYTES } from '../src/servers/datagrams.ts'
import { Outbox } from '../src/servers/outbox.ts'
import { tuneUdpSocket } from '../src/servers/socket-options.ts'
import { systemClock } from '../src/time/clock.ts'

const port = Number(process.argv[2])
const peerBytes = Number(process.argv[3]) * 6
const LENGTHS = [16, 20 + peerBytes, 20] as const
const ignored = () => {}
const datagrams = new Datagrams()
const outbox = new Outbox({ unsent: ignored, socketError: ignored })
outbox.resize(2048)

const socket = await Bun.udpSocket({
  hostname: '127.0.0.1',
  port,
  socket: {
    data: (_socket, packet, sender, address) => reader.receive(packet, sender, address),
    error: ignored,
  },
})
const reader = new BunSocket(systemClock, datagrams, outbox, socket, {
  serve(count) {
    for (let i = 0; i < count; i++) {
      const from = i * SLOT_BYTES
      const at = outbox.begin()
      const action = datagrams.bytes[from + 11]!
      outbox.bytes[at + 3] = action
      for (let i = 4; i < 8; i++) outbox.bytes[at + i] = datagrams.bytes[from + 8 + i]!
      outbox.push(LENGTHS[action] ?? 16, i)
    }
    outbox.flush()
  },
  aborted: ignored,
})
outbox.attach(reader)
tuneUdpSocket((socket as unknown as { fd: number }).fd, 8 * 1024 * 1024)
