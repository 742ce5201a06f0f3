/** The files of an archive beside the executable. */
import { readFileSync } from 'node:fs'
import type { Entry } from './archive.ts'

/** Copied from the project unchanged. Each pattern must match a file. */
const COPIED = ['README.md', 'CHANGELOG.md', 'LICENSE', 'docs/**/*', 'share/**/*']
const REQUIRED = ['share/default/config/*.toml', 'share/systemd/tracker.service']

/** Made by `tracker completions`: where shells and `man` find them, once `share` is copied to /usr/local. */
const COMPLETIONS: Readonly<Record<string, string>> = {
  bash: 'share/bash-completion/completions/tracker',
  fish: 'share/fish/vendor_completions.d/tracker.fish',
  man: 'share/man/man1/tracker.1',
  zsh: 'share/zsh/site-functions/_tracker',
}

const LICENCES = 'release/licences'

/** @param seconds the date of the manual page, since 1970 */
export async function contents(seconds: number): Promise<readonly Entry[]> {
  for (const pattern of [...COPIED, ...REQUIRED])
    if (filesOf(pattern).length === 0) throw new Error(`no file matches ${pattern}`)
  return [
    ...COPIED.flatMap(filesOf).map((name) => file(name, readFileSync(name))),
    ...filesOf(`${LICENCES}/*`).map((name) =>
      file(name.replace('release/', ''), readFileSync(name)),
    ),
    ...(await Promise.all(
      Object.entries(COMPLETIONS).map(async ([what, name]) =>
        file(name, await completion(what, seconds)),
      ),
    )),
  ]
}

export const file = (name: string, bytes: Uint8Array | string): Entry => ({
  name,
  bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes,
  executable: false,
})

const filesOf = (pattern: string): readonly string[] =>
  [...new Bun.Glob(pattern).scanSync({ onlyFiles: true })].sort()

async function completion(what: string, seconds: number): Promise<Uint8Array> {
  const child = Bun.spawn([process.execPath, 'src/main.ts', 'completions', what], {
    // The settings of this machine must not show.
    env: { SOURCE_DATE_EPOCH: String(seconds) },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [bytes, complaint] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
  ])
  if ((await child.exited) !== 0) throw new Error(`tracker completions ${what}: ${complaint}`)
  return bytes
}
