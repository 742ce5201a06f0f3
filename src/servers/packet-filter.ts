/**
 * Programs for the kernel's packet filter (classic BPF, as SO_ATTACH_FILTER takes it): a listening socket
 * with such a program takes no connection from the clients it names. Pure: bytes only.
 */

/** With more clients than this no packet is let in: an attacker with that many has more. */
export const MOST_BLOCKED = 32

/** A field of the packet's own IP header. */
const HEADER = 0xfff0_0000
const IPV4_SOURCE = HEADER + 12
const IPV6_SOURCE = HEADER + 8

const LOAD_BYTE = 0x30
const LOAD_WORD = 0x20
const SHIFT_RIGHT = 0x74
const JUMP_IF_EQUAL = 0x15
const RETURN = 0x06
const ALL = 0xffff_ffff

/** Code, jump if true, jump if false, operand. */
type Instruction = readonly [code: number, yes: number, no: number, operand: number]
const TAKE: Instruction = [RETURN, 0, 0, ALL]
const DROP: Instruction = [RETURN, 0, 0, 0]

/** `clients`: hex digits of IPv4 addresses (8) and of IPv6 networks (16), at least one. */
export function blockingProgram(clients: readonly string[]): ArrayBuffer {
  if (clients.length > MOST_BLOCKED) return assemble([DROP])
  const words = clients.map((hex) => hex.match(/.{8}/g)!.map((word) => Number.parseInt(word, 16)))
  const four = words
    .filter(({ length }) => length === 1)
    .flatMap(([address = 0]) => [[JUMP_IF_EQUAL, 0, 1, address] as const, DROP])
  const six = words
    .filter(({ length }) => length === 2)
    .flatMap(([high = 0, low = 0]) => [
      [LOAD_WORD, 0, 0, IPV6_SOURCE] as const,
      [JUMP_IF_EQUAL, 0, 3, high] as const,
      [LOAD_WORD, 0, 0, IPV6_SOURCE + 4] as const,
      [JUMP_IF_EQUAL, 0, 1, low] as const,
      DROP,
    ])
  return assemble([
    [LOAD_BYTE, 0, 0, HEADER],
    [SHIFT_RIGHT, 0, 0, 4],
    // The version; behind the part for IPv4 stands that for IPv6.
    [JUMP_IF_EQUAL, four.length + 2, 0, 6],
    [LOAD_WORD, 0, 0, IPV4_SOURCE],
    ...four,
    TAKE,
    ...six,
    TAKE,
  ])
}

/** Bytes of one `struct sock_filter`. */
export const INSTRUCTION_BYTES = 8

function assemble(instructions: readonly Instruction[]): ArrayBuffer {
  const program = new ArrayBuffer(instructions.length * INSTRUCTION_BYTES)
  const view = new DataView(program)
  for (const [i, [code, yes, no, operand]] of instructions.entries()) {
    const at = i * INSTRUCTION_BYTES
    view.setUint16(at, code, true)
    view.setUint8(at + 2, yes)
    view.setUint8(at + 3, no)
    view.setUint32(at + 4, operand, true)
  }
  return program
}
