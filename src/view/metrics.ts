/**
 * The metrics of the tracker, each declared once: its name outside, what it means, and how it is read. Made from
 * this table: `GET /api/v1/metrics` and `GET /metrics` (view/exposition.ts), and the page docs/metrics.md (view/metrics-page.ts). The
 * names up to `udp_tracker_server_` are the reference's (docs/behaviours.md M8–M10), those behind them ours.
 */
import { WEB } from '../bittorrent.ts'
import {
  type Counter,
  KINDS_OF,
  type Kind,
  type ListenerCounters,
  type ListenerType,
  REFUSED_KINDS,
  SERVED,
  type ThreadCounter,
  TIME_BOUNDS,
  type Times,
} from '../memory/counters.ts'
import { outcomeName, REFUSALS } from '../refusal.ts'
import type { Totals } from '../swarm/swarm.ts'
import type { Census } from '../swarm/sweep.ts'

export type MeteredListener = {
  readonly type: ListenerType
  readonly scheme: 'udp' | 'http' | 'https' | 'ws' | 'wss'
  readonly address: { readonly ip: string; readonly port: number }
  readonly publicUrl: string | null
  readonly counters: ListenerCounters
  /** Whether the reference's metrics show it. */
  readonly isCounted: boolean
  /** Datagrams the kernel dropped because the socket's buffer was full; undefined: not known. */
  readonly drops: number | undefined
  /** When its certificate ends, in seconds since the epoch; undefined: it has none. */
  readonly certificateEnds: number | undefined
}

export type MeteredThread = {
  /** `1` and so on for serving threads, `control`. */
  readonly name: string
  /** Seconds on a processor, and waiting for one; undefined: not known. */
  readonly busy: { readonly ran: number; readonly waited: number } | undefined
  /** Seconds that its event loop was late at most within the last seconds. */
  readonly delay: number
}

/** What is accounted. Counts and bytes are since the start. */
export type MeteredAccounting = {
  readonly level: 'torrents' | 'users'
  /** Announces by event. */
  readonly events: Readonly<Record<string, number>>
  /** Announces that no ring had room for. */
  readonly eventsLost: number
  /** Part of each serving thread's ring that is in use, from 0 to 1. */
  readonly rings: readonly number[]
  readonly sessions: number
  /** Sessions that owe the database something, and the bytes up and down of them. */
  readonly owedRecords: number
  readonly owedBytes: number
  /** Seconds since the oldest of what is to be written at once is owed: not of what owes time only. */
  readonly lagSeconds: number
  /** By result. */
  readonly batches: Readonly<Record<string, number>>
  readonly uploaded: number
  readonly downloaded: number
  /** By kind. */
  readonly flags: Readonly<Record<string, number>>
  /** Announces over a limit of their account, by limit. */
  readonly limited: Readonly<Record<string, number>>
}

/** What metrics are read from, of one moment. */
export type MetricSources = {
  /** When that was, since the epoch. */
  readonly milliseconds: number
  readonly version: string
  readonly commit: string | undefined
  /** Why clients are not served as they should be, in words with the remedy; undefined: they are. */
  readonly degraded: string | undefined
  /** Whether the reference's metrics are kept at all (`core.tracker_usage_statistics`). */
  readonly isCounted: boolean
  readonly listeners: readonly MeteredListener[]
  /** The management API; undefined: there is none. */
  readonly api: { readonly url: string; readonly certificateEnds: number | undefined } | undefined
  readonly totals: Totals
  /** Over all threads. */
  count(counter: ThreadCounter): number
  /** Bytes for torrents and peers. */
  readonly memory: { readonly used: number; readonly limit: number }
  /** Of the last sweep; undefined: there was none. */
  readonly sweep:
    | { readonly seconds: number; readonly longestHold: number; readonly census: Census }
    | undefined
  readonly sweeps: number
  readonly threads: readonly MeteredThread[]
  readonly threadDeaths: number
  readonly process: {
    /** Seconds since the epoch. */
    readonly startTime: number
    readonly cpuSeconds: number
    readonly residentBytes: number
    /** undefined: not known. */
    readonly openFiles: number | undefined
    readonly mostFiles: number | undefined
  }
  /** undefined: there is none. */
  readonly database:
    | {
        readonly isUp: boolean
        readonly calls: Times
        readonly failures: number
        /** Completed downloads that it does not have yet. */
        readonly owed: number
      }
    | undefined
  /** Completions in the database; undefined: they are not kept. */
  readonly persistedDownloads: number | undefined
  /** Entries of the access tables; undefined: clients need no key, torrents need not be listed. */
  readonly keys: number | undefined
  readonly listed: number | undefined
  /** Addresses that showed wrong connection ids. */
  readonly bans: number
  /** undefined: it is off. */
  readonly accounting: MeteredAccounting | undefined
}

