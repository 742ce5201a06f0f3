/** `tracker doctor`: what it can be asked. */
import type { Command } from '../cli/command.ts'
import { CONFIG, FORMAT, TIMEOUT } from './shared.ts'

export const DOCTOR: Command = {
  name: 'doctor',
  help: 'Look for what makes trackers fail in production, and say what to type.',
  details: `Looks at the machine and at what the configuration asks of it: receive buffers and lost
datagrams, connection tracking, file limits, which core does the network's work, memory, workers,
IPv6, containers, the clock, certificates, the database, ports, and whether the public_url of each
tracker leads back to it. Says after each finding what to type or where to look.

Run it as the user of the tracker, where the tracker runs, while it runs: limits, rights and
counters are those of that place. It needs no root and changes nothing: no peer is announced, no
table is made. What cannot be read is skipped, and it says so.

Ends with 0 if there is no problem, warnings or not; with 1 if there is one, or a mistake in the
configuration; with 2 on wrong usage.

Examples:
  tracker doctor --format text
  tracker doctor --config /etc/tracker/tracker.toml --timeout 2
  docker exec tracker tracker doctor --format text`,
  options: [CONFIG, FORMAT, TIMEOUT],
  arguments: [],
  commands: [],
  run: async (invocation, host) => (await import('../doctor/command.ts')).doctor(invocation, host),
}
