/**
 * Files as one .tar.gz or .zip. Its bytes depend only on the files, their order and one time for all of them, not on
 * the machine that packs: libdeflate gives the same on every processor.
 */
import { Zip, type ZipInputFile } from 'fflate'
import { packTar } from 'modern-tar'

export interface Entry {
  /** Path in the archive, with slashes. */
  readonly name: string
  readonly bytes: Uint8Array
  readonly executable: boolean
}

/** Smaller than zlib's level 9 in half the time, and hardly larger than level 12. */
const COMPRESSION = { level: 9, library: 'libdeflate' } as const

/** @param seconds of every file, since 1970 */
export async function tarGz(
  entries: readonly Entry[],
  seconds: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const common = { mtime: new Date(seconds * 1000), uid: 0, gid: 0, uname: 'root', gname: 'root' }
  // Directories have their own entries, before their files, so that their modes are set, too.
  const directories = new Set(
    entries.flatMap(({ name }) =>
      Array.from(name.matchAll(/\//g), ({ index }) => name.slice(0, index + 1)),
    ),
  )
  const tar = await packTar([
    ...Array.from(directories, (name) => ({
      header: { ...common, name, type: 'directory' as const, size: 0, mode: 0o755 },
    })),
    ...entries.map(({ name, bytes, executable }) => ({
      header: { ...common, name, size: bytes.length, mode: executable ? 0o755 : 0o644 },
      body: bytes,
    })),
  ])
  return Bun.gzipSync(Buffer.from(tar.buffer), COMPRESSION)
}

/** @param seconds of every file, since 1970; zip holds even ones from 1980 on */
export function zip(entries: readonly Entry[], seconds: number): Uint8Array<ArrayBuffer> {
  const time = new Date(Math.max(seconds, Date.UTC(1980, 0) / 1000) * 1000)
  // The fields of a zip are those of the local time.
  time.setMinutes(time.getMinutes() + time.getTimezoneOffset())
  const parts: Uint8Array[] = []
  const archive = new Zip((error, part) => {
    if (error) throw error
    parts.push(part)
  })
  for (const { name, bytes, executable } of entries) {
    const file: ZipInputFile = {
      filename: name,
      size: bytes.length,
      crc: Bun.hash.crc32(bytes),
      compression: 8,
      mtime: time,
      // Made on Unix, so that unpackers apply the mode.
      os: 3,
      attrs: ((executable ? 0o100755 : 0o100644) << 16) >>> 0,
    }
    archive.add(file)
    file.ondata?.(null, Bun.deflateSync(Uint8Array.from(bytes), COMPRESSION), true)
  }
  archive.end()
  return Uint8Array.from(Buffer.concat(parts))
}
