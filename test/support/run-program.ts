/** Runs a program to its end, which must come within a minute. */
import { PATIENCE_MILLISECONDS } from './until.ts'

/** `code` is null when a signal ended it. */
export type Result = { readonly code: number | null; readonly out: string; readonly err: string }

/** `env` is all of its environment. */
export async function runProgram(
  command: readonly string[],
  {
    milliseconds = PATIENCE_MILLISECONDS,
    ...options
  }: { cwd?: string; env?: Record<string, string>; milliseconds?: number } = {},
): Promise<Result> {
  const child = Bun.spawn([...command], {
    ...options,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: milliseconds,
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code: await child.exited, out, err }
}