export type Labels = Readonly<Record<string, string>>
export type Distribution = {
  /** Upper bounds of the buckets, ascending; one more bucket has no bound. */
  readonly bounds: readonly number[]
  /** By bucket, not summed up. */
  readonly counts: readonly number[]
  readonly sum: number
}
export type Sample = { readonly labels: Labels; readonly value: number | Distribution }

export type Metric = {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly unit: 'count' | 'seconds' | 'nanoseconds' | 'bytes' | null
  /** One sentence. */
  readonly help: string
  /** In the order in which people read them. */
  readonly labels: readonly string[]
  /** No samples: what it is about is not there. */
  read(sources: MetricSources): Iterable<Sample>
}

type Reader = (
  sources: MetricSources,
) => Iterable<Sample> | number | Distribution | boolean | undefined

const metric =
  (type: Metric['type'], unit: Metric['unit']) =>
  (name: string, help: string, read: Reader, labels: readonly string[] = []): Metric => ({
    name,
    type,
    unit,
    help,
    labels,
    read: (sources) => {
      const found = read(sources)
      if (found === undefined) return []
      if (typeof found === 'boolean') return [{ labels: {}, value: Number(found) }]
      if (typeof found === 'number' || 'bounds' in found) return [{ labels: {}, value: found }]
      return found
    },
  })
const counter = metric('counter', 'count')
const gauge = metric('gauge', 'count')
const seconds = metric('gauge', 'seconds')
const bytes = metric('gauge', 'bytes')

const samples = <T>(
  each: readonly T[],
  labels: (one: T) => Labels,
  value: (one: T) => number | Distribution | undefined,
): Sample[] =>
  each.flatMap((one) => {
    const read = value(one)
    return read === undefined ? [] : [{ labels: labels(one), value: read }]
  })

// The reference's.

const ROLES = ['seeder', 'leecher'] as const
type Role = (typeof ROLES)[number]

const byRole = (read: (role: Role, sources: MetricSources) => number) => (sources: MetricSources) =>
  samples(
    ROLES,
    (role) => ({ peer_role: role }),
    (role) => read(role, sources),
  )
const peers = (change: 'Added' | 'Removed' | 'Updated') =>
  byRole((role, { count }) => count(`${role}s${change}`))

/** Of a listener; `public_url` only if it has one. */
export const BINDING = [
  'server_binding_protocol',
  'server_binding_ip',
  'server_binding_port',
  'server_binding_address_ip_family',
  'server_binding_address_ip_type',
  'public_url',
] as const
export const CLIENT = ['client_address_ip_family', 'client_address_ip_type'] as const

const isSix = (ip: string): boolean => ip.includes(':')
const typeOf = (ip: string): string => (/^::ffff:/i.test(ip) ? 'v4_mapped_v6' : 'plain')

function bindingOf({ scheme, address: { ip, port }, publicUrl }: MeteredListener): Labels {
  return {
    server_binding_protocol: scheme,
    server_binding_ip: ip,
    server_binding_port: String(port),
    server_binding_address_ip_family: isSix(ip) ? 'inet6' : 'inet',
    server_binding_address_ip_type: typeOf(ip),
    ...(publicUrl !== null && { public_url: publicUrl }),
  }
}

/** An IPv4 client of an IPv6 socket counts as IPv4, as everywhere; the type tells how it came. */
const clientOf = ({ address }: MeteredListener, family: 'ipv4' | 'ipv6'): Labels => ({
  client_address_ip_family: family === 'ipv4' ? 'inet' : 'inet6',
  client_address_ip_type: family === 'ipv4' && isSix(address.ip) ? 'v4_mapped_v6' : 'plain',
})

type Figures = { readonly ipv4: number; readonly ipv6: number }
const FAMILIES = ['ipv4', 'ipv6'] as const

const isOf =
  (type: ListenerType) =>
  (listener: MeteredListener): boolean =>
    listener.type === type
