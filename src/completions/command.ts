/** `tracker completions`: a script for a shell, or the manual page; and `tracker complete`, which the scripts call. */
import type { Command } from '../cli/command.ts'
import { EXIT, type Host } from '../cli/host.ts'
import type { Invocation } from '../cli/invocation.ts'
import bash from './bash.txt' with { type: 'text' }
import { fitting } from './complete.ts'
import fish from './fish.txt' with { type: 'text' }
import { manualPage } from './man.ts'
import powershell from './powershell.txt' with { type: 'text' }
import zsh from './zsh.txt' with { type: 'text' }

const SCRIPTS: Readonly<Record<string, string>> = { bash, zsh, fish, powershell }

export function completions(invocation: Invocation, host: Host, root: Command): number {
  host.print(SCRIPTS[invocation.arguments[0] ?? ''] ?? manualPage(root))
  return EXIT.success
}

export function complete(invocation: Invocation, host: Host, root: Command): number {
  for (const line of fitting(root, invocation.arguments)) host.print(`${line}\n`)
  return EXIT.success
}
