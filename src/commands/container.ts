/** `tracker container`. */
import type { Command } from '../cli/command.ts'

export const CONTAINER: Command = {
  name: 'container',
  help: 'Prepare the volumes of a container and serve; the command of the image.',
  details: `Writes /etc/torrust/tracker/tracker.toml if it does not exist: the template for
the database named by TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER
(sqlite3, mysql or postgresql), or the template that keeps nothing if the
variable is not set. An existing file is left as it is. If the file cannot be
written, the template is used without it.

Started as root, it gives the volumes to USER_ID (at least 1000) and continues
with the rights of that user.

Volumes: /var/lib/torrust/tracker, /var/log/torrust/tracker,
/etc/torrust/tracker.`,
  examples: [
    'docker run -d -p 6969:6969/udp -p 7070:7070 tracker',
    `docker run -d -p 6969:6969/udp -v lib:/var/lib/torrust/tracker -v etc:/etc/torrust/tracker \\`,
    '  -e TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER=sqlite3 tracker',
    'docker run --rm tracker client scrape udp://tracker.example:6969 INFO_HASH',
  ],
  run: async (invocation, host) => {
    const { prepare } = await import('../container/command.ts')
    const prepared = prepare(invocation, host)
    if (typeof prepared === 'number') return prepared
    return (await import('../run/serve.ts')).serve(prepared.loaded, host, prepared.again)
  },
}
