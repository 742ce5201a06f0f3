/** `tracker client`. */
import type { Argument, Command, Option } from '../cli/command.ts'
import { FORMAT, INSECURE, IPV4, IPV6, TIMEOUT } from './shared.ts'

const URL_ARGUMENT: Argument = {
  name: 'URL',
  help: 'The tracker: udp://HOST:PORT, http://… or https://…; HOST:PORT is UDP. A key goes into the path.',
}

const INFO_HASHES: Argument = {
  name: 'INFO_HASH',
  repeats: true,
  file: true,
  help: '40 hexadecimal digits, a magnet link or a .torrent file.',
}

const ASKING: readonly Option[] = [FORMAT, TIMEOUT, IPV4, IPV6, INSECURE]

const ANNOUNCE_DETAILS = `The tracker keeps the peer and gives it to others until its peer timeout.
To remove it, announce again with --event stopped and the same --port, --peer-id and --key.

The result for one torrent is {"AnnounceIpv4":…}, {"AnnounceIpv6":…} or {"Error":…} from a UDP
tracker, and {"complete":…,"peers":[…]} or {"failure reason":…} from an HTTP tracker; null stands for
what the tracker left out. The result for several is an object with one of those for each info hash, or
{"error":{"kind":…,"message":…}} for a torrent that got no answer. Every torrent is announced; the
exit code is 1 if any of them failed.

Examples:
  tracker client announce udp://127.0.0.1:6969 debian.torrent
  tracker client announce --left 1 --format text http://127.0.0.1:7070/announce 'magnet:?xt=…'
  tracker client announce --peer-id=-TK0100-000000000001 --event stopped [::1]:6969 debian.torrent
`

const SCRAPE_DETAILS = `Any number of torrents can be scraped, in as many requests
as it takes. Torrents that the tracker leaves out are reported on the standard error, as
{"warning":{"kind":"scrape_response_truncated",…}}.

Examples:
  tracker client scrape udp://127.0.0.1:6969 debian.torrent 9c38422213e30bff212b30c360d26f9a02136422
  tracker client scrape --format text https://tracker.example/announce *.torrent
`

export const CLIENT: Command = {
  name: 'client',
  help: 'Ask any tracker, as a BitTorrent client would.',
  commands: [
    {
      name: 'announce',
      help: 'Announce a peer and print the other peers of the torrent.',
      options: [
        {
          name: 'event',
          value: 'EVENT',
          choices: ['none', 'started', 'completed', 'stopped'],
          help: 'What happened: none, started (default), completed or stopped.',
        },
        { name: 'uploaded', value: 'BYTES', help: 'Default: 0.' },
        { name: 'downloaded', value: 'BYTES', help: 'Default: 0.' },
        { name: 'left', value: 'BYTES', help: 'Bytes still to download; 0 (default) is a seeder.' },
        { name: 'port', value: 'PORT', help: 'Where the peer listens. Default: 6881.' },
        {
          name: 'peer-id',
          value: 'ID',
          help: '20 characters, or 40 hexadecimal digits. Default: -TK0100- and 12 random digits.',
        },
        {
          name: 'ip',
          aliases: ['ip-address', 'peer-addr'],
          value: 'ADDRESS',
          help: 'The address to give to other peers; most trackers ignore it. UDP: IPv4 only.',
        },
        {
          name: 'key',
          value: 'NUMBER',
          help: 'Up to 4294967295; proves that it is the same client. Default: random.',
        },
        {
          name: 'numwant',
          aliases: ['peers-wanted'],
          value: 'COUNT',
          help: 'How many peers to ask for. Default: the tracker decides.',
        },
        {
          name: 'compact',
          value: '0|1',
          choices: ['0', '1'],
          help: 'HTTP: whether to ask for peers in the compact form. Default: 1.',
        },
        ...ASKING,
      ],
      details: ANNOUNCE_DETAILS,
      arguments: [URL_ARGUMENT, INFO_HASHES],
      run: async (invocation, host) =>
        (await import('../ask/command.ts')).announceCommand(invocation, host),
    },
    {
      name: 'scrape',
      help: 'Print how many seeders, leechers and downloads torrents have.',
      options: ASKING,
      details: SCRAPE_DETAILS,
      arguments: [URL_ARGUMENT, INFO_HASHES],
      run: async (invocation, host) =>
        (await import('../ask/command.ts')).scrapeCommand(invocation, host),
    },
  ],
}
