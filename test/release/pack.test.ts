/** Archives, unpacked by the usual programs. */

import { expect, test } from 'bun:test'
import { readFileSync, statSync } from 'node:fs'
import { type Entry, tarGz, zip } from '../../release/pack.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const SECONDS = Date.UTC(2025, 1, 3, 4, 5, 6) / 1000
const LARGE = new Uint8Array(100_000).map((_, i) => (i * i) >> 3)
const ENTRIES: readonly Entry[] = [
  { name: 'top/empty', bytes: new Uint8Array(), executable: false },
  // Exactly one block of a tar, and one byte more.
  { name: 'top/in/deep/block', bytes: new Uint8Array(512).fill(7), executable: false },
  { name: 'top/in/deep/more', bytes: new Uint8Array(513).fill(8), executable: false },
  { name: 'top/run', bytes: LARGE, executable: true },
]
const FORMATS = [
  { name: 'tar', make: tarGz, unpack: ['tar', '-xzpf'] },
  { name: 'unzip', make: zip, unpack: ['unzip', '-q'] },
]

for (const { name, make, unpack } of FORMATS)
  test.skipIf(!Bun.which(name))(`${name} unpacks what was packed`, async () => {
    using room = temporaryDirectory()
    const archive = room.at('archive')
    await Bun.write(archive, await make(ENTRIES, SECONDS))
    const { exitCode, stderr } = Bun.spawnSync([...unpack, archive], {
      cwd: room.path,
      env: { PATH: process.env.PATH, TZ: 'UTC' },
    })
    expect([exitCode, stderr.toString()]).toEqual([0, ''])
    for (const entry of ENTRIES) {
      const path = room.at(entry.name)
      const { mode, mtimeMs } = statSync(path)
      expect([path, mode & 0o777]).toEqual([path, entry.executable ? 0o755 : 0o644])
      expect([path, mtimeMs / 1000]).toEqual([path, SECONDS])
      expect(readFileSync(path).equals(entry.bytes)).toBe(true)
    }
    for (const directory of ['top', 'top/in', 'top/in/deep'])
      expect(statSync(room.at(directory)).mode & 0o777).toBe(0o755)
  })

test.skipIf(!Bun.which('tar'))('files of a .tar.gz belong to root', async () => {
  const { stdout } = Bun.spawnSync(['tar', '-tvz', '--numeric-owner'], {
    stdin: await tarGz(ENTRIES, SECONDS),
  })
  const lines = stdout.toString().trim().split('\n')
  expect(lines).toHaveLength(7)
  for (const line of lines) expect(line).toContain(' 0/0 ')
})

test.each(FORMATS)('the bytes of $name depend on the given time only', async ({ make }) => {
  const once = await make(ENTRIES, SECONDS)
  const zone = process.env.TZ
  process.env.TZ = 'Asia/Tokyo'
  expect(await make(ENTRIES, SECONDS)).toEqual(once)
  process.env.TZ = zone ?? 'UTC'
  expect(await make(ENTRIES, SECONDS + 2)).not.toEqual(once)
})

test('zip, which holds no time before 1980, uses the first it can hold', () => {
  expect(zip(ENTRIES, 0)).toEqual(zip(ENTRIES, Date.UTC(1980, 0) / 1000))
})
