/** The dashboard of a whole tracker. What to look at first is at the top left. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { accounting } from './accounting.ts'
import { bars, board, chart, tile } from './panels.ts'
import { webTorrent } from './web-torrent.ts'

const of = (metric: string, ...labels: string[]): string =>
  `${metric}{${['instance="$tracker"', ...labels].join(',')}}`
const rate = (metric: string, ...labels: string[]): string =>
  `rate(${of(metric, ...labels)}[$__rate_interval])`
/** A counter whose series are absent until it happens. */
const rareRate = (metric: string, ...labels: string[]): string =>
  `sum(${rate(metric, ...labels)}) or vector(0)`
const byProtocol = (expr: string): string =>
  `label_replace(${expr}, "protocol", "$1", "listener", "(.*)://.*")`
const quantile = (q: number, metric: string, by: readonly string[], ...labels: string[]): string =>
  `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (${rate(`${metric}_bucket`, ...labels)}))`
/** Seconds within which a share `q` of the requests of a kind are answered. */
const answered = (q: number, kind: string): string =>
  quantile(q, 'tracker_request_duration_seconds', ['protocol'], `kind="${kind}"`)
const called = (q: number): string => quantile(q, 'tracker_database_request_duration_seconds', [])

const DAY = 86_400

const now = [
  tile('State', {
    description:
      'Down: no metrics can be read. Degraded: memory is full or answers are lost; the tracker says more in its log and with `tracker health`.',
    unit: units.Short,
    width: 3,
    words: { 0: ['down', 'red'], 1: ['well', 'green'], 2: ['degraded', 'orange'] },
    queries: { state: `(${of('tracker_degraded')} + 1) or ${of('up')}` },
  }),
  tile('Alerts', {
    description:
      'Alerts that fire now, by the rules of share/prometheus. Each has a description that says what to do: see the page Alerts of Prometheus.',
    unit: units.Short,
    width: 6,
    text: true,
    steps: ['green', [1, 'red']],
    queries: {
      '{{alertname}}': `count by (alertname) (${of('ALERTS', 'alertstate="firing"')}) or on () label_replace(vector(0), "alertname", "none", "", "")`,
    },
  }),
  tile('Announces served', {
    description: 'Announces a second over all listeners.',
    unit: units.RequestsPerSecond,
    width: 3,
    graph: true,
    queries: {
      served: `sum(${rate('tracker_requests_total', 'kind="announce"', 'outcome="served"')})`,
    },
  }),
  tile('Not served', {
    description:
      'Share of all that arrives that is refused, dropped or not understood. Which: Not served, by reason.',
    unit: units.PercentUnit,
    width: 3,
    steps: ['green', [0.05, 'orange'], [0.25, 'red']],
    queries: {
      refused: `1 - sum(${rate('tracker_requests_total', 'outcome="served"')}) / sum(${rate('tracker_requests_total')})`,
    },
  }),
  tile('Peers', {
    description: 'Peers in all swarms; a client counts in each of its swarms.',
    unit: units.Short,
    width: 3,
    graph: true,
    queries: { peers: `sum(${of('tracker_peers')})` },
  }),
  tile('Memory used', {
    description:
      'Share of the memory that torrents and peers may take (runtime.max_memory). When it is full, new torrents are refused.',
    unit: units.PercentUnit,
    width: 2,
    steps: ['green', [0.8, 'orange'], [0.9, 'red']],
    queries: { used: `${of('tracker_memory_used_bytes')} / ${of('tracker_memory_limit_bytes')}` },
  }),
  tile('Database', {
    description:
      'Away: clients are served, but keys and torrents cannot be changed and download counts wait in memory.',
    unit: units.Short,
    width: 2,
    words: { 0: ['away', 'red'], 1: ['works', 'green'] },
    nothing: 'none',
    queries: { database: of('tracker_database_up') },
  }),
  tile('Certificate', {
    description: 'Time until the first certificate of a listener ends.',
    unit: units.Seconds,
    width: 2,
    steps: ['red', [3 * DAY, 'orange'], [14 * DAY, 'green']],
    nothing: 'none',
    queries: {
      left: `min(${of('tracker_certificate_expiry_timestamp_seconds')} - time())`,
    },
  }),
]

