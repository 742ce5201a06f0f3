/** `tracker client`. */
import { argument, type Command, option } from '../cli/command.ts'
import { FORMAT, INSECURE, IPV4, IPV6, TIMEOUT } from './shared.ts'

const ARGUMENTS = [
  argument(
    'URL',
    'The tracker: udp://HOST:PORT, http://…, https://…, ws://… or wss://…; HOST:PORT is UDP. A key goes into the path.',
  ),
  argument('INFO_HASH...', '40 hexadecimal digits, a magnet link or a .torrent file.', {
    file: true,
  }),
]

const ASKING = [FORMAT, TIMEOUT, IPV4, IPV6, INSECURE]

const ANNOUNCE: Command = {
  name: 'announce',
  help: 'Announce a peer and print the other peers of the torrent.',
  options: [
    option('--event none|started|completed|stopped', 'What happened. Default: started.'),
    option('--uploaded BYTES', 'Default: 0.'),
    option('--downloaded BYTES', 'Default: 0.'),
    option('--left BYTES', 'Bytes still to download; 0 (default) is a seeder.'),
    option('--port PORT', 'Where the peer listens. Default: 6881.'),
    option(
      '--peer-id ID',
      '20 characters, or 40 hexadecimal digits. Default: -TK0100- and 12 random digits.',
    ),
    option(
      '--ip ADDRESS',
      'The address to give to other peers; most trackers ignore it. UDP: IPv4 only.',
      { also: ['ip-address', 'peer-addr'] },
    ),
    option('--key NUMBER', 'Up to 4294967295; proves that it is the same client. Default: random.'),
    option('--numwant COUNT', 'How many peers to ask for. Default: the tracker decides.', {
      also: ['peers-wanted'],
    }),
    option('--compact 0|1', 'HTTP: whether to ask for peers in the compact form. Default: 1.'),
    ...ASKING,
  ],
  arguments: ARGUMENTS,
  details: `The tracker keeps the peer and gives it to others until its peer timeout.
To remove it, announce again with --event stopped and the same --port,
--peer-id and --key. A WebTorrent tracker (ws://, wss://) is told that the peer
stopped before the command ends, and says nothing of other peers, which it
makes known by their own messages only.

The result for one torrent is {"AnnounceIpv4":…}, {"AnnounceIpv6":…} or
{"Error":…} from a UDP tracker, and {"complete":…,"peers":[…]} or
{"failure reason":…} from others; null stands for what the tracker left
out. The result for several is an object with one of those for each info hash,
or {"error":{"kind":…,"message":…}} for a torrent that got no answer. Every
torrent is announced; the exit code is 1 if any of them failed.`,
  examples: [
    'tracker client announce udp://127.0.0.1:6969 debian.torrent',
    "tracker client announce --left 1 http://127.0.0.1:7070/announce 'magnet:?xt=…' | jq .peers",
    'tracker client announce --peer-id=-TK0100-000000000001 --event stopped [::1]:6969 debian.torrent',
  ],
  run: async (invocation, host) =>
    (await import('../ask/command.ts')).announceCommand(invocation, host),
}

const SCRAPE: Command = {
  name: 'scrape',
  help: 'Print how many seeders, leechers and downloads torrents have.',
  options: ASKING,
  arguments: ARGUMENTS,
  details: `Any number of torrents can be scraped, in as many requests as it takes.
Torrents that the tracker leaves out are reported on the standard error, as
{"warning":{"kind":"scrape_response_truncated",…}}.`,
  examples: [
    'tracker client scrape udp://127.0.0.1:6969 debian.torrent 9c38422213e30bff212b30c360d26f9a02136422',
    'tracker client scrape --format json https://tracker.example/announce *.torrent',
  ],
  run: async (invocation, host) =>
    (await import('../ask/command.ts')).scrapeCommand(invocation, host),
}

export const CLIENT: Command = {
  name: 'client',
  help: 'Ask any tracker, as a BitTorrent client would.',
  commands: [ANNOUNCE, SCRAPE],
}
