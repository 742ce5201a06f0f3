/** Names of clients: the first 8 bytes of their peer ids, each kept once and known by a number of 16 bits. */
export const CLIENT_BYTES = 8
/** Numbers that there are; strangers who make up more names than that stay without one. */
const MOST_CLIENTS = 0xffff
/** No name. */
export const NAMELESS = 0

export class Clients {
  readonly #numbers = new Map<string, number>()
  readonly #names: string[] = ['']

  /** Number of the name at `bytes[at…]`; `NAMELESS`: it is not printable ASCII, or there are too many. */
  numberOf(bytes: Uint8Array, at: number): number {
    let name = ''
    for (let i = at; i < at + CLIENT_BYTES; i++) {
      const byte = bytes[i]!
      if (byte < 0x20 || byte > 0x7e) return NAMELESS
      name += String.fromCharCode(byte)
    }
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    const number = this.#names.length
    if (number > MOST_CLIENTS) return NAMELESS
    this.#names.push(name)
    this.#numbers.set(name, number)
    return number
  }

  /** Writes the name of a number to `bytes[at…]`, which are zeroes. */
  write(number: number, bytes: Uint8Array, at: number): void {
    const name = this.#names[number]!
    for (let i = 0; i < name.length; i++) bytes[at + i] = name.charCodeAt(i)
  }
}