const traffic = [
  chart('Served', {
    description: 'Requests a second that were served, by protocol and kind.',
    unit: units.RequestsPerSecond,
    width: 8,
    stacked: true,
    queries: {
      '{{protocol}} {{kind}}': `sum by (protocol, kind) (${byProtocol(rate('tracker_requests_total', 'outcome="served"'))})`,
    },
  }),
  chart('Not served, by reason', {
    description:
      'Requests a second that were not served, by protocol and reason (docs/metrics.md). `full`: raise runtime.max_memory. `unlisted`, `key_…`: clients without permission. `announce_unproven`, `banned`: forged or very old connection ids. `aborted`: dropped unread in a flood.',
    unit: units.RequestsPerSecond,
    width: 8,
    stacked: true,
    nothing: 'everything is served',
    queries: {
      '{{protocol}} {{outcome}}': `sum by (protocol, outcome) (${byProtocol(rate('tracker_requests_total', 'outcome!="served"'))})`,
    },
  }),
  chart('Time to answer', {
    description:
      'From reading a request to its answer, without the time in the system: half and 99 % of the requests are faster. Of a sample.',
    unit: units.Seconds,
    width: 8,
    queries: {
      '{{protocol}} announce, half': answered(0.5, 'announce'),
      '{{protocol}} announce, 99 %': answered(0.99, 'announce'),
      '{{protocol}} scrape, 99 %': answered(0.99, 'scrape'),
    },
  }),
  chart('Bytes', {
    description: 'Without the headers of HTTP and of the protocols below.',
    unit: units.BytesPerSecondSI,
    width: 8,
    queries: {
      received: `sum(${rate('tracker_received_bytes_total')})`,
      sent: `sum(${rate('tracker_sent_bytes_total')})`,
    },
  }),
  chart('Lost', {
    description:
      'Datagrams a second that get no answer. Dropped by the system: the receive buffer was full (sysctl net.core.rmem_max, runtime.workers). Dropped unread: a flood. Not taken: a firewall or a full connection table stops answers.',
    unit: units.PacketsPerSecond,
    width: 8,
    queries: {
      'dropped by the system, {{listener}}': rate('tracker_receive_buffer_drops_total'),
      'dropped unread': rareRate('tracker_requests_total', 'outcome="aborted"'),
      'answers not taken, {{listener}}': rate('tracker_unsent_answers_total'),
    },
  }),
  chart('Wrong connection ids', {
    description:
      'UDP requests a second with an id that is forged or too old, those of them that are dropped because their address sent too many, and the number of addresses that sent any since the last reset.',
    unit: units.Short,
    width: 8,
    queries: {
      'wrong ids a second': `sum(${rate('tracker_connection_id_errors_total')})`,
      'dropped a second': rareRate('tracker_requests_total', 'outcome="banned"'),
      addresses: of('tracker_wrong_id_addresses'),
    },
  }),
]

const swarm = [
  chart('Peers', {
    description: 'By family and by whether they have everything.',
    unit: units.Short,
    width: 8,
    stacked: true,
    queries: { '{{family}} {{role}}s': of('tracker_peers') },
  }),
  chart('Peers that come and go', {
    description:
      'Peers a second. A tracker that restarts, or cannot be reached for longer than core.tracker_policy.max_peer_timeout, loses all of them.',
    unit: units.CountsPerSecond,
    width: 8,
    queries: {
      joined: `sum(${rate('swarm_coordination_registry_peers_added_total')})`,
      'left or fell silent': `sum(${rate('swarm_coordination_registry_peers_removed_total')})`,
      'completed a download': rate('tracker_downloads_total'),
    },
  }),
  bars('Sizes of swarms', {
    description:
      'Torrents by number of peers at the last sweep; the number is the most that a swarm of the bar has.',
    unit: units.Short,
    width: 8,
    buckets: true,
    nothing: 'no sweep yet',
    queries: { '{{le}}': `sum by (le) (${of('tracker_swarm_peers_bucket')})` },
  }),
  chart('Torrents', {
    description:
      'Torrents in memory. Those without a peer are kept for their download counts, or until the next sweep.',
    unit: units.Short,
    width: 8,
    queries: {
      all: of('tracker_torrents'),
      'without a peer': of('swarm_coordination_registry_torrents_inactive_total'),
    },
  }),
  chart('Memory of torrents and peers', {
    description: 'What they take, and what they may take: runtime.max_memory.',
    unit: units.BytesIEC,
    width: 8,
    queries: {
      used: of('tracker_memory_used_bytes'),
      limit: of('tracker_memory_limit_bytes'),
    },
  }),
  chart('Refused because memory is full', {
    description:
      'Announces a second that were refused or whose peer was not remembered. Raise runtime.max_memory, or lower core.tracker_policy.max_peer_timeout.',
    unit: units.CountsPerSecond,
    width: 8,
    queries: { refused: rate('tracker_refused_full_total') },
  }),
]

