/** Reads what a user names as a file or pipes in. It may be anything, such as a video or `/dev/zero`, so the size is bounded. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'

const MEBIBYTE = 1024 * 1024
/** A torrent with a million pieces takes 20 MiB. */
const MOST_MEBIBYTES = 32

/** Throws like `readFileSync`, and if the file is larger than a torrent or configuration can be. */
export function readSmallFile(path: string): Uint8Array {
  const file = openSync(path, 'r')
  try {
    const parts: Uint8Array[] = []
    let length = 0
    for (;;) {
      const part = new Uint8Array(MEBIBYTE)
      const read = readSync(file, part)
      if (read === 0) return Buffer.concat(parts, length)
      length += read
      if (length > MOST_MEBIBYTES * MEBIBYTE)
        throw new Error(
          `is larger than ${MOST_MEBIBYTES} MiB, which no torrent and no configuration is`,
        )
      parts.push(part.subarray(0, read))
    }
  } finally {
    closeSync(file)
  }
}

/** The same, and throws if it is no regular file: opening a pipe would block. */
export function readRegularFile(path: string): Uint8Array {
  const there = statSync(path)
  if (!there.isFile() && !there.isDirectory()) throw new Error('is not a regular file')
  return readSmallFile(path)
}

/** The whole standard input as text. Rejects if it is too long. */
export async function readInput(): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of Bun.stdin.stream()) {
    length += part.length
    if (length > MOST_MEBIBYTES * MEBIBYTE) throw new Error(`is longer than ${MOST_MEBIBYTES} MiB`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}
