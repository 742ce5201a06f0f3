/** Reads the parts of executables that a loader needs: the machine, the interpreter, the signature. */

export interface Elf {
  readonly machine: number
  readonly interpreter: string
}

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
const text = (bytes: Uint8Array, at: number) =>
  Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString()

export function readElf(bytes: Uint8Array): Elf {
  const read = view(bytes)
  const PROGRAM_INTERPRETER = 3
  const start = Number(read.getBigUint64(32, true))
  const size = read.getUint16(54, true)
  for (let i = 0; i < read.getUint16(56, true); i++) {
    const at = start + i * size
    if (read.getUint32(at, true) === PROGRAM_INTERPRETER) {
      const interpreter = text(bytes, Number(read.getBigUint64(at + 8, true)))
      return { machine: read.getUint16(18, true), interpreter }
    }
  }
  throw new Error('no interpreter is named')
}

export interface MachO {
  readonly machine: number
  /** Where its last segment ends. */
  readonly end: number
  readonly commands: number
  readonly signature: Signature | undefined
}

export interface Signature {
  readonly flags: number
  /** Bytes of the file that it covers, from the start. */
  readonly covers: number
  readonly start: number
  /** Pages whose hash does not match. */
  readonly wrong: number
  readonly pages: number
}

export function readMachO(bytes: Uint8Array): MachO {
  const read = view(bytes)
  if (read.getUint32(0, true) !== 0xfeedfacf) throw new Error('not a Mach-O of 64 bits')
  let end = 0
  let signature: Signature | undefined
  let at = 32
  const commands = read.getUint32(16, true)
  for (let i = 0; i < commands; i++) {
    const kind = read.getUint32(at, true)
    if (kind === 0x19)
      end = Number(read.getBigUint64(at + 40, true) + read.getBigUint64(at + 48, true))
    if (kind === 0x1d) signature = readSignature(bytes, read.getUint32(at + 8, true))
    at += read.getUint32(at + 4, true)
  }
  if (at !== 32 + read.getUint32(20, true))
    throw new Error('its commands do not end where they say')
  return { machine: read.getUint32(4, true), end, commands, signature }
}

/** The code directory, the first part of a signature, holds a hash for each page. */
function readSignature(bytes: Uint8Array, start: number): Signature {
  const read = view(bytes)
  const directory = start + read.getUint32(start + 16)
  if (read.getUint32(directory) !== 0xfade0c02) throw new Error('no code directory')
  const hashes = directory + read.getUint32(directory + 16)
  const pages = read.getUint32(directory + 28)
  const covers = read.getUint32(directory + 32)
  const width = read.getUint8(directory + 36)
  const page = 1 << read.getUint8(directory + 39)
  let wrong = 0
  for (let i = 0; i < pages; i++) {
    const content = bytes.subarray(i * page, Math.min((i + 1) * page, covers))
    const hash = new Bun.CryptoHasher('sha256').update(content).digest()
    const said = bytes.subarray(hashes + i * width, hashes + (i + 1) * width)
    if (!hash.equals(said)) wrong++
  }
  return { flags: read.getUint32(directory + 12), covers, start, wrong, pages }
}
