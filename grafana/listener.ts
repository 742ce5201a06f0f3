/** The dashboard of one listener. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { board, chart, tile } from './panels.ts'
import { webTorrent } from './web-torrent.ts'

const of = (metric: string, ...labels: string[]): string =>
  `${metric}{${['instance="$tracker"', 'listener="$listener"', ...labels].join(',')}}`
const rate = (metric: string, ...labels: string[]): string =>
  `rate(${of(metric, ...labels)}[$__rate_interval])`

const DAY = 86_400

const now = [
  tile('Announces served', {
    description: 'Announces a second.',
    unit: units.RequestsPerSecond,
    width: 6,
    graph: true,
    queries: {
      served: `sum(${rate('tracker_requests_total', 'kind="announce"', 'outcome="served"')})`,
    },
  }),
  tile('Not served', {
    description: 'Share of all that arrives that is refused, dropped or not understood.',
    unit: units.PercentUnit,
    width: 6,
    steps: ['green', [0.05, 'orange'], [0.25, 'red']],
    queries: {
      refused: `1 - sum(${rate('tracker_requests_total', 'outcome="served"')}) / sum(${rate('tracker_requests_total')})`,
    },
  }),
  tile('Share of the tracker', {
    description: 'Of all that arrives at the tracker, what arrives here.',
    unit: units.PercentUnit,
    width: 6,
    queries: {
      share: `sum(${rate('tracker_requests_total')}) / sum(rate(tracker_requests_total{instance="$tracker"}[$__rate_interval]))`,
    },
  }),
  tile('Certificate', {
    description: 'Time until it ends.',
    unit: units.Seconds,
    width: 6,
    steps: ['red', [3 * DAY, 'orange'], [14 * DAY, 'green']],
    nothing: 'none',
    queries: { left: `${of('tracker_certificate_expiry_timestamp_seconds')} - time()` },
  }),
]

const requests = [
  chart('Served', {
    description: 'Requests a second that were served, by kind.',
    unit: units.RequestsPerSecond,
    width: 12,
    stacked: true,
    queries: {
      '{{kind}}': `sum by (kind) (${rate('tracker_requests_total', 'outcome="served"')})`,
    },
  }),
  chart('Not served, by reason', {
    description: 'Requests a second that were not served, by kind and reason (docs/metrics.md).',
    unit: units.RequestsPerSecond,
    width: 12,
    stacked: true,
    nothing: 'everything is served',
    queries: {
      '{{kind}} {{outcome}}': `sum by (kind, outcome) (${rate('tracker_requests_total', 'outcome!="served"')})`,
    },
  }),
  chart('By family', {
    description:
      'All that arrives a second, by family of the client. None over one family, where there was some: ask it from outside over that family.',
    unit: units.RequestsPerSecond,
    width: 12,
    queries: { '{{family}}': `sum by (family) (${rate('tracker_requests_total')})` },
  }),
  chart('Bytes', {
    description: 'Without the headers of HTTP and of the protocols below.',
    unit: units.BytesPerSecondSI,
    width: 12,
    queries: {
      received: `sum(${rate('tracker_received_bytes_total')})`,
      sent: `sum(${rate('tracker_sent_bytes_total')})`,
    },
  }),
]

const udp = [
  chart('Lost', {
    description:
      'Datagrams a second. Dropped by the system: the receive buffer was full (sysctl net.core.rmem_max, runtime.workers). Answers not taken: a firewall or a full connection table stops them.',
    unit: units.PacketsPerSecond,
    width: 12,
    nothing: 'only over UDP',
    queries: {
      'dropped by the system': rate('tracker_receive_buffer_drops_total'),
      'answers not taken': rate('tracker_unsent_answers_total'),
    },
  }),
  chart('Errors', {
    description:
      'A second: requests with a connection id that is forged or too old, and errors that the system reported (clients that were gone before their answer).',
    unit: units.CountsPerSecond,
    width: 12,
    nothing: 'only over UDP',
    queries: {
      'wrong connection ids': `sum(${rate('tracker_connection_id_errors_total')})`,
      'errors of the socket': rate('tracker_socket_errors_total'),
    },
  }),
]

export const listener = board('tracker-listener', 'Tracker: one listener', {
  description: 'What one socket of a BitTorrent tracker serves, and what it loses.',
  variables: [
    ['listener', 'Listener', 'label_values(tracker_requests_total{instance="$tracker"}, listener)'],
  ],
  sections: {
    Now: now,
    Requests: requests,
    'Over UDP': udp,
    'Over WebSockets': webTorrent(of, rate),
  },
})
