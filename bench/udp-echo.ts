/**
 * The limit of a UDP tracker on this machine: constant answers of the right shape, read and sent by the tracker's own
 * socket code in batches, without any other work. Ends by itself, so that a benchmark that was killed leaves none
 * behind. Usage: bun udp-echo.ts port peers-per-answer seconds
 */
import { ListenerCounters } from '../src/memory/counters.ts'
import { Datagrams, SLOT_BYTES } from '../src/servers/datagrams.ts'
import { DirectSocket } from '../src/servers/direct-socket.ts'
import { libc } from '../src/servers/libc.ts'
import { Outbox } from '../src/servers/outbox.ts'
import { tuneUdpSocket } from '../src/servers/socket-options.ts'

const [port, peers, seconds] = process.argv.slice(2).map(Number) as [number, number, number]
/** Bytes of an answer by action: connect, announce, scrape of one torrent. */
const LENGTHS = [16, 20 + peers * 6, 20] as const
const POLLIN = 1

const system = libc()
if (!system) throw new Error('the system has no recvmmsg')
const socket = await Bun.udpSocket({ hostname: '127.0.0.1', port })
const { fd } = socket as unknown as { fd: number }
tuneUdpSocket(fd, 8 * 1024 * 1024)
const datagrams = new Datagrams()
const outbox = new Outbox(new ListenerCounters(1).row(0))
outbox.resize(2048)
const direct = new DirectSocket(system, { standIn: -1, socket: fd }, datagrams, outbox)
outbox.attach(direct)

// Bun has no turn any more, so it does not read the socket.
const polled = Int32Array.of(fd, POLLIN)
for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
  const count = direct.receive()
  if (count <= 0) system.poll(polled, 1, 1000)
  for (let i = 0; i < count; i++) {
    const from = i * SLOT_BYTES
    const at = outbox.begin()
    const action = datagrams.bytes[from + 11]!
    outbox.bytes[at + 3] = action
    for (let byte = 4; byte < 8; byte++) outbox.bytes[at + byte] = datagrams.bytes[from + 8 + byte]!
    outbox.push(LENGTHS[action] ?? LENGTHS[0], i)
  }
  outbox.flush()
}
process.exit()
