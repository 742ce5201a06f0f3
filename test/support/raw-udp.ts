/** Forged datagrams: from any source port of any address of this machine. Needs root. */
import { dlopen, FFIType } from 'bun:ffi'
import { parseIp } from '../../src/wire/address.ts'

export const CAN_FORGE = process.platform === 'linux' && process.getuid?.() === 0

const { i32, u32, u64, ptr } = FFIType
const open = () =>
  dlopen('libc.so.6', {
    socket: { args: [i32, i32, i32], returns: i32 },
    setsockopt: { args: [i32, i32, i32, ptr, u32], returns: i32 },
    bind: { args: [i32, ptr, u32], returns: i32 },
    connect: { args: [i32, ptr, u32], returns: i32 },
    send: { args: [i32, ptr, u64, i32], returns: i32 },
    close: { args: [i32], returns: i32 },
  }).symbols
let opened: ReturnType<typeof open> | undefined

const AF = { 4: 2, 6: 10 } as const
const SOCK_RAW = 3
const IPPROTO_UDP = 17
const IPPROTO_IPV6 = 41
const IPV6_CHECKSUM = 7
const UDP_HEADER_BYTES = 8

/** `sockaddr_in` or `sockaddr_in6`; a raw socket has no port. */
function sockaddr(ip: Uint8Array): Uint8Array {
  const address = new Uint8Array(ip.length === 4 ? 16 : 28)
  address[0] = ip.length === 4 ? AF[4] : AF[6]
  address.set(ip, ip.length === 4 ? 4 : 8)
  return address
}

export type Place = { readonly ip: string; readonly port: number }

export type Forge = typeof forge

/** Sends `payload` to `to` as if `from` had. */
export function forge(from: Place, to: Place, payload: Uint8Array): void {
  opened ??= open()
  const system = opened
  const [source, target] = [parseIp(from.ip)!, parseIp(to.ip)!]
  const socket = system.socket(source.length === 4 ? AF[4] : AF[6], SOCK_RAW, IPPROTO_UDP)
  if (socket < 0) throw new Error('no raw socket')
  try {
    // IPv4 datagrams need no checksum; for IPv6 the kernel computes it.
    if (source.length === 16)
      system.setsockopt(socket, IPPROTO_IPV6, IPV6_CHECKSUM, new Int32Array([6]), 4)
    const [own, other] = [sockaddr(source), sockaddr(target)]
    if (system.bind(socket, own, own.length) < 0) throw new Error(`cannot be ${from.ip}`)
    if (system.connect(socket, other, other.length) < 0) throw new Error(`cannot reach ${to.ip}`)
    const datagram = new Uint8Array(UDP_HEADER_BYTES + payload.length)
    const header = new DataView(datagram.buffer)
    header.setUint16(0, from.port)
    header.setUint16(2, to.port)
    header.setUint16(4, datagram.length)
    datagram.set(payload, UDP_HEADER_BYTES)
    if (system.send(socket, datagram, datagram.length, 0) !== datagram.length)
      throw new Error('a forged datagram was not sent')
  } finally {
    system.close(socket)
  }
}
