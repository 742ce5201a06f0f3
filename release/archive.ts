/**
 * Files as one .tar.gz or .zip. Its bytes depend only on the files, their order and one time for all of them, not on
 * owners, modes or times of the machine that packs.
 */

export interface Entry {
  /** Path in the archive, with slashes; at most 100 bytes of ASCII. */
  readonly name: string
  readonly bytes: Uint8Array
  readonly executable: boolean
}

/** libdeflate's level 9: smaller than zlib's in half the time, and hardly larger than level 12. */
const COMPRESSION = { level: 9, library: 'libdeflate' } as const

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
const mode = (entry: Entry): number => (entry.executable ? 0o755 : 0o644)

/** Directories get their own entries, before their files, so that their modes are set, too. */
function directoriesOf(entries: readonly Entry[]): readonly string[] {
  const names = new Set<string>()
  for (const { name } of entries)
    for (let end = name.indexOf('/'); end >= 0; end = name.indexOf('/', end + 1))
      names.add(name.slice(0, end + 1))
  return [...names].sort()
}

/** @param seconds of every file, since 1970 */
export function tarGz(entries: readonly Entry[], seconds: number): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = []
  for (const name of directoriesOf(entries)) parts.push(tarHeader(name, '5', 0o755, 0, seconds))
  for (const entry of entries) {
    const { length } = entry.bytes
    parts.push(tarHeader(entry.name, '0', mode(entry), length, seconds), entry.bytes)
    parts.push(new Uint8Array(-length & 511))
  }
  // Two empty blocks end the archive, padded to a record of 20 blocks.
  const length = parts.reduce((sum, part) => sum + part.length, 1024)
  parts.push(new Uint8Array(1024 + (-length & 10239)))
  return Bun.gzipSync(Buffer.concat(parts), COMPRESSION)
}

/** POSIX ustar. */
function tarHeader(
  name: string,
  type: '0' | '5',
  mode: number,
  length: number,
  seconds: number,
): Uint8Array {
  const block = new Uint8Array(512)
  const put = (at: number, text: string) => block.set(ascii(text), at)
  const octal = (at: number, digits: number, value: number) =>
    put(at, value.toString(8).padStart(digits, '0'))
  if (ascii(name).length > 100) throw new Error(`name too long for an archive: ${name}`)
  put(0, name)
  octal(100, 7, mode)
  octal(108, 7, 0)
  octal(116, 7, 0)
  octal(124, 11, length)
  octal(136, 11, seconds)
  put(148, ' '.repeat(8))
  put(156, type)
  put(257, 'ustar\0' + '00')
  put(265, 'root')
  put(297, 'root')
  octal(
    148,
    6,
    block.reduce((sum, byte) => sum + byte, 0),
  )
  block[154] = 0
  return block
}

/** @param seconds of every file, since 1970; zip holds even ones from 1980 on */
export function zip(entries: readonly Entry[], seconds: number): Uint8Array<ArrayBuffer> {
  const files: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let at = 0
  const add = (name: string, bytes: Uint8Array<ArrayBuffer>, mode: number) => {
    const packed = bytes.length > 0 ? Bun.deflateSync(bytes, COMPRESSION) : bytes
    const common = zipFields(name, bytes, packed.length, seconds)
    const header = Buffer.concat([word(0x04034b50), half(20), common, ascii(name)])
    files.push(header, packed)
    directory.push(
      Buffer.concat([
        word(0x02014b50),
        // Made on Unix, so that unpackers apply the mode.
        half(0x0314),
        half(20),
        common,
        // No comment, first disk, nothing internal.
        new Uint8Array(6),
        word((mode << 16) >>> 0),
        word(at),
        ascii(name),
      ]),
    )
    at += header.length + packed.length
  }
  for (const name of directoriesOf(entries)) add(name, new Uint8Array(), 0o40755)
  for (const entry of entries) add(entry.name, Uint8Array.from(entry.bytes), 0o100000 | mode(entry))
  const size = directory.reduce((sum, part) => sum + part.length, 0)
  const counts = [half(0), half(0), half(directory.length), half(directory.length)]
  const end = [word(0x06054b50), ...counts, word(size), word(at), half(0)]
  return Uint8Array.from(Buffer.concat([...files, ...directory, ...end]))
}

/** The fields that a file's header and the directory at the end have in common. */
function zipFields(
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
  packed: number,
  seconds: number,
): Uint8Array {
  const time = new Date(Math.max(seconds, Date.UTC(1980, 0) / 1000) * 1000)
  const clock =
    (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1)
  const day =
    ((time.getUTCFullYear() - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate()
  return Buffer.concat([
    half(0),
    half(bytes.length > 0 ? 8 : 0),
    half(clock),
    half(day),
    word(Bun.hash.crc32(bytes)),
    word(packed),
    word(bytes.length),
    half(name.length),
    half(0),
  ])
}

const half = (value: number): Uint8Array => new Uint8Array(Uint16Array.of(value).buffer)
const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer)