const machine = [
  chart('Threads: busy', {
    description:
      'Share of the time that a thread runs. Near 100 % of all serving threads: more threads (runtime.workers) or a faster machine.',
    unit: units.PercentUnit,
    width: 8,
    max: 1,
    queries: { 'thread {{thread}}': rate('tracker_thread_cpu_seconds_total') },
  }),
  chart('Threads: waiting for a processor', {
    description:
      'Share of the time that a thread could run and does not get a processor: the machine has too few, or others use them.',
    unit: units.PercentUnit,
    width: 8,
    max: 0.1,
    queries: { 'thread {{thread}}': rate('tracker_thread_wait_seconds_total') },
  }),
  chart('Event loops: late', {
    description:
      'How long what a thread serves waited at most. Late without being busy: the machine swaps, or was stopped.',
    unit: units.Seconds,
    width: 8,
    steps: ['green', [0.5, 'red']],
    queries: { 'thread {{thread}}': of('tracker_event_loop_delay_seconds') },
  }),
  chart('Memory of the process', {
    description: 'All of it: torrents and peers, and the program.',
    unit: units.BytesIEC,
    width: 8,
    queries: { resident: of('process_resident_memory_bytes') },
  }),
  chart('Open files', {
    description:
      'Each open HTTP connection and WebSocket is one. At the limit new ones are refused: LimitNOFILE of the service, `ulimits` of the container.',
    unit: units.Short,
    width: 8,
    queries: { open: of('process_open_fds'), limit: of('process_max_fds') },
  }),
  chart('Sweeps', {
    description:
      'How long the last sweep of expired peers took, and the longest time for which it held a lock.',
    unit: units.Seconds,
    width: 8,
    queries: {
      'whole sweep': of('tracker_sweep_duration_seconds'),
      'longest lock': of('tracker_sweep_longest_lock_seconds'),
    },
  }),
]

const database = [
  chart('Time of a call', {
    description: 'Half and 99 % of the calls are faster; failures included.',
    unit: units.Seconds,
    width: 8,
    nothing: 'no database',
    queries: { half: called(0.5), '99 %': called(0.99) },
  }),
  chart('Failures', {
    description: 'Calls a second that failed. The log of the tracker says why.',
    unit: units.CountsPerSecond,
    width: 8,
    nothing: 'no database',
    queries: { failed: rate('tracker_database_failures_total') },
  }),
  chart('Downloads that wait', {
    description:
      'Completed downloads that the database does not have yet. They are lost if the tracker ends before it works again.',
    unit: units.Short,
    width: 8,
    nothing: 'no database',
    queries: { waiting: of('tracker_database_owed_downloads') },
  }),
]

const access = [
  chart('Keys and whitelist', {
    description:
      'Keys of clients and listed torrents in memory, where clients need a key or torrents must be listed.',
    unit: units.Short,
    width: 8,
    nothing: 'the tracker is public',
    queries: { keys: of('tracker_keys'), 'listed torrents': of('tracker_listed_torrents') },
  }),
  bars('Certificates', {
    description: 'Time until they end.',
    unit: units.Seconds,
    width: 8,
    steps: ['red', [3 * DAY, 'orange'], [14 * DAY, 'green']],
    nothing: 'no listener has one',
    queries: {
      '{{listener}}': `${of('tracker_certificate_expiry_timestamp_seconds')} - time()`,
    },
  }),
  tile('Running since', {
    description: 'A start empties the swarm: peers are there again after one announce interval.',
    unit: units.DurationSeconds,
    width: 4,
    queries: { running: `time() - ${of('process_start_time_seconds')}` },
  }),
  tile('Threads that died', {
    description:
      'Since the start; each was replaced. This is a defect of the tracker: report it with the lines of the log around it.',
    unit: units.Short,
    width: 2,
    steps: ['green', [1, 'red']],
    queries: { deaths: of('tracker_thread_deaths_total') },
  }),
  tile('Version', {
    description: 'Version of the program.',
    unit: units.Short,
    width: 2,
    text: true,
    queries: { '{{version}}': of('tracker_build_info') },
  }),
]

export const overview = board('tracker', 'Tracker', {
  description: 'One BitTorrent tracker: whether it is well, what it serves, and what it takes.',
  sections: {
    Now: now,
    Traffic: traffic,
    Swarm: swarm,
    WebTorrent: webTorrent(of, rate),
    Machine: machine,
    Database: database,
    Accounting: accounting(of, rate),
    'Access and version': access,
  },
})
