/** `tracker completions`: the command table as a completion script or as a manual page. */

import type { Host, Invocation } from '../cli/host.ts'
import { TRACKER } from '../commands/tracker.ts'
import { manualPage } from './man.ts'
import { bashScript, fishScript, zshScript } from './scripts.ts'

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
