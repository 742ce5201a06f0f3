/** `tracker bench`. */
import { argument, type Command, option } from '../cli/command.ts'
import { FORMAT, INSECURE, IPV4, IPV6 } from './shared.ts'

/** The options of all loads; `mixed` describes the mixed one, `population` the default numbers of torrents and peers. */
const load = (mixed: string, population: readonly [torrents: string, peers: string]) => [
  option('--duration SECONDS', 'How long to send, up to 600. Default: 10.'),
  option(
    '--rate COUNT',
    'Requests a second, at most. Default: no limit on loopback, otherwise 1000.',
  ),
  option('--torrents COUNT', `Made-up torrents. Default: ${population[0]}.`),
  option('--peers COUNT', `Made-up peers. Default: ${population[1]} for each torrent.`),
  option('--seeders PERCENT', 'Share of seeders among them. Default: 75.'),
  option('--mix mixed|announce', `mixed (default): ${mixed}; announce: announces only.`),
  option('--timeout SECONDS', 'A request without an answer after this time is lost. Default: 2.'),
  option('--seed NUMBER', 'Another number makes other torrents and peers. Default: 1.'),
  option(
    '--i-own-this-target',
    'Load a tracker beyond this machine: it is yours, and so is the network.',
  ),
  FORMAT,
  IPV4,
  IPV6,
]

const SMALL_SWARMS = ['10000', 'two'] as const
const NUMWANT = option('--numwant COUNT', 'Peers that each announce asks for. Default: 30.')

const DETAILS = `The torrents and peers are made up from the seed; the tracker forgets them after
its peer timeout. Each peer announces in turn, the first time with event
started. One request before the start, which is not counted, checks that the
tracker is there. Ctrl-C ends early and prints what was measured. The exit code
is 1 if no announce was answered.`

export const BENCH: Command = {
  name: 'bench',
  help: 'Measure how many requests a tracker of yours answers, and how fast.',
  commands: [
    {
      name: 'udp',
      help: 'Load a UDP tracker.',
      details: DETAILS,
      examples: [
        'tracker bench udp udp://127.0.0.1:6969',
        'tracker bench udp localhost:6969 --rate 5000 --duration 60 --format json',
      ],
      options: [
        option('--clients COUNT', 'Sockets, up to 256. Default: 8.'),
        option('--window COUNT', 'Requests in flight per socket, up to 256. Default: 20.'),
        NUMWANT,
        ...load('connects, announces and scrapes 50:50:1', SMALL_SWARMS),
      ],
      arguments: [
        argument('URL', 'The tracker: udp://HOST:PORT or HOST:PORT; a path with a key may follow.'),
      ],
      run: async (invocation, host) =>
        (await import('../bench/command.ts')).benchUdp(invocation, host),
    },
    {
      name: 'http',
      help: 'Load an HTTP or HTTPS tracker.',
      details: DETAILS,
      examples: [
        'tracker bench http http://127.0.0.1:7070/announce',
        'tracker bench http https://tracker.example/announce/KEY --i-own-this-target --rate 200',
      ],
      options: [
        option(
          '--clients COUNT',
          'Connections, each with one request in flight, up to 1024. Default: 64.',
        ),
        option('--close', 'Open a new connection for each request.'),
        NUMWANT,
        ...load('announces and scrapes 50:1', SMALL_SWARMS),
        INSECURE,
      ],
      arguments: [
        argument('URL', 'The tracker: http://HOST:PORT/announce or https://…; a key may follow.'),
      ],
      run: async (invocation, host) =>
        (await import('../bench/command.ts')).benchHttp(invocation, host),
    },
    {
      name: 'ws',
      help: 'Load a WebTorrent tracker.',
      details: `${DETAILS}

Each socket has one peer id and takes part in several torrents, as a page with
several downloads does. The offers of an announce are as long as those of a
browser; the tracker relays them to other sockets of the load. A tracker may
limit what one socket sends and is sent, and how many one address has: with
few sockets the first is measured, with more than it allows they are closed.`,
      examples: [
        'tracker bench ws ws://127.0.0.1:8000',
        'tracker bench ws wss://tracker.example/announce/KEY --i-own-this-target --rate 50',
      ],
      options: [
        option(
          '--clients COUNT',
          'Sockets, each with one request in flight, up to 10000. Default: 500.',
        ),
        option('--offers COUNT', 'Offers in each announce, up to 20. Default: 5.'),
        option(
          '--answers PERCENT',
          'Share of the relayed offers that are answered, in the mixed load. Default: 20.',
        ),
        option(
          '--ascii',
          'Write ids with escapes, as Python does, not in UTF-8, as browsers do: some servers read that faster.',
        ),
        ...load('announces and scrapes 50:1, and answers', ['1000', '20']),
        INSECURE,
      ],
      arguments: [argument('URL', 'The tracker: ws://HOST:PORT or wss://…; a path may follow.')],
      run: async (invocation, host) =>
        (await import('../bench/command.ts')).benchWs(invocation, host),
    },
  ],
}
