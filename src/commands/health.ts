/** `tracker health`: what it can be asked. */
import type { Command } from '../cli/command.ts'
import { FORMAT, INSECURE } from './shared.ts'

export const HEALTH: Command = {
  name: 'health',
  help: 'Ask a running tracker whether it and its services are well, for containers and monitors.',
  details: `Ends with 0 if the report says status Ok. With 1 if a service fails, none is running, the tracker is
shutting down, nothing answers in time, or the answer is no health report; a redirect is none.

Without a URL it asks http://127.0.0.1:PORT/health_check, PORT being the value of HEALTH_CHECK_API_PORT,
or 1313. A URL without a path gets /health_check.

Examples:
  tracker health
  tracker health 1313 --format text
  tracker health http://tracker.example:1313/health_check`,
  options: [
    FORMAT,
    {
      name: 'timeout',
      value: 'SECONDS',
      help: 'How long to wait in all. Default: 4, less than the 5 that containers usually give.',
    },
    INSECURE,
  ],
  arguments: [
    {
      name: 'URL',
      optional: true,
      help: 'A port, HOST:PORT or URL. Default: the health API of this machine.',
    },
  ],
  commands: [],
  run: async (invocation, host) =>
    (await import('../check/health-command.ts')).health(invocation, host),
}
