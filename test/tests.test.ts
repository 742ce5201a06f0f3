/** Rules for the tests themselves, kept by reading their sources. */
import { expect, test } from 'bun:test'
import { basename, join } from 'node:path'

const sources = await Array.fromAsync(
  new Bun.Glob('**/*').scan({ cwd: import.meta.dir }),
  async (path) => ({ path, text: await Bun.file(join(import.meta.dir, path)).text() }),
)
const programs = sources.filter(({ path }) => path.endsWith('.ts'))

/** Lines with an expectation about a promise that is neither awaited nor returned. */
function floating(text: string): number[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) =>
    comment.replace(/[^\n]/g, ' '),
  )
  return Array.from(code.matchAll(/\)\s*\.(?:rejects|resolves)\b/g), ({ index }) =>
    code.lastIndexOf('expect(', index),
  )
    .filter((start) => !/(?:\b(?:await|return)|=>)\s*$/.test(code.slice(0, start)))
    .map((start) => code.slice(0, start).split('\n').length)
}

test('every `rejects` and `resolves` is awaited or returned: other runners would end the test before it', () => {
  const found = programs.flatMap(({ path, text }) =>
    floating(text).map((line) => `test/${path}:${line}`),
  )
  expect(found).toEqual([])
})

test('one that is not is found, on one line and on several', () => {
  const planted = `test('x', async () => {
  await expect(one()).rejects.toThrow()
  ${'expect'}(two('http://a')).rejects.toThrow()
  void ${'expect'}(
    three(),
  ).resolves.toBe(3)
  return expect(four()).resolves.toBe(4)
})`
  expect(floating(planted)).toEqual([3, 4])
})

test('folders of rooms hold only tests; helpers are in test/support', () => {
  const strays = sources
    .map(({ path }) => path)
    .filter((path) => path.startsWith('support/') === path.endsWith('.test.ts'))
  // The program that docs/security.md tells people to start.
  expect(strays).toEqual(['hostile/main.ts'])
})

test('every helper is used', () => {
  const unused = sources
    .map(({ path }) => path)
    // bunfig.toml loads it.
    .filter((path) => path.startsWith('support/') && path !== 'support/time-limit.ts')
    .filter((path) => {
      const name = basename(path)
      return !sources.some((other) => other.path !== path && other.text.includes(name))
    })
  expect(unused).toEqual([])
})
