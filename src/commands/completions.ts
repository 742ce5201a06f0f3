/** `tracker completions`, and what its scripts call. */
import { argument, type Command } from '../cli/command.ts'

export const COMPLETIONS: Command = {
  name: 'completions',
  help: 'Print completions for a shell, or the manual page.',
  details: `Bash must be 4.2 or newer; the bash-completion package is not needed. For the
current shell:
  source <(tracker completions bash)
  source <(tracker completions zsh)
  tracker completions fish | source
  tracker completions powershell | Out-String | Invoke-Expression

To keep them, write them to where the shell looks for them, as the examples do,
once that directory exists; for zsh, it is one of its fpath. For PowerShell, add
the line above to $PROFILE. The scripts ask the program what fits, so they need
not be written again after an update.`,
  examples: [
    'tracker completions bash > ~/.local/share/bash-completion/completions/tracker',
    'tracker completions zsh > ~/.zfunc/_tracker',
    'tracker completions fish > ~/.config/fish/completions/tracker.fish',
    'tracker completions man > ~/.local/share/man/man1/tracker.1',
    'tracker completions man | man -l -',
  ],
  arguments: [argument('bash|zsh|fish|powershell|man', 'The shell; or man, the manual page.')],
  run: async (invocation, host, root) =>
    (await import('../completions/command.ts')).completions(invocation, host, root),
}

export const COMPLETE: Command = {
  name: 'complete',
  help: 'Print what fits at the end of a command line; for the scripts of tracker completions.',
  arguments: [
    argument('[WORD...]', 'The words after "tracker", up to the cursor; the last may be empty.'),
  ],
  hidden: true,
  run: async (invocation, host, root) =>
    (await import('../completions/command.ts')).complete(invocation, host, root),
}
