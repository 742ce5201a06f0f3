/**
 * IP addresses as text and as bytes (RFC 4291, printed by RFC 5952), strict in both directions: no ports,
 * brackets or leading zeros. An IPv4-mapped IPv6 address becomes IPv4 here and nowhere else (docs/behaviours.md
 * S2). Addresses are never compared as text.
 */
import { type Address, type Family, isLoopback } from '../bittorrent.ts'

const DOT = 0x2e
const COLON = 0x3a

/**
 * Writes the four bytes of the dotted quad `text[from, end)` to `bytes[at…]`; false: not one, `bytes` is stale.
 */
export function writeIPv4(
  text: string,
  from: number,
  end: number,
  bytes: Uint8Array,
  at: number,
): boolean {
  let octet = 0
  let digits = 0
  let dots = 0
  for (let i = from; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT) {
      if (digits === 0 || dots === 3) return false
      bytes[at + dots++] = octet
      octet = digits = 0
    } else {
      const digit = code - 0x30
      // A leading zero is refused: some systems read such a number as octal.
      if (digit < 0 || digit > 9 || (digits > 0 && octet === 0)) return false
      octet = octet * 10 + digit
      digits++
      if (octet > 255) return false
    }
  }
  if (digits === 0 || dots !== 3) return false
  bytes[at + 3] = octet
  return true
}

/** Value of a hexadecimal digit, or -1. */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Writes the sixteen bytes of the IPv6 address `text[from, end)`, mapped or not; false: not one. */
export function writeIPv6(
  text: string,
  from: number,
  end: number,
  bytes: Uint8Array,
  at: number,
): boolean {
  let i = from
  let groups = 0
  /** Groups before `::`; -1 until it is seen. */
  let gap = -1
  if (end - from >= 2 && text.charCodeAt(i) === COLON) {
    if (text.charCodeAt(i + 1) !== COLON) return false
    gap = 0
    i += 2
  }
  while (i < end) {
    if (groups === 8) return false
    const start = i
    let value = 0
    for (; i < end; i++) {
      const digit = hexDigit(text.charCodeAt(i))
      if (digit < 0) break
      value = (value << 4) | digit
    }
    if (i < end && text.charCodeAt(i) === DOT) {
      if (groups > 6 || !writeIPv4(text, start, end, bytes, at + groups * 2)) return false
      groups += 2
      break
    }
    if (i === start || i - start > 4) return false
    bytes[at + groups * 2] = value >> 8
    bytes[at + groups * 2 + 1] = value
    groups++
    if (i === end) break
    if (text.charCodeAt(i) !== COLON || ++i === end) return false
    if (text.charCodeAt(i) === COLON) {
      if (gap >= 0) return false
      gap = groups
      i++
    }
  }
  if (gap < 0) return groups === 8
  // `::` stands for at least one group.
  if (groups === 8) return false
  const tail = (groups - gap) * 2
  for (let n = 1; n <= tail; n++) bytes[at + 16 - n] = bytes[at + groups * 2 - n]!
  for (let n = at + gap * 2; n < at + 16 - tail; n++) bytes[n] = 0
  return true
}

const isMapped = (bytes: Uint8Array, at: number): boolean => {
  if (bytes[at + 10] !== 0xff || bytes[at + 11] !== 0xff) return false
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false
  return true
}

/**
 * Writes the address `text[from, end)` to the start of `bytes` (room for 16) and returns its family, IPv4 for a
 * mapped one; 0: not an address, `bytes` is stale.
 */
export function writeAddress(
  text: string,
  from: number,
  end: number,
  bytes: Uint8Array,
): Family | 0 {
  if (writeIPv4(text, from, end, bytes, 0)) return 4
  if (!writeIPv6(text, from, end, bytes, 0)) return 0
  if (!isMapped(bytes, 0)) return 6
  for (let i = 0; i < 4; i++) bytes[i] = bytes[12 + i]!
  return 4
}

/**
 * Reads the source address of a socket, as text that may carry a `%scope`, into `to`. Called for every
 * datagram and request: allocates nothing. false: not an address, `to` is stale.
 */
export function writeSource(text: string, to: Address): boolean {
  let family = writeAddress(text, 0, text.length, to.bytes)
  if (family === 0) {
    const scope = text.indexOf('%')
    if (scope >= 0) family = writeAddress(text, 0, scope, to.bytes)
    if (family === 0) return false
  }
  to.family = family
  return true
}

/** Reads the source address at `bytes[at…]`, which has 4 or 16 bytes as its family says, into `to`. */
export function copySource(bytes: Uint8Array, at: number, family: Family, to: Address): void {
  if (family === 6 && !isMapped(bytes, at)) {
    to.family = 6
    for (let i = 0; i < 16; i++) to.bytes[i] = bytes[at + i]!
    return
  }
  to.family = 4
  const from = family === 6 ? at + 12 : at
  to.bytes[0] = bytes[from]!
  to.bytes[1] = bytes[from + 1]!
  to.bytes[2] = bytes[from + 2]!
  to.bytes[3] = bytes[from + 3]!
}

/** The 4 or 16 bytes of an address literal, 4 for a mapped one; undefined: not a literal. */
export function parseIp(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16)
  const family = writeAddress(text, 0, text.length, bytes)
  return family === 0 ? undefined : bytes.slice(0, family === 4 ? 4 : 16)
}

/** The canonical text of the address at `bytes[at…]`, without brackets. */
export function printIp(bytes: Uint8Array, family: Family, at = 0): string {
  if (family === 4) return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
  if (isMapped(bytes, at)) return `::ffff:${printIp(bytes, 4, at + 12)}`
  const group = (n: number): number => (bytes[at + n * 2]! << 8) | bytes[at + n * 2 + 1]!
  // The longest run of two or more zero groups is left out, the first of equal ones (RFC 5952, section 4.2).
  let gap = -1
  let gapEnd = -1
  for (let n = 0; n < 8; n++) {
    let end = n
    while (end < 8 && group(end) === 0) end++
    if (end - n > Math.max(1, gapEnd - gap)) {
      gap = n
      gapEnd = end
    }
    if (end > n) n = end
  }
  let text = ''
  for (let n = 0; n < 8; n++) {
    if (n === gap) {
      text += '::'
      n = gapEnd - 1
    } else text += (n > 0 && n !== gapEnd ? ':' : '') + group(n).toString(16)
  }
  return text
}

/** 0.0.0.0 or ::. */
export function isUnspecified(bytes: Uint8Array, family: Family): boolean {
  for (let i = 0; i < (family === 4 ? 4 : 16); i++) if (bytes[i] !== 0) return false
  return true
}

/** `ip` is canonical text without brackets (RFC 5952 for IPv6). Binding port 0 takes a free port. */
/** Whether only this machine can reach the address. */
export function isLoopbackIp(ip: string): boolean {
  const bytes = parseIp(ip)
  return bytes !== undefined && isLoopback(bytes, bytes.length === 4 ? 4 : 6)
}

export type SocketAddress = { readonly ip: string; readonly port: number }

export const printAddress = ({ ip, port }: SocketAddress): string => joinPort(ip, port)

/** `host:port`, with brackets around an IPv6 address. */
export const joinPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
