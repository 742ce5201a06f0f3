/**
 * Programs for the kernel's packet filter (classic BPF). One attached to a listening socket says which packets it
 * takes, and so which clients may open connections; one attached to sockets that share a port says which of them is
 * asked for a new connection. Pure: bytes only.
 */
import { LINUX, STRUCT } from './linux.ts'

/** With more clients than this no packet is let in: an attacker with that many has more. */
export const MOST_BLOCKED = 32

/** A field of the packet's own IP header. */
const HEADER = LINUX.SKF_NET_OFF
const IPV4_SOURCE = HEADER + 12
const IPV6_SOURCE = HEADER + 8

/** Where the flags stand in a TCP header, with which the packet of a TCP socket begins. */
const TCP_FLAGS = 13
const SYN = 0x02
const ACK = 0x10

const { BPF_LD, BPF_W, BPF_B, BPF_ABS, BPF_ALU, BPF_RSH, BPF_JMP, BPF_JEQ, BPF_RET, BPF_K } = LINUX
const { BPF_ADD, BPF_AND, BPF_MOD, BPF_A, SKF_AD_OFF, SKF_AD_RANDOM } = LINUX
const LOAD_BYTE = BPF_LD | BPF_B | BPF_ABS
const LOAD_WORD = BPF_LD | BPF_W | BPF_ABS
const SHIFT_RIGHT = BPF_ALU | BPF_RSH | BPF_K
const JUMP_IF_EQUAL = BPF_JMP | BPF_JEQ | BPF_K
const RETURN = BPF_RET | BPF_K
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

/** Takes nothing. */
export const blockingAll = (): ArrayBuffer => assemble([DROP])

/** Lets no new connection begin; those of which the kernel has heard already are completed. */
export const blockingNew = (): ArrayBuffer =>
  assemble([
    [LOAD_BYTE, 0, 0, TCP_FLAGS],
    [BPF_ALU | BPF_AND | BPF_K, 0, 0, SYN | ACK],
    [JUMP_IF_EQUAL, 0, 1, SYN],
    DROP,
    TAKE,
  ])

/** Of sockets that share a port, chooses one of the last `count`, by chance; `older` opened it before. */
export const choosingLast = (older: number, count: number): ArrayBuffer =>
  assemble([
    [LOAD_WORD, 0, 0, SKF_AD_OFF + SKF_AD_RANDOM],
    [BPF_ALU | BPF_MOD | BPF_K, 0, 0, count],
    [BPF_ALU | BPF_ADD | BPF_K, 0, 0, older],
    [BPF_RET | BPF_A, 0, 0, 0],
  ])

function assemble(instructions: readonly Instruction[]): ArrayBuffer {
  const { bytes, code, jt, jf, k } = STRUCT.sock_filter
  const program = new ArrayBuffer(instructions.length * bytes)
  const view = new DataView(program)
  for (const [i, [operation, yes, no, operand]] of instructions.entries()) {
    const at = i * bytes
    view.setUint16(at + code, operation, true)
    view.setUint8(at + jt, yes)
    view.setUint8(at + jf, no)
    view.setUint32(at + k, operand, true)
  }
  return program
}
