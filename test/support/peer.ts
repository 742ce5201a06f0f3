/** A BitTorrent client as far as a tracker sees it, over UDP (BEP 15), on a socket of its own. */
import { udpClient } from './started-tracker.ts'

/** An info hash of one repeated byte. */
export const hashOf = (byte: number): Uint8Array => new Uint8Array(20).fill(byte)

export const EVENT = { none: 0, completed: 1, started: 2, stopped: 3 } as const

export type Swarm = { leechers: number; seeders: number; peers: string[] }
export type Scraped = { seeders: number; downloaded: number; leechers: number }

/** A minute in all. A loaded machine is late before it loses anything: what is late is not asked for twice. */
const [ATTEMPTS, FIRST_MILLISECONDS] = [5, 2_000]
const ACTION = { connect: 0, announce: 1, scrape: 2, error: 3 }

export type UdpPeer = Awaited<ReturnType<typeof udpPeer>>

/** `from` is the address it sends from. Every question rejects when no answer comes. */
export async function udpPeer(port: number, hostname = '127.0.0.1', from?: string) {
  const client = await udpClient(port, hostname, from)
  let transaction = 0
  let connection: Uint8Array | undefined

  const ask = async (id: Uint8Array, action: number, body: Uint8Array): Promise<DataView> => {
    const packet = new Uint8Array(16 + body.length)
    const view = new DataView(packet.buffer)
    packet.set(id)
    view.setUint32(8, action)
    view.setUint32(12, ++transaction)
    packet.set(body, 16)
    // A loaded kernel may lose a datagram, and its answer: clients ask again, and so does this one.
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      client.send(packet)
      const answer = await client.receive(FIRST_MILLISECONDS << attempt).catch(() => undefined)
      if (answer === undefined) continue
      const read = new DataView(answer.buffer, answer.byteOffset, answer.length)
      if (read.getUint32(4) !== transaction) continue
      if (read.getUint32(0) !== action)
        throw new Error(Buffer.from(answer.subarray(8)).toString('latin1'))
      return read
    }
    throw new Error(`no answer from udp ${hostname}:${port}`)
  }

  const connect = async (): Promise<Uint8Array> => {
    const magic = Uint8Array.of(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80)
    const answer = await ask(magic, ACTION.connect, new Uint8Array())
    connection = new Uint8Array(answer.buffer, answer.byteOffset + 8, 8)
    return connection
  }

  return {
    connect,
    /**
     * Announces as the address it sends from; `port` is where it says that it can be reached. `options`
     * are those of BEP 41, as bytes.
     */
    async announce(
      infoHash: Uint8Array,
      { left = 0, event = 0, port = 0, want = -1, options = [] }: Partial<typeof QUIET> = {},
    ): Promise<Swarm> {
      const body = new Uint8Array(82 + options.length)
      const view = new DataView(body.buffer)
      body.set(options, 82)
      body.set(infoHash)
      body.set(Buffer.from('-TT0001-abcdefghijkl'), 20)
      view.setBigUint64(48, BigInt(left))
      view.setUint32(64, event)
      view.setInt32(76, want)
      view.setUint16(80, port || client.socket.port)
      const answer = await ask(connection ?? (await connect()), ACTION.announce, body)
      const peers: string[] = []
      const width = hostname.includes(':') ? 18 : 6
      for (let at = 20; at < answer.byteLength; at += width)
        peers.push(Buffer.from(answer.buffer, answer.byteOffset + at, width).toString('hex'))
      return { leechers: answer.getUint32(12), seeders: answer.getUint32(16), peers }
    },
    async scrape(infoHash: Uint8Array): Promise<Scraped> {
      const answer = await ask(connection ?? (await connect()), ACTION.scrape, infoHash)
      return {
        seeders: answer.getUint32(8),
        downloaded: answer.getUint32(12),
        leechers: answer.getUint32(16),
      }
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  }
}

const QUIET = { left: 0, event: 0 as number, port: 0, want: -1, options: [] as readonly number[] }
