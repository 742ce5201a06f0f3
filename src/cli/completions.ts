/** `tracker completions`: the command table as a completion script or as a manual page. */
import { TRACKER } from './commands.ts'
import { manualPage } from './completions/man.ts'
import { bashScript, fishScript, zshScript } from './completions/scripts.ts'
import type { Host, Invocation } from './host.ts'

export function completions(invocation: Invocation, host: Host): number {
  host.print(make(invocation.arguments[0], host))
  return 0
}

function make(what: string | undefined, host: Host): string {
  switch (what) {
    case 'bash':
      return bashScript(TRACKER)
    case 'zsh':
      return zshScript(TRACKER)
    case 'fish':
      return fishScript(TRACKER)
    default:
      return manualPage(TRACKER, host)
  }
}
