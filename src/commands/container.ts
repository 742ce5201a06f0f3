/** `tracker container`: what it can be asked. */
import type { Command } from '../cli/command.ts'

export const CONTAINER: Command = {
  name: 'container',
  help: 'Prepare the volumes of a container and serve; what the image starts.',
  details: `Writes /etc/torrust/tracker/tracker.toml if nothing is there: the template for the database that
TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER names, sqlite3, mysql or postgresql; without it the one
that keeps nothing. A file that is there stays as it is. Where none can be written, the template is used
all the same.

Started as root it gives the volumes to USER_ID (at least 1000) and goes on with that user's rights only.

Volumes: /var/lib/torrust/tracker, /var/log/torrust/tracker, /etc/torrust/tracker.

Examples:
  docker run -d -p 6969:6969/udp -p 7070:7070 tracker
  docker run -d -p 6969:6969/udp -v lib:/var/lib/torrust/tracker -v etc:/etc/torrust/tracker \\
    -e TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER=sqlite3 tracker
  docker run --rm tracker client scrape udp://tracker.example:6969 INFO_HASH`,
  options: [],
  arguments: [],
  commands: [],
  run: async (invocation, host) =>
    (await import('../container/command.ts')).container(invocation, host),
}
