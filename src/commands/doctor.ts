/** `tracker doctor`. */
import type { Command } from '../cli/command.ts'
import { CONFIG_OPTION, FORMAT, TIMEOUT } from './shared.ts'

export const DOCTOR: Command = {
  name: 'doctor',
  help: 'Look for what makes trackers fail in production, and say how to fix it.',
  details: `Looks at the configuration, at the machine and at the running tracker: whether
it is healthy and what it has answered, ports, whether each public_url leads
back to it, database, certificates, receive buffers and lost datagrams,
connection tracking, file limits, memory, the clock. Each problem and each
warning says why it matters, and what to type.

Run it on the tracker's machine, as the tracker's user, while the tracker runs:
rights and counters differ elsewhere. It does not need root and changes nothing:
it announces no peer and creates no table. What it cannot look at is skipped,
with the reason.

Exits with 0 if there is no problem, even if there are warnings; with 1 if there
is a problem; with 2 on wrong usage; with 78 if the configuration has mistakes.`,
  examples: [
    'tracker doctor',
    'tracker doctor --config /etc/tracker/tracker.toml --timeout 2',
    'docker exec tracker tracker doctor --format text',
  ],
  options: [CONFIG_OPTION, FORMAT, TIMEOUT],
  run: async (invocation, host) => (await import('../doctor/command.ts')).doctor(invocation, host),
}
