/** `tracker check` and `tracker health`. */
import { argument, type Command, option } from '../cli/command.ts'
import { FORMAT, INSECURE, IPV4, IPV6, TIMEOUT } from './shared.ts'

export const CHECK: Command = {
  name: 'check',
  help: 'Check that trackers and health APIs answer, once or repeatedly.',
  details: `A tracker is healthy if it answers an announce and a scrape at every address of
its name. A name with addresses of both families is checked over both; -4 and -6
restrict it to one. The announce adds a seeder to the swarm of --info-hash for a
moment; a second one with event=stopped removes it. An http URL whose path ends
in health_check is a health API: healthy unless its report says otherwise.
Redirects are not followed.

The configuration of the Torrust Tracker's checker is accepted: JSON of the form
  {"udp_trackers": ["HOST:PORT"], "http_trackers": ["URL"], "health_checks": ["URL"]}
where "websocket_trackers": ["URL"] may stand beside them,
from the first of these that is given: --config-path,
TORRUST_CHECKER_CONFIG_PATH, an argument that begins with {,
TORRUST_CHECKER_CONFIG. The variables are ignored if only URLs are given.

--watch asks repeatedly, until --duration has passed or Ctrl-C is pressed: UDP
trackers for a connection, with a single datagram, so that every lost one
counts; other trackers for a scrape. It announces no peer. Each answer is
reported on the standard error; the statistics follow at the end.

Exits with 0 if everything is healthy, with 1 if anything failed, with 2 if the
list of targets has mistakes.`,
  examples: [
    'tracker check udp://tracker.example:6969 https://tracker.example/announce',
    'tracker check --config-path tracker_checker.json --format json',
    'tracker check --watch --interval 5 --duration 3600 udp://tracker.example:6969',
  ],
  options: [
    option('-c, --config-path PATH', 'The configuration file of the checker.', {
      file: true,
      also: ['config'],
    }),
    option('--health URL', 'Check this health API too, whatever its path.'),
    option(
      '--info-hash INFO_HASH',
      'The torrent to ask about. Default: 9c38422213e30bff212b30c360d26f9a02136422.',
      { file: true },
    ),
    option('--watch', 'Ask repeatedly, and report losses and latencies.'),
    option('--interval SECONDS', 'With --watch: from one request to the next. Default: 10.'),
    option('--duration SECONDS', 'With --watch: how long to continue. Default: until Ctrl-C.'),
    FORMAT,
    TIMEOUT,
    IPV4,
    IPV6,
    INSECURE,
  ],
  arguments: [
    argument(
      '[TARGET...]',
      'udp://HOST:PORT, http://…, https://…, ws://… or wss://…; HOST:PORT is UDP.',
    ),
  ],
  run: async (invocation, host) => (await import('../check/command.ts')).check(invocation, host),
}

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
