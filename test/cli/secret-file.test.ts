/** Files that hold a secret, on a real disk. */
import { expect, test } from 'bun:test'
import { chmodSync } from 'node:fs'
import { readSecretFile } from '../../src/cli/secret-file.ts'
import { MOST_SECRET_CHARACTERS } from '../../src/config/secret-files.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'

const room = sharedDirectory()
const { at } = room
const write = async (text: string, mode: number) => {
  await Bun.write(at('secret'), text)
  chmodSync(at('secret'), mode)
}

test('a file is read, and whether others may read it, too', async () => {
  for (const [mode, isOpen] of [
    [0o600, false],
    [0o640, false],
    [0o444, true],
    [0o604, true],
  ] as const) {
    await write('hunter2\n', mode)
    expect(readSecretFile(at('secret'))).toEqual({ text: 'hunter2\n', isOpen })
  }
})

test('of a long file enough is read to see that it is too long', async () => {
  for (const letter of ['x', '😀']) {
    await write(letter.repeat(1_000_000), 0o600)
    const { length } = readSecretFile(at('secret')).text
    expect(length).toBeGreaterThan(MOST_SECRET_CHARACTERS)
    expect(length).toBeLessThan(5 * MOST_SECRET_CHARACTERS)
  }
})

test('what is no regular file is not read', async () => {
  expect(() => readSecretFile(room.path)).toThrow('EISDIR')
  expect(() => readSecretFile(at('gone'))).toThrow('ENOENT')
  for (const endless of ['/dev/zero', '/dev/tty']) {
    if (process.platform === 'win32') break
    expect(() => readSecretFile(endless)).toThrow('is not a regular file')
  }
  if (Bun.which('mkfifo') === null) return
  expect(await Bun.spawn(['mkfifo', at('pipe')]).exited).toBe(0)
  expect(() => readSecretFile(at('pipe'))).toThrow('is not a regular file')
})
