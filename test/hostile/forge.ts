/**
 * Datagrams that say they come from wherever one likes: IPv4, by a raw socket, which only root on Linux may
 * have. Where it is not to be had there is no forger.
 */
import { dlopen, FFIType, ptr } from 'bun:ffi'

export type Place = { readonly ip: string; readonly port: number }
export type Forger = Disposable & { send(from: Place, to: Place, payload: Uint8Array): void }

const [AF_INET, SOCK_RAW, IPPROTO_RAW, IPPROTO_UDP] = [2, 3, 255, 17]
const [IP_BYTES, UDP_BYTES] = [20, 8]
const { i32, u32, u64, ptr: pointer } = FFIType

export function forger(): Forger | undefined {
  if (process.platform !== 'linux') return undefined
  const { symbols } = dlopen('libc.so.6', {
    socket: { args: [i32, i32, i32], returns: i32 },
    sendto: { args: [i32, pointer, u64, i32, pointer, u32], returns: i32 },
    close: { args: [i32], returns: i32 },
  })
  const descriptor = symbols.socket(AF_INET, SOCK_RAW, IPPROTO_RAW)
  if (descriptor < 0) return undefined
  return {
    send(from, to, payload) {
      const packet = packetOf(from, to, payload)
      const address = Uint8Array.of(AF_INET, 0, 0, 0, ...octets(to.ip), ...new Uint8Array(8))
      symbols.sendto(descriptor, ptr(packet), packet.length, 0, ptr(address), address.length)
    },
    [Symbol.dispose]: () => void symbols.close(descriptor),
  }
}

const octets = (ip: string): number[] => ip.split('.').map(Number)

/** The kernel fills in what is 0 in the IP header; a UDP checksum of 0 is none. */
function packetOf(from: Place, to: Place, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(IP_BYTES + UDP_BYTES + payload.length)
  const view = new DataView(packet.buffer)
  packet.set([0x45, 0], 0)
  view.setUint16(2, packet.length)
  packet.set([64, IPPROTO_UDP], 8)
  packet.set([...octets(from.ip), ...octets(to.ip)], 12)
  view.setUint16(20, from.port)
  view.setUint16(22, to.port)
  view.setUint16(24, UDP_BYTES + payload.length)
  packet.set(payload, IP_BYTES + UDP_BYTES)
  return packet
}
