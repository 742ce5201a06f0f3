/**
 * The tests' UDP client (BEP 15, 41), in three layers: a socket, the packets, and peers that use both. It knows
 * nothing of `src/wire` and builds every packet by hand, so that it does not share a mistake with the code it tests.
 */
import { PATIENCE_MILLISECONDS } from './until.ts'

/** An info hash, or a peer id, of one repeated byte. */
export const hashOf = (byte: number): Uint8Array => new Uint8Array(20).fill(byte)

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

export type UdpSocket = Awaited<ReturnType<typeof udpSocket>>

/** A client's socket: sends, and hands out what comes back in order. It sends from `bind` if given. */
export async function udpSocket(port: number, hostname = '127.0.0.1', bind?: string) {
  const received: Uint8Array[] = []
  const waiting: ((packet: Uint8Array) => void)[] = []
  const socket = await Bun.udpSocket({
    hostname: bind ?? (hostname.includes(':') ? '::1' : '127.0.0.1'),
    connect: { hostname, port },
    socket: {
      data(_socket, packet) {
        const copy = new Uint8Array(packet)
        const next = waiting.shift()
        if (next) next(copy)
        else received.push(copy)
      },
      error() {},
    },
  })
  const send = (packet: Uint8Array): boolean => socket.send(packet)
  /** Rejects when nothing comes for `patience` milliseconds. */
  const receive = (patience = PATIENCE_MILLISECONDS): Promise<Uint8Array> => {
    const here = received.shift()
    if (here) return Promise.resolve(here)
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    const take = (packet: Uint8Array) => {
      clearTimeout(timer)
      resolve(packet)
    }
    // A call that gave up must not take the packet of the next call.
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(take), 1)
      reject(new Error('no answer'))
    }, patience)
    waiting.push(take)
    return promise
  }
  /** Sends one datagram, once, and waits for one. */
  const ask = (packet: Uint8Array): Promise<Uint8Array> => {
    send(packet)
    return receive()
  }
  return {
    socket,
    send,
    receive,
    ask,
    /** A fresh connection id. */
    connect: async (): Promise<bigint> => connectionIdOf(await ask(connectPacket())),
    /** Everything received that no call has taken. */
    unread: () => received.splice(0),
    [Symbol.dispose]: () => socket.close(),
  }
}

export const ACTION = { connect: 0, announce: 1, scrape: 2, error: 3 } as const
export const EVENT = { none: 0, completed: 1, started: 2, stopped: 3 } as const

export function connectPacket(transaction = 123): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setBigUint64(0, 0x0000_0417_2710_1980n)
  view.setUint32(12, transaction)
  return new Uint8Array(view.buffer)
}

export type AnnounceFields = {
  infoHash?: Uint8Array
  peerId?: Uint8Array
  left?: number | bigint
  uploaded?: number | bigint
  downloaded?: number | bigint
  event?: number
  ip?: number
  want?: number
  port?: number
  transaction?: number
  /** Bytes behind the announce (BEP 41). */
  options?: readonly number[]
}

/** The options of a client whose announce URL has that path. */
export const urlData = (path: string): number[] => [2, path.length, ...Buffer.from(path, 'latin1')]

export function announcePacket(id: bigint, fields: AnnounceFields = {}): Uint8Array {
  const { options = [] } = fields
  const view = new DataView(new ArrayBuffer(98 + options.length))
  const bytes = new Uint8Array(view.buffer)
  bytes.set(options, 98)
  view.setBigUint64(0, id)
  view.setUint32(8, ACTION.announce)
  view.setUint32(12, fields.transaction ?? 7)
  bytes.set(fields.infoHash ?? hashOf(1), 16)
  bytes.set(fields.peerId ?? hashOf(0x50), 36)
  view.setBigUint64(56, BigInt(fields.downloaded ?? 0))
  view.setBigUint64(64, BigInt(fields.left ?? 0))
  view.setBigUint64(72, BigInt(fields.uploaded ?? 0))
  view.setUint32(80, fields.event ?? EVENT.started)
  view.setUint32(84, fields.ip ?? 0)
  view.setInt32(92, fields.want ?? -1)
  view.setUint16(96, fields.port ?? 6881)
  return bytes
}

export function scrapePacket(
  id: bigint,
  hashes: readonly Uint8Array[],
  transaction = 9,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(16 + hashes.length * 20))
  view.setBigUint64(0, id)
  view.setUint32(8, ACTION.scrape)
  view.setUint32(12, transaction)
  const bytes = new Uint8Array(view.buffer)
  for (const [i, infoHash] of hashes.entries()) bytes.set(infoHash, 16 + i * 20)
  return bytes
}

