/** `tracker health`. */
import { argument, type Command, option } from '../cli/command.ts'
import { FORMAT, INSECURE } from './shared.ts'

export const HEALTH: Command = {
  name: 'health',
  help: 'Ask a running tracker whether it and its services are healthy, for containers and monitors.',
  details: `Exits with 0 if the report says status Ok; with 1 if a service fails, no service
is running, the tracker is shutting down, no answer arrives in time, or the
answer is not a health report. Redirects are not followed.

Without a URL it asks http://127.0.0.1:PORT/health_check, where PORT is the
value of HEALTH_CHECK_API_PORT, or 1313. A URL without a path gets
/health_check.`,
  examples: [
    'tracker health',
    'tracker health 1313 --format json',
    'tracker health http://tracker.example:1313/health_check',
  ],
  options: [
    FORMAT,
    option(
      '--timeout SECONDS',
      'How long to wait in total. Default: 4, below the 5 that containers usually allow.',
    ),
    INSECURE,
  ],
  arguments: [
    argument('[URL]', 'A port, HOST:PORT or URL. Default: the health API of this machine.'),
  ],
  run: async (invocation, host) =>
    (await import('../check/health-command.ts')).health(invocation, host),
}