/** Of one type, those that the reference's metrics show. */
const countedOf = (type: ListenerType, { listeners }: MetricSources) =>
  listeners.filter(({ isCounted }) => isCounted).filter(isOf(type))

/** Figures of a listener, each with labels that tell it from the others. */
type ReadCounters = (counters: ListenerCounters) => readonly (readonly [Labels, Figures])[]
const byClient = (listener: MeteredListener, read: ReadCounters) =>
  read(listener.counters).flatMap(([more, figures]) =>
    samples(
      FAMILIES,
      (family) => ({ ...bindingOf(listener), ...clientOf(listener, family), ...more }),
      (family) => figures[family],
    ),
  )
/** Of the counted listeners of one type. */
const perClient = (type: ListenerType, read: ReadCounters) => (sources: MetricSources) =>
  countedOf(type, sources).flatMap((listener) => byClient(listener, read))
const udp = (counter: Counter) =>
  perClient('udp_tracker', (counters) => [[{}, counters.read(counter)]])

const sumUp = (all: readonly Figures[]): Figures =>
  all.reduce((a, b) => ({ ipv4: a.ipv4 + b.ipv4, ipv6: a.ipv6 + b.ipv6 }), { ipv4: 0, ipv6: 0 })

/** Requests of a kind, served or not. */
const requestsOf = (counters: ListenerCounters, kind: Kind): Figures =>
  sumUp([
    counters.read(SERVED[kind]),
    ...REFUSALS.map((refusal) => counters.refused(kind, refusal)),
    ...(kind === 'answer' ? [counters.read('strayAnswers')] : []),
  ])
const byKind =
  (kinds: readonly Kind[], read: (counters: ListenerCounters, kind: Kind) => Figures) =>
  (counters: ListenerCounters) =>
    kinds.map((kind) => [{ request_kind: kind }, read(counters, kind)] as const)
const WITH_KIND = [...BINDING, ...CLIENT, 'request_kind']

const results = (kinds: readonly Kind[]) => (counters: ListenerCounters) => [
  ...kinds.map(
    (kind) => [{ result: 'ok', request_kind: kind }, counters.read(SERVED[kind])] as const,
  ),
  [{ result: 'error' }, counters.read('errors')] as const,
]

/** Per listener and kind: times do not tell families apart. */
const timesBy = (read: (times: Times) => number) => (sources: MetricSources) =>
  countedOf('udp_tracker', sources).flatMap((listener) =>
    samples(
      KINDS_OF.udp_tracker,
      (kind) => ({
        ...bindingOf(listener),
        ...clientOf(listener, isSix(listener.address.ip) ? 'ipv6' : 'ipv4'),
        request_kind: kind,
      }),
      (kind) => {
        const times = listener.counters.times(kind)
        return times.samples === 0 ? undefined : read(times)
      },
    ),
  )

const SWARM = 'swarm_coordination_registry_'
const UDP = 'udp_tracker_server_'

