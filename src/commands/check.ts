/** `tracker check`: what it can be asked. */
import type { Command } from '../cli/command.ts'
import { FORMAT, INSECURE, IPV4, IPV6, TIMEOUT } from './shared.ts'

export const CHECK: Command = {
  name: 'check',
  help: 'Check that trackers and health reports answer, once or again and again.',
  details: `A tracker is well if it answers an announce and a scrape, at every address that its name has, so a name with
addresses of both families is checked over both (-4 and -6 limit it). The announce puts a seeder into the
swarm of --info-hash for a moment; another one with event=stopped takes it out again. An http URL whose path
ends in health_check is a health report: well unless its status says otherwise. Redirects are not followed.

The configuration of the Torrust Tracker's checker is understood: JSON of the form
  {"udp_trackers": ["HOST:PORT"], "http_trackers": ["URL"], "health_checks": ["URL"]}
from the first that is given: --config-path, TORRUST_CHECKER_CONFIG_PATH, an argument that begins with {,
TORRUST_CHECKER_CONFIG. The variables are left aside if only URLs are given.

--watch asks again and again, until --duration is over or Ctrl-C: UDP trackers for a connection with a single
datagram, so that each one that is lost counts; HTTP trackers for a scrape; no peer is announced. Each answer
is told on the standard error, the statistics in the end.

Ends with 0 if all is well, 1 if anything failed, 2 if there is a mistake in what is to be checked.

Examples:
  tracker check udp://tracker.example:6969 https://tracker.example/announce
  tracker check --config-path tracker_checker.json --format text
  tracker check --watch --interval 5 --duration 3600 udp://tracker.example:6969`,
  options: [
    {
      name: 'config-path',
      short: 'c',
      aliases: ['config'],
      value: 'PATH',
      file: true,
      help: 'A file with the configuration of the checker.',
    },
    { name: 'health', value: 'URL', help: 'Check this health report too, whatever its path is.' },
    {
      name: 'info-hash',
      value: 'INFO_HASH',
      file: true,
      help: 'The torrent to ask for. Default: 9c38422213e30bff212b30c360d26f9a02136422.',
    },
    { name: 'watch', help: 'Ask again and again, and tell losses and latencies.' },
    {
      name: 'interval',
      value: 'SECONDS',
      help: 'With --watch: from one question to the next. Default: 10.',
    },
    {
      name: 'duration',
      value: 'SECONDS',
      help: 'With --watch: how long to go on. Default: until Ctrl-C.',
    },
    FORMAT,
    TIMEOUT,
    IPV4,
    IPV6,
    INSECURE,
  ],
  arguments: [
    {
      name: 'TARGET',
      optional: true,
      repeats: true,
      help: 'udp://HOST:PORT, http://… or https://…; HOST:PORT is UDP.',
    },
  ],
  commands: [],
  run: async (invocation, host) => (await import('../check/command.ts')).check(invocation, host),
}
