/** A UDP client of the tests: builds the requests of BEP 15 by hand and reads the answers. */
import { udpClient } from './started-tracker.ts'

export const hash = (fill: number): Uint8Array => new Uint8Array(20).fill(fill)

export function connectPacket(transaction = 123): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setBigUint64(0, 0x0000_0417_2710_1980n)
  view.setUint32(12, transaction)
  return new Uint8Array(view.buffer)
}

export type AnnounceFields = {
  infoHash?: Uint8Array
  peerId?: Uint8Array
  left?: bigint
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
  view.setUint32(8, 1)
  view.setUint32(12, fields.transaction ?? 7)
  bytes.set(fields.infoHash ?? hash(1), 16)
  bytes.set(fields.peerId ?? hash(0x50), 36)
  view.setBigUint64(64, fields.left ?? 0n)
  view.setUint32(80, fields.event ?? 2)
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
  view.setUint32(8, 2)
  view.setUint32(12, transaction)
  const bytes = new Uint8Array(view.buffer)
  for (const [i, infoHash] of hashes.entries()) bytes.set(infoHash, 16 + i * 20)
  return bytes
}

export const actionOf = (answer: Uint8Array): number => viewOf(answer).getUint32(0)
export const transactionOf = (answer: Uint8Array): number => viewOf(answer).getUint32(4)
export const messageOf = (answer: Uint8Array): string => Buffer.from(answer.subarray(8)).toString()
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** An announce's answer; peers as hex of their compact form. */
export function readAnnounce(answer: Uint8Array, endpointBytes: 6 | 18 = 6) {
  const view = viewOf(answer)
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

export function readScrape(answer: Uint8Array): [number, number, number][] {
  const view = viewOf(answer)
  const entries: [number, number, number][] = []
  for (let at = 8; at < answer.length; at += 12)
    entries.push([view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8)])
  return entries
}

/** A client that has a connection id. */
export async function connected(port: number, hostname = '127.0.0.1', bind?: string) {
  const client = await udpClient(port, hostname, bind)
  client.send(connectPacket())
  const id = viewOf(await client.receive()).getBigUint64(8)
  const ask = async (packet: Uint8Array) => {
    client.send(packet)
    return client.receive()
  }
  return {
    ...client,
    id,
    ask,
    announce: async (fields: AnnounceFields = {}, endpointBytes: 6 | 18 = 6) =>
      readAnnounce(await ask(announcePacket(id, fields)), endpointBytes),
    scrape: async (...hashes: Uint8Array[]) => readScrape(await ask(scrapePacket(id, hashes))),
    [Symbol.dispose]: () => client.socket.close(),
  }
}