const REFERENCE: readonly Metric[] = [
  counter(`${SWARM}torrents_added_total`, 'Torrents that appeared.', ({ count }) =>
    count('torrentsAdded'),
  ),
  counter(`${SWARM}torrents_removed_total`, 'Torrents that were forgotten.', ({ count }) =>
    count('torrentsRemoved'),
  ),
  gauge(`${SWARM}torrents_total`, 'Torrents in memory.', ({ totals }) => totals.torrents),
  counter(
    `${SWARM}torrents_downloads_total`,
    'Peers that completed a download since the start.',
    ({ totals }) => [{ labels: { peer_role: 'seeder' }, value: totals.completions }],
    ['peer_role'],
  ),
  gauge(
    `${SWARM}torrents_inactive_total`,
    'Torrents without a peer at the last sweep.',
    ({ sweep }) => sweep?.census.sizes[0],
  ),
  counter(`${SWARM}peers_added_total`, 'Peers that joined a swarm.', peers('Added'), ['peer_role']),
  counter(
    `${SWARM}peers_removed_total`,
    'Peers that left a swarm or fell silent.',
    peers('Removed'),
    ['peer_role'],
  ),
  counter(
    `${SWARM}peers_updated_total`,
    'Announces of peers that were known already.',
    peers('Updated'),
    ['peer_role'],
  ),
  gauge(
    `${SWARM}peer_connections_total`,
    'Peers in all swarms; a client counts in each of its swarms.',
    byRole((role, { totals }) => totals[`${role}s`]),
    ['peer_role'],
  ),
  gauge(
    `${SWARM}peers_inactive_total`,
    'Peers that the last sweep found expired, and removed.',
    ({ sweep }) => sweep?.census.expired,
  ),
  counter(
    `${SWARM}peers_completed_state_reverted_total`,
    'Peers that had everything and then had bytes left again.',
    ({ count }) => count('completionsReverted'),
  ),
  counter(
    'tracker_core_persistent_torrents_downloads_total',
    'Completed downloads of all times where the database keeps them, else since the start.',
    ({ persistedDownloads, totals }) => persistedDownloads ?? totals.completions,
  ),
  counter(
    'tracker_core_in_session_torrents_downloads_total',
    'Completed downloads since the start.',
    ({ isCounted, totals }) => (isCounted ? totals.completions : undefined),
  ),
  counter(
    'tracker_core_persisted_torrents_downloads_total',
    'Completed downloads in the database.',
    ({ persistedDownloads }) => persistedDownloads,
  ),
  counter(
    'http_tracker_core_requests_received_total',
    'Announces and scrapes over HTTP, refused ones included.',
    perClient('http_tracker', byKind(KINDS_OF.http_tracker, requestsOf)),
    WITH_KIND,
  ),
  counter(
    'udp_tracker_core_requests_received_total',
    'Requests over UDP that were served.',
    perClient(
      'udp_tracker',
      byKind(KINDS_OF.udp_tracker, (counters, kind) => counters.read(SERVED[kind])),
    ),
    WITH_KIND,
  ),
  counter(`${UDP}requests_aborted_total`, 'Datagrams dropped unread in a flood.', udp('aborted'), [
    ...BINDING,
    ...CLIENT,
  ]),
  counter(
    `${UDP}requests_discarded_total`,
    'Datagrams dropped because they came from port 0.',
    udp('discarded'),
    [...BINDING, ...CLIENT],
  ),
  counter(
    `${UDP}requests_banned_total`,
    'Datagrams dropped because of wrong connection ids of their address.',
    udp('banned'),
    [...BINDING, ...CLIENT],
  ),
  gauge(
    `${UDP}ips_banned_total`,
    'Addresses that showed a wrong connection id since the last reset.',
    ({ bans }) => bans,
  ),
  counter(
    `${UDP}connection_id_errors_total`,
    'Announces and scrapes with a connection id that is forged, expired or from the future.',
    udp('connectionIdErrors'),
    [...BINDING, ...CLIENT],
  ),
  counter(`${UDP}requests_received_total`, 'Datagrams that arrived.', udp('received'), [
    ...BINDING,
    ...CLIENT,
  ]),
  counter(
    `${UDP}requests_accepted_total`,
    'Datagrams that are requests.',
    perClient('udp_tracker', byKind(KINDS_OF.udp_tracker, requestsOf)),
    WITH_KIND,
  ),
  counter(
    `${UDP}responses_sent_total`,
    'Answers over UDP.',
    perClient('udp_tracker', results(KINDS_OF.udp_tracker)),
    [...WITH_KIND, 'result'],
  ),
  counter(`${UDP}errors_total`, 'Requests answered with an error.', udp('errors'), [
    ...BINDING,
    ...CLIENT,
  ]),
  metric('gauge', 'nanoseconds')(
    `${UDP}performance_avg_processing_time_ns`,
    'Mean time from a request to its answer, of a sample of the requests.',
    timesBy(({ nanoseconds, samples }) => nanoseconds / samples),
    WITH_KIND,
  ),
  counter(
    `${UDP}performance_avg_processed_requests_total`,
    'Requests in that sample.',
    timesBy(({ samples }) => samples),
    WITH_KIND,
  ),
]

// Ours.

const nameOf = ({ scheme, address: { ip, port } }: MeteredListener): string =>
  `${scheme}://${isSix(ip) ? `[${ip}]` : ip}:${port}`

/** Of the trackers and of the API: where each is served, and when it ends, in seconds since the epoch. */
export const certificatesOf = ({ listeners, api }: MetricSources) =>
  [
    ...listeners.map((one) => ({ url: nameOf(one), ends: one.certificateEnds })),
    { url: api?.url ?? '', ends: api?.certificateEnds },
  ].flatMap(({ url, ends }) => (ends === undefined ? [] : [{ url, ends }]))

const perListener =
  (read: (listener: MeteredListener) => number | undefined) =>
  ({ listeners }: MetricSources) =>
    samples(listeners, (listener) => ({ listener: nameOf(listener) }), read)

