/** The files of an archive beside the executable. */
import { readFileSync } from 'node:fs'
import { TRACKER } from '../src/commands/command-table.ts'
import { manualPage } from '../src/completions/man.ts'
import type { Entry } from './pack.ts'

/** Copied from the project unchanged. Each pattern must match a file. */
const COPIED = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'LICENSE'],
  ...['docs/**/*', 'share/**/*'],
]
const REQUIRED = ['share/default/config/*.toml', 'share/systemd/tracker.service']

/** Where shells and `man` find them, once `share` is copied to /usr/local. */
const COMPLETIONS: Readonly<Record<string, string>> = {
  bash: 'share/bash-completion/completions/tracker',
  fish: 'share/fish/vendor_completions.d/tracker.fish',
  powershell: 'share/powershell/tracker.ps1',
  zsh: 'share/zsh/site-functions/_tracker',
}

const LICENCES = 'release/licences'

export function contents(): readonly Entry[] {
  for (const pattern of [...COPIED, ...REQUIRED])
    if (filesOf(pattern).length === 0) throw new Error(`no file matches ${pattern}`)
  return [
    ...COPIED.flatMap(filesOf).map((name) => file(name, readFileSync(name))),
    ...filesOf(`${LICENCES}/*`).map((name) =>
      file(name.replace('release/', ''), readFileSync(name)),
    ),
    ...Object.entries(COMPLETIONS).map(([shell, name]) =>
      file(name, readFileSync(`src/completions/${shell}.txt`)),
    ),
    file('share/man/man1/tracker.1', manualPage(TRACKER)),
  ]
}

export const file = (name: string, bytes: Uint8Array | string): Entry => ({
  name,
  bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes,
  executable: false,
})

const filesOf = (pattern: string): readonly string[] =>
  [...new Bun.Glob(pattern).scanSync({ onlyFiles: true })].sort()
