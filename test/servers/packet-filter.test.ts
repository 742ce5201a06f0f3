/** Our programs for the kernel's packet filter, run by a small interpreter. */
import { describe, expect, test } from 'bun:test'
import {
  blockingNew,
  blockingProgram,
  choosingLast,
  MOST_BLOCKED,
} from '../../src/servers/packet-filter.ts'
import { parseIp } from '../../src/wire/address.ts'

/** What is returned of the few instructions used, for a packet with that IP header or TCP header. */
function run(program: ArrayBuffer, header: Uint8Array, random = 0): number {
  const code = new DataView(program)
  const packet = new DataView(header.buffer)
  let accumulator = 0
  for (let pc = 0; ; pc++) {
    const at = pc * 8
    const operand = code.getUint32(at + 4, true)
    // Negative numbers are areas: the IP header, and what is not in the packet.
    const field = operand >= 0xfff0_0000 ? operand - 0xfff0_0000 : operand
    switch (code.getUint16(at, true)) {
      case 0x30:
        accumulator = packet.getUint8(field)
        break
      case 0x20:
        accumulator = operand === 0xffff_f038 ? random : packet.getUint32(field)
        break
      case 0x04:
        accumulator += operand
        break
      case 0x54:
        accumulator &= operand
        break
      case 0x94:
        accumulator %= operand
        break
      case 0x16:
        return accumulator
      case 0x74:
        accumulator >>>= operand
        break
      case 0x15:
        pc += code.getUint8(at + (accumulator === operand ? 2 : 3))
        break
      case 0x06:
        return operand
      default:
        throw new Error(`no such instruction at ${pc}`)
    }
  }
}

const takes = (program: ArrayBuffer, header: Uint8Array): boolean => run(program, header) !== 0

/** The beginning of a packet from that address. */
function packetFrom(text: string): Uint8Array {
  const ip = parseIp(text)!
  const header = new Uint8Array(40)
  header[0] = ip.length === 4 ? 0x45 : 0x60
  header.set(ip, ip.length === 4 ? 12 : 8)
  return header
}
const clientOf = (text: string): string => Buffer.from(parseIp(text)!).toString('hex').slice(0, 16)
const blocked = (...clients: string[]) => {
  const program = blockingProgram(clients.map(clientOf))
  return (from: string) => !takes(program, packetFrom(from))
}

describe('blocked are', () => {
  test('an IPv4 address and no other', () => {
    const isBlocked = blocked('192.0.2.1')
    expect(isBlocked('192.0.2.1')).toBe(true)
    for (const other of ['192.0.2.2', '1.2.0.192', '192.0.2.1'.replace('192', '193')])
      expect(isBlocked(other)).toBe(false)
    expect(isBlocked('2001:db8::1')).toBe(false)
  })

  test('the whole /64 of an IPv6 address and no other', () => {
    const isBlocked = blocked('2001:db8:1:2::1')
    expect(isBlocked('2001:db8:1:2:ffff::9')).toBe(true)
    for (const other of ['2001:db8:1:3::1', '2001:db9:1:2::1', '1:2:3:4:2001:db8:1:2'])
      expect(isBlocked(other)).toBe(false)
    expect(isBlocked('192.0.2.1')).toBe(false)
  })

  test('as many of either family as there may be', () => {
    const four = Array.from({ length: MOST_BLOCKED / 2 }, (_, i) => `198.51.100.${i}`)
    const six = Array.from({ length: MOST_BLOCKED / 2 }, (_, i) => `2001:db8:0:${i + 1}::1`)
    for (const clients of [
      [...four, ...six],
      [...four, ...four.map((one) => one.replace('198.51', '203.0'))],
      [...six, ...six.map((one) => one.replace('db8', 'db9'))],
    ]) {
      const isBlocked = blocked(...clients)
      for (const one of clients) expect([one, isBlocked(one)]).toEqual([one, true])
      for (const other of ['198.51.100.200', '2001:db8:0:ff::1'])
        expect([other, isBlocked(other)]).toEqual([other, false])
    }
  })

  test('all, where there would be more', () => {
    const clients = Array.from({ length: MOST_BLOCKED + 1 }, (_, i) => `198.51.100.${i}`)
    const isBlocked = blocked(...clients)
    for (const one of ['192.0.2.1', '2001:db8::1']) expect(isBlocked(one)).toBe(true)
  })
})

test('no new connection may begin, and those under way are completed', () => {
  const flags = { SYN: 0x02, ACK: 0x10, 'SYN with ECN': 0xc2, 'SYN and ACK': 0x12, RST: 0x04 }
  const taken = Object.entries(flags).filter(([, bits]) => {
    const header = new Uint8Array(20)
    header[13] = bits
    return takes(blockingNew(), header)
  })
  expect(taken.map(([name]) => name)).toEqual(['ACK', 'SYN and ACK', 'RST'])
})

test.each([
  [1, 1],
  [2, 2],
  [3, 4],
])('of %d older sockets and %d others each of the others is chosen', (older, count) => {
  const chosen = new Set(
    Array.from({ length: 20 }, (_, i) =>
      run(choosingLast(older, count), new Uint8Array(20), i * 0x0765_4321),
    ),
  )
  const others = Array.from({ length: count }, (_, i) => older + i)
  expect([...chosen].sort()).toEqual(others)
})