const perFamily =
  (read: (listener: MeteredListener) => readonly (readonly [Labels, Figures])[]) =>
  ({ listeners }: MetricSources) =>
    listeners.flatMap((listener) =>
      read(listener).flatMap(([more, figures]) =>
        samples(
          FAMILIES,
          (family) => ({ listener: nameOf(listener), family, ...more }),
          (family) => figures[family],
        ),
      ),
    )

/** How all that arrived ended. Of what was not served only what happened. */
function outcomesOf({ counters, type }: MeteredListener): (readonly [Labels, Figures])[] {
  const served = KINDS_OF[type].map(
    (kind) => [{ kind, outcome: 'served' }, counters.read(SERVED[kind])] as const,
  )
  const refused = REFUSED_KINDS.flatMap((kind) =>
    REFUSALS.map(
      (refusal) =>
        [{ kind, outcome: outcomeName(refusal) }, counters.refused(kind, refusal)] as const,
    ),
  )
  const dropped = (
    [
      ['other', 'malformed', 'malformed'],
      ['other', 'discarded', 'discarded'],
      ['other', 'aborted', 'aborted'],
      ['answer', 'stray', 'strayAnswers'],
    ] as const
  ).map(([kind, outcome, counter]) => [{ kind, outcome }, counters.read(counter)] as const)
  const happened = [...refused, ...dropped].filter(([, { ipv4, ipv6 }]) => ipv4 + ipv6 > 0)
  return [...served, ...happened]
}

const sumOf = (all: readonly Times[]): Distribution => ({
  bounds: TIME_BOUNDS.map((bound) => bound / 1e9),
  counts: TIME_BOUNDS.concat(0).map((_, i) =>
    all.reduce((sum, { buckets }) => sum + buckets[i]!, 0),
  ),
  sum: all.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0) / 1e9,
})

const PROTOCOLS = (
  [
    ['udp', 'udp_tracker'],
    ['http', 'http_tracker'],
    ['websocket', 'websocket_tracker'],
  ] as const
).flatMap(([protocol, type]) => KINDS_OF[type].map((kind) => ({ protocol, type, kind })))

/** Of WebSocket listeners: ours, with the labels of the reference's metrics beside our own. */
const WEB_SOCKET_SERVER = 'websocket_tracker_server_'
const web =
  (read: ReadCounters) =>
  ({ listeners }: MetricSources) =>
    listeners.filter(isOf('websocket_tracker')).flatMap((listener) =>
      byClient(listener, read).map(({ labels, value }) => ({
        labels: { listener: nameOf(listener), ...labels },
        value,
      })),
    )
const webCount = (counter: Counter) => web((counters) => [[{}, counters.read(counter)]])
/** Several counters, told apart by the values of one label. */
const webBy = (label: string, counted: readonly (readonly [value: string, Counter])[]) =>
  web((counters) =>
    counted.map(([value, counter]) => [{ [label]: value }, counters.read(counter)] as const),
  )
const WEB_CLIENT = ['listener', ...BINDING, ...CLIENT] as const

