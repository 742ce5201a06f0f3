/** Runs the real program in its own directory, and ends it if it does not end by itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PATIENCE_MILLISECONDS } from '../until.ts'

const MAIN = join(import.meta.dir, '../../../src/main.ts')

export interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** An empty directory, gone when the scope ends. */
export function workspace(files: Readonly<Record<string, string>> = {}) {
  const path = mkdtempSync(join(tmpdir(), 'tracker-cli-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
  return {
    path,
    run: (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
      run(path, words, env),
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  }
}

async function run(
  cwd: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Result> {
  // Of the surrounding environment only what it takes to find Bun.
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: PATIENCE_MILLISECONDS,
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code: await child.exited, out, err }
}
