/** `tracker completions`. */
import type { Command } from '../cli/command.ts'

export const COMPLETIONS: Command = {
  name: 'completions',
  help: 'Print completions for a shell, or the manual page.',
  details: `Bash must be 4.2 or newer; the bash-completion package is not needed. For the current shell:
  source <(tracker completions bash)
  source <(tracker completions zsh)
  tracker completions fish | source

To keep them, write them to where the shell looks for them, as the examples do; for zsh, that is a
directory of its fpath.

Examples:
  tracker completions bash > ~/.local/share/bash-completion/completions/tracker
  tracker completions zsh > ~/.zfunc/_tracker
  tracker completions fish > ~/.config/fish/completions/tracker.fish
  tracker completions man > ~/.local/share/man/man1/tracker.1
  tracker completions man | man -l -`,
  arguments: [
    {
      name: 'WHAT',
      choices: ['bash', 'zsh', 'fish', 'man'],
      help: 'The shell: bash, zsh or fish; or man, the manual page.',
    },
  ],
  run: async (invocation, host, root) =>
    (await import('../completions/command.ts')).completions(invocation, host, root),
}