const WEB_SOCKET: readonly Metric[] = [
  counter(
    'websocket_tracker_core_requests_received_total',
    'Announces, scrapes and answers to offers over WebSockets, refused ones included.',
    web(byKind(KINDS_OF.websocket_tracker, requestsOf)),
    [...WEB_CLIENT, 'request_kind'],
  ),
  gauge(
    `${WEB_SOCKET_SERVER}connections_open`,
    'WebSockets that are open.',
    web((counters) => [[{}, counters.open]]),
    WEB_CLIENT,
  ),
  counter(
    `${WEB_SOCKET_SERVER}connections_accepted_total`,
    'WebSockets that were opened.',
    webCount('opened'),
    WEB_CLIENT,
  ),
  counter(
    `${WEB_SOCKET_SERVER}connections_closed_total`,
    'WebSockets that were closed: by the client, because they were idle, faulty or slow, or because the listener was stopped.',
    webBy('reason', [
      ['client', 'closedByClient'],
      ['idle', 'closedIdle'],
      ['faulty', 'closedFaulty'],
      ['slow', 'closedSlow'],
      ['stopped', 'closedStopped'],
    ]),
    [...WEB_CLIENT, 'reason'],
  ),
  counter(
    `${WEB_SOCKET_SERVER}messages_relayed_total`,
    'Offers and answers handed to the client that they are for.',
    webBy('kind', [
      ['offer', 'relayedOffers'],
      ['answer', 'relayedAnswers'],
    ]),
    [...WEB_CLIENT, 'kind'],
  ),
  counter(
    `${WEB_SOCKET_SERVER}offers_dropped_total`,
    'Offers that reached no peer: there was none, it has too much to read already, the client made too many, or the thread of the peer has too much to do.',
    webBy('reason', [
      ['no_peer', 'offersWithoutPeer'],
      ['slow_peer', 'offersToSlow'],
      ['rate', 'offersOverRate'],
      ['link', 'offersOverLink'],
    ]),
    [...WEB_CLIENT, 'reason'],
  ),
  counter(
    `${WEB_SOCKET_SERVER}answers_refused_total`,
    'Answers that match no offer, or came too late.',
    webCount('strayAnswers'),
    WEB_CLIENT,
  ),
  counter(
    `${WEB_SOCKET_SERVER}responses_sent_total`,
    'Responses to announces and scrapes over WebSockets.',
    web(results(['announce', 'scrape'])),
    [...WEB_CLIENT, 'request_kind', 'result'],
  ),
  counter(
    `${WEB_SOCKET_SERVER}errors_total`,
    'Messages answered with a failure.',
    webCount('errors'),
    WEB_CLIENT,
  ),
  counter(
    `${WEB_SOCKET_SERVER}links_crossed_total`,
    'Offers and answers handed to another thread.',
    webCount('crossed'),
    WEB_CLIENT,
  ),
]

/** Of accounting, by the values of one label. */
const accounted =
  (label: string, read: (accounting: MeteredAccounting) => Readonly<Record<string, number>>) =>
  ({ accounting }: MetricSources) =>
    samples(
      Object.entries(accounting === undefined ? {} : read(accounting)),
      ([value]) => ({ [label]: value }),
      ([, figure]) => figure,
    )

const ACCOUNTING: readonly Metric[] = [
  counter(
    'tracker_accounting_events_total',
    'Announces that were accounted, by event.',
    accounted('kind', ({ events }) => events),
    ['kind'],
  ),
  counter(
    'tracker_accounting_events_lost_total',
    'Announces that were not accounted, because the ring of their thread was full. What is lost with one that stops or completes stays lost.',
    ({ accounting }) => accounting?.eventsLost,
  ),
  gauge(
    'tracker_accounting_ring_used_ratio',
    'Part of the ring of a serving thread that waits to be accounted, from 0 to 1.',
    ({ accounting }) =>
      accounting?.rings.map((used, i) => ({ labels: { thread: String(i + 1) }, value: used })),
    ['thread'],
  ),
  gauge(
    'tracker_accounting_sessions',
    'Sessions in memory: clients of accounts on torrents.',
    ({ accounting }) => accounting?.sessions,
  ),
  gauge(
    'tracker_accounting_owed_records',
    'Sessions with something that the database does not have yet, seed time included.',
    ({ accounting }) => accounting?.owedRecords,
  ),
  bytes(
    'tracker_accounting_owed_bytes',
    'Bytes up and down that the database does not have yet.',
    ({ accounting }) => accounting?.owedBytes,
  ),
  seconds(
    'tracker_accounting_lag_seconds',
    'For how long the oldest of what is to be written at once has waited.',
    ({ accounting }) => accounting?.lagSeconds,
  ),
  counter(
    'tracker_accounting_batches_total',
    'Batches that the database took, or did not take and will be given again.',
    accounted('result', ({ batches }) => batches),
    ['result'],
  ),
  metric('counter', 'bytes')(
    'tracker_accounting_bytes_total',
    'Bytes that clients moved, as they say themselves and as the rules count them, before percentages.',
    accounted('direction', ({ uploaded, downloaded }) => ({ up: uploaded, down: downloaded })),
    ['direction'],
  ),
  counter(
    'tracker_accounting_flags_total',
    'What looked like cheating, by kind. Those of one kind, account and torrent within an hour are one in the list of flags.',
    accounted('kind', ({ flags }) => flags),
    ['kind'],
  ),
  counter(
    'tracker_accounting_limited_total',
    'Announces that got no peers because their account is over a limit, by limit.',
    accounted('limit', ({ limited }) => limited),
    ['limit'],
  ),
]

const LISTENER = ['listener'] as const
const BY_FAMILY = ['listener', 'family'] as const
const THREAD = ['thread'] as const

