/** Files of the repository that are made from the sources: `MAKE_FILES=1 bun test test/ROOM` makes them again. */
import { expect } from 'bun:test'

/** `path`: from the root of the repository. */
export async function expectMade(path: string, text: string): Promise<void> {
  const file = Bun.file(`${import.meta.dir}/../../${path}`)
  if (process.env.MAKE_FILES !== undefined) await Bun.write(file, text)
  expect(await file.text()).toBe(text)
}
