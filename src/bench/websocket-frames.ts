/** Frames of RFC 6455 as a client writes and reads them. Nothing is allocated for a frame. */

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Room for the header of a frame from a client: two bytes, a length of two bytes, a mask of four. */
export const MOST_HEADER_BYTES = 8
/** The longest payload that such a header announces. */
const MOST_PAYLOAD_BYTES = 0xffff
/** Longer messages of a tracker are refused. */
const MOST_MESSAGE_BYTES = 1024 * 1024

const LAST = 0x80
const MASKED = 0x80

/**
 * Writes the header of a frame whose payload of `length` bytes, at most 65,535, begins at `bytes[at]`; where the frame
 * begins. The mask is zero, so the payload stays as it is.
 */
export function putHeader(bytes: Uint8Array, at: number, opcode: number, length: number): number {
  if (length > MOST_PAYLOAD_BYTES) throw new RangeError(`a payload of ${length} bytes`)
  for (let i = at - 4; i < at; i++) bytes[i] = 0
  if (length < 126) {
    bytes[at - 5] = MASKED | length
    bytes[at - 6] = LAST | opcode
    return at - 6
  }
  bytes[at - 5] = length & 0xff
  bytes[at - 6] = length >> 8
  bytes[at - 7] = MASKED | 126
  bytes[at - 8] = LAST | opcode
  return at - 8
}

const NOTHING = Buffer.alloc(0)

/** Cuts what a server sends into frames. Messages in several frames are not read: no tracker sends them. */
export class FrameReader {
  #rest: Buffer = NOTHING

  /**
   * Takes the next bytes, and calls `take` with the payload of each whole frame until that returns false. The payload
   * may be overwritten afterwards. `false`: what came are no frames of a server.
   */
  read(
    bytes: Buffer,
    take: (opcode: number, bytes: Buffer, from: number, to: number) => boolean,
  ): boolean {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let at = 0
    for (;;) {
      if (all.length - at < 2) break
      const first = all[at]!
      let length = all[at + 1]!
      // A frame of a server is not masked; without extensions there are no reserved bits.
      if ((first & 0xf0) !== LAST || length >= MASKED) return false
      let from = at + 2
      if (length === 126) {
        from += 2
        if (all.length < from) break
        length = all.readUInt16BE(at + 2)
      } else if (length === 127) {
        from += 8
        if (all.length < from) break
        length = all.readUInt32BE(at + 2) === 0 ? all.readUInt32BE(at + 6) : MOST_MESSAGE_BYTES + 1
        if (length > MOST_MESSAGE_BYTES) return false
      }
      if (all.length < from + length) break
      at = from + length
      if (!take(first & 0x0f, all, from, at)) return true
    }
    // The socket reuses the memory of `bytes`.
    this.#rest = at === all.length ? NOTHING : Buffer.from(all.subarray(at))
    return true
  }
}