const OURS: readonly Metric[] = [
  gauge(
    'tracker_build_info',
    'Version and commit of the program; the value is 1.',
    ({ version, commit = '' }) => [{ labels: { version, commit }, value: 1 }],
    ['version', 'commit'],
  ),
  gauge(
    'tracker_degraded',
    'Whether clients are not served as they should be: memory is full, or answers are lost.',
    ({ degraded }) => degraded !== undefined,
  ),
  counter(
    'tracker_requests_total',
    'All that arrived, by what became of it. Reasons that never happened are absent.',
    perFamily(outcomesOf),
    [...BY_FAMILY, 'kind', 'outcome'],
  ),
  metric('histogram', 'seconds')(
    'tracker_request_duration_seconds',
    'Time from a request to its answer, without the time in the system: one of 61 over UDP, one of 7 over HTTP and WebSockets.',
    ({ listeners }) =>
      samples(
        PROTOCOLS,
        ({ protocol, kind }) => ({ protocol, kind }),
        ({ type, kind }) => {
          const all = listeners.filter(isOf(type))
          return all.length === 0
            ? undefined
            : sumOf(all.map(({ counters }) => counters.times(kind)))
        },
      ),
    ['protocol', 'kind'],
  ),
  metric('counter', 'bytes')(
    'tracker_received_bytes_total',
    'Bytes of datagrams, of the URLs of HTTP requests, or of messages over WebSockets.',
    perFamily(({ counters }) => [[{}, counters.read('bytesReceived')]]),
    BY_FAMILY,
  ),
  metric('counter', 'bytes')(
    'tracker_sent_bytes_total',
    'Bytes of answers and relayed messages, without the headers of HTTP and of what is below.',
    perFamily(({ counters }) => [[{}, counters.read('bytesSent')]]),
    BY_FAMILY,
  ),
  counter(
    'tracker_connection_id_errors_total',
    'UDP requests with a connection id that is forged, expired or from the future.',
    perFamily(({ counters, type }) =>
      type === 'udp_tracker' ? [[{}, counters.read('connectionIdErrors')]] : [],
    ),
    BY_FAMILY,
  ),
  counter(
    'tracker_unsent_answers_total',
    'UDP answers that the system did not take.',
    // Not told apart by family: one of the two counts all.
    perListener(({ type, counters }) =>
      type === 'udp_tracker' ? counters.read('unsent').ipv4 : undefined,
    ),
    LISTENER,
  ),
  counter(
    'tracker_socket_errors_total',
    'Errors that the system reported on UDP sockets.',
    perListener(({ type, counters }) =>
      type === 'udp_tracker' ? counters.read('socketErrors').ipv4 : undefined,
    ),
    LISTENER,
  ),
  counter(
    'tracker_receive_buffer_drops_total',
    'Datagrams that the system dropped because the receive buffer was full.',
    perListener(({ drops }) => drops),
    LISTENER,
  ),
  gauge('tracker_torrents', 'Torrents in memory.', ({ totals }) => totals.torrents),
  gauge(
    'tracker_peers',
    'Peers in all swarms; a client counts in each of its swarms.',
    ({ totals }) =>
      totals.byFamily.flatMap((one) =>
        samples(
          ROLES,
          (role) => ({ family: one.family === WEB ? 'webtorrent' : `ipv${one.family}`, role }),
          (role) => one[`${role}s`],
        ),
      ),
    ['family', 'role'],
  ),
  metric('histogram', 'count')(
    'tracker_swarm_peers',
    'Torrents by number of peers at the last sweep.',
    ({ sweep }) => {
      if (sweep === undefined) return undefined
      const { sizes, peers } = sweep.census
      // Size class i ends at 2^i − 1.
      return { bounds: sizes.map((_, i) => 2 ** i - 1), counts: [...sizes, 0], sum: peers }
    },
  ),
  counter(
    'tracker_downloads_total',
    'Peers that completed a download since the start.',
    ({ totals }) => totals.completions,
  ),
  bytes(
    'tracker_memory_used_bytes',
    'Memory that torrents and peers take.',
    ({ memory }) => memory.used,
  ),
  bytes(
    'tracker_memory_limit_bytes',
    'Memory that they may take (runtime.max_memory).',
    ({ memory }) => memory.limit,
  ),
  counter(
    'tracker_refused_full_total',
    'Announces refused, and peers not remembered, because that memory is spent.',
    ({ totals }) => totals.refusals,
  ),
  counter('tracker_sweeps_total', 'Sweeps that removed expired peers.', ({ sweeps }) => sweeps),
  seconds(
    'tracker_sweep_duration_seconds',
    'How long the last sweep took.',
    ({ sweep }) => sweep?.seconds,
  ),
  seconds(
    'tracker_sweep_longest_lock_seconds',
    'The longest time for which the last sweep held a lock, while announces may have waited.',
    ({ sweep }) => sweep?.longestHold,
  ),
  gauge(
    'tracker_threads',
    'Threads that serve clients.',
    ({ threads }) => threads.filter(({ name }) => name !== 'control').length,
  ),
  counter(
    'tracker_thread_deaths_total',
    'Threads that died and were replaced.',
    ({ threadDeaths }) => threadDeaths,
  ),
  metric('counter', 'seconds')(
    'tracker_thread_cpu_seconds_total',
    'Time that a thread ran on a processor. Each is busy at most one second a second.',
    ({ threads }) =>
      samples(
        threads,
        ({ name }) => ({ thread: name }),
        ({ busy }) => busy?.ran,
      ),
    THREAD,
  ),
  metric('counter', 'seconds')(
    'tracker_thread_wait_seconds_total',
    'Time that a thread could have run and waited for a processor.',
    ({ threads }) =>
      samples(
        threads,
        ({ name }) => ({ thread: name }),
        ({ busy }) => busy?.waited,
      ),
    THREAD,
  ),
  seconds(
    'tracker_event_loop_delay_seconds',
    'How late the event loop of a thread was at most within the last ten seconds.',
    ({ threads }) =>
      samples(
        threads,
        ({ name }) => ({ thread: name }),
        ({ delay }) => delay,
      ),
    THREAD,
  ),
  gauge('tracker_database_up', 'Whether the database works.', ({ database }) => database?.isUp),
  metric('histogram', 'seconds')(
    'tracker_database_request_duration_seconds',
    'Time from a call of the database to its answer, failures included.',
    ({ database }) => database && sumOf([database.calls]),
  ),
  counter(
    'tracker_database_failures_total',
    'Calls of the database that failed.',
    ({ database }) => database?.failures,
  ),
  gauge(
    'tracker_database_owed_downloads',
    'Completed downloads that wait to be written to the database.',
    ({ database }) => database?.owed,
  ),
  gauge('tracker_keys', 'Keys in memory, expired ones included for an hour.', ({ keys }) => keys),
  gauge('tracker_listed_torrents', 'Torrents on the whitelist.', ({ listed }) => listed),
  gauge(
    'tracker_wrong_id_addresses',
    'Addresses that showed a wrong connection id since the last reset.',
    ({ bans }) => bans,
  ),
  seconds(
    'tracker_certificate_expiry_timestamp_seconds',
    'When the certificate of a listener ends, in seconds since 1970.',
    (sources) =>
      samples(
        certificatesOf(sources),
        ({ url }) => ({ listener: url }),
        ({ ends }) => ends,
      ),
    LISTENER,
  ),
  metric('counter', 'seconds')(
    'process_cpu_seconds_total',
    'Time that all threads ran on a processor.',
    ({ process }) => process.cpuSeconds,
  ),
  bytes(
    'process_resident_memory_bytes',
    'Memory of the process that is in use.',
    ({ process }) => process.residentBytes,
  ),
  gauge('process_open_fds', 'Files and sockets that are open.', ({ process }) => process.openFiles),
  gauge(
    'process_max_fds',
    'Files and sockets that may be open.',
    ({ process }) => process.mostFiles,
  ),
  seconds(
    'process_start_time_seconds',
    'When the program started, in seconds since 1970.',
    ({ process }) => process.startTime,
  ),
]

/** In the order of the answer. No name twice. */
export const METRICS: readonly Metric[] = [...REFERENCE, ...OURS, ...WEB_SOCKET, ...ACCOUNTING]
/** What there is of `METRICS`: where nothing is accounted, clients see no trace of that. */
export const metricsOf = ({ accounting }: MetricSources): readonly Metric[] =>
  accounting === undefined ? METRICS.filter((one) => !ACCOUNTING.includes(one)) : METRICS
/** Those in `METRICS` whose names and labels are the reference's. */
export const isReference = (metric: Metric): boolean => REFERENCE.includes(metric)