export const actionOf = (answer: Uint8Array): number => viewOf(answer).getUint32(0)
export const transactionOf = (answer: Uint8Array): number => viewOf(answer).getUint32(4)
export const connectionIdOf = (answer: Uint8Array): bigint => viewOf(answer).getBigUint64(8)
export const messageOf = (answer: Uint8Array): string => Buffer.from(answer.subarray(8)).toString()

/** The answer to an announce; peers as hex of their compact form, which `hostname`'s family decides. */
export function readAnnounce(answer: Uint8Array, hostname = '127.0.0.1') {
  const view = viewOf(answer)
  const endpointBytes = hostname.includes(':') ? 18 : 6
  const peers: string[] = []
  for (let at = 20; at < answer.length; at += endpointBytes)
    peers.push(Buffer.from(answer.subarray(at, at + endpointBytes)).toString('hex'))
  return {
    action: view.getUint32(0),
    interval: view.getUint32(8),
    leechers: view.getUint32(12),
    seeders: view.getUint32(16),
    peers,
  }
}

/** Seeders, completions and leechers of each torrent. */
export function readScrape(answer: Uint8Array): [number, number, number][] {
  const view = viewOf(answer)
  const entries: [number, number, number][] = []
  for (let at = 8; at < answer.length; at += 12)
    entries.push([view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8)])
  return entries
}

/** A peer with a connection id that sends each question once, so that datagrams can be counted. */
export async function connected(port: number, hostname = '127.0.0.1', bind?: string) {
  const client = await udpSocket(port, hostname, bind)
  const { ask } = client
  const id = await client.connect()
  return {
    ...client,
    id,
    announce: async (fields: AnnounceFields = {}) =>
      readAnnounce(await ask(announcePacket(id, fields)), hostname),
    scrape: async (...hashes: Uint8Array[]) => readScrape(await ask(scrapePacket(id, hashes))),
  }
}

/** A minute in all. A busy machine delays an answer before it loses one, so each wait is long. */
const [ATTEMPTS, FIRST_MILLISECONDS] = [5, 2_000]

export type UdpPeer = Awaited<ReturnType<typeof udpPeer>>
export type Scraped = { seeders: number; downloaded: number; leechers: number }

/**
 * A peer that behaves as a BitTorrent client does: it connects when it must, repeats a question that is not answered,
 * and rejects on errors. `from` is the address it sends from.
 */
export async function udpPeer(port: number, hostname = '127.0.0.1', from?: string) {
  const client = await udpSocket(port, hostname, from)
  let transaction = 0
  let connection: bigint | undefined

  const ask = async (
    action: number,
    packetOf: (transaction: number) => Uint8Array,
  ): Promise<Uint8Array> => {
    const packet = packetOf(++transaction)
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      client.send(packet)
      const answer = await client.receive(FIRST_MILLISECONDS << attempt).catch(() => undefined)
      if (answer === undefined || transactionOf(answer) !== transaction) continue
      if (actionOf(answer) !== action) throw new Error(messageOf(answer))
      return answer
    }
    throw new Error(`no answer from udp ${hostname}:${port}`)
  }

  const connect = async (): Promise<bigint> => {
    connection = connectionIdOf(await ask(ACTION.connect, connectPacket))
    return connection
  }

  return {
    connect,
    /** Announces as the address it sends from; `port` is where it says that it can be reached. */
    async announce(
      infoHash: Uint8Array,
      fields: Omit<AnnounceFields, 'infoHash' | 'ip' | 'transaction'> = {},
    ): Promise<{ leechers: number; seeders: number; peers: string[] }> {
      const id = connection ?? (await connect())
      const self = { port: client.socket.port, event: EVENT.none, peerId: PEER_ID, infoHash }
      const answer = await ask(ACTION.announce, (transaction) =>
        announcePacket(id, { ...self, ...fields, transaction }),
      )
      const { leechers, seeders, peers } = readAnnounce(answer, hostname)
      return { leechers, seeders, peers }
    },
    async scrape(infoHash: Uint8Array): Promise<Scraped> {
      const id = connection ?? (await connect())
      const answer = await ask(ACTION.scrape, (transaction) =>
        scrapePacket(id, [infoHash], transaction),
      )
      const [seeders, downloaded, leechers] = readScrape(answer)[0]!
      return { seeders, downloaded, leechers }
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  }
}

const PEER_ID = Buffer.from('-TT0001-abcdefghijkl')
