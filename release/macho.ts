/** Executables of macOS: removes a signature that is no longer valid. */

const LC_SEGMENT_64 = 0x19
const LC_CODE_SIGNATURE = 0x1d
const HEADER_BYTES = 32
const PAGE_BYTES = 4096

/**
 * The executable without its signature. For arm64, where macOS runs only signed executables, Bun makes a new one. For
 * x64 it leaves the signature of the Bun that the executable was made of, which no longer matches: a Mac may refuse
 * that, but runs unsigned ones.
 */
export function withoutSignature(executable: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(executable)
  const view = new DataView(bytes.buffer)
  const commands = view.getUint32(16, true)
  const end = HEADER_BYTES + view.getUint32(20, true)
  let linkedit = 0
  for (let at = HEADER_BYTES, i = 0; i < commands; i++) {
    const length = view.getUint32(at + 4, true)
    switch (view.getUint32(at, true)) {
      case LC_SEGMENT_64:
        if (textAt(bytes, at + 8) === '__LINKEDIT') linkedit = at
        break
      case LC_CODE_SIGNATURE: {
        const start = view.getUint32(at + 8, true)
        const size = view.getUint32(at + 12, true)
        // Otherwise something else would be lost with it.
        if (!linkedit || at + length !== end || start + size !== bytes.length)
          throw new Error('the signature of the executable for macOS is not at its end')
        view.setUint32(16, commands - 1, true)
        view.setUint32(20, end - HEADER_BYTES - length, true)
        bytes.fill(0, at, end)
        const left = BigInt(start) - view.getBigUint64(linkedit + 40, true)
        const pages = (left + BigInt(PAGE_BYTES - 1)) / BigInt(PAGE_BYTES)
        view.setBigUint64(linkedit + 32, pages * BigInt(PAGE_BYTES), true)
        view.setBigUint64(linkedit + 48, left, true)
        return bytes.subarray(0, start)
      }
    }
    at += length
  }
  throw new Error('the executable for macOS has no signature to remove')
}

function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at)
  return new TextDecoder().decode(bytes.subarray(at, Math.min(end, at + 16)))
}
