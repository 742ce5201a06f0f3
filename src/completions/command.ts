/** `tracker completions`: the command table as a completion script or as a manual page. */
import type { Command } from '../cli/command.ts'
import { EXIT, type Host } from '../cli/host.ts'
import type { Invocation } from '../cli/invocation.ts'
import { manualPage } from './man.ts'
import { bashScript, fishScript, zshScript } from './scripts.ts'

export function completions(invocation: Invocation, host: Host, root: Command): number {
  host.print(textOf(invocation.arguments[0], host, root))
  return EXIT.success
}

function textOf(what: string | undefined, host: Host, root: Command): string {
  switch (what) {
    case 'bash':
      return bashScript(root)
    case 'zsh':
      return zshScript(root)
    case 'fish':
      return fishScript(root)
    default:
      return manualPage(root, host)
  }
}
