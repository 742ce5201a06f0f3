/** Asks a server that is starting until it answers. */
import type { Transport } from './contenders.ts'

const READY_MS = 30_000
const PATIENCE_MS = 200
/** The start is known no better than this. */
const ASK_EVERY_MS = 5

/** Whether there was an answer before the time was up or `gone` said that there will be none. */
export async function isReady(
  transport: Transport,
  port: number,
  gone: () => boolean,
): Promise<boolean> {
  const ask = transport === 'udp' ? askUdp : askHttp
  const deadline = performance.now() + READY_MS
  while (performance.now() < deadline && !gone()) {
    if (await ask(port)) return true
    await Bun.sleep(ASK_EVERY_MS)
  }
  return false
}

const CONNECT_REQUEST = Uint8Array.of(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4)

async function askUdp(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = await Bun.udpSocket({
    connect: { hostname: '127.0.0.1', port },
    socket: { data: () => resolve(true), error: () => resolve(false) },
  })
  const patience = setTimeout(() => resolve(false), PATIENCE_MS)
  try {
    socket.send(CONNECT_REQUEST)
    return await promise
  } catch {
    return false
  } finally {
    clearTimeout(patience)
    socket.close()
  }
}

/** The kernel takes connections before the server does: what counts is that somebody reacts. */
async function askHttp(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const patience = setTimeout(() => resolve(false), PATIENCE_MS)
  try {
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: { data: () => resolve(true), close: () => resolve(true) },
    })
    socket.write('GET /announce HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')
    const answered = await promise
    socket.terminate()
    return answered
  } catch {
    return false
  } finally {
    clearTimeout(patience)
  }
}
