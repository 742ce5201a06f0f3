/** `tracker check`. */
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
from the first of these that is given: --config-path,
TORRUST_CHECKER_CONFIG_PATH, an argument that begins with {,
TORRUST_CHECKER_CONFIG. The variables are ignored if only URLs are given.

--watch asks repeatedly, until --duration has passed or Ctrl-C is pressed: UDP
trackers for a connection, with a single datagram, so that every lost one
counts; HTTP trackers for a scrape. It announces no peer. Each answer is
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
  arguments: [argument('[TARGET...]', 'udp://HOST:PORT, http://… or https://…; HOST:PORT is UDP.')],
  run: async (invocation, host) => (await import('../check/command.ts')).check(invocation, host),
}
