/** The table of metrics: what it declares, and that each metric says what it declares. */
import { describe, expect, test } from 'bun:test'
import { FLAG_KINDS } from '../../src/accounting/batch.ts'
import { WEB } from '../../src/bittorrent.ts'
import {
  AT,
  CLOSED,
  type ListenerCounters,
  OFFERS_DROPPED,
  REFUSED_AT,
} from '../../src/memory/counters.ts'
import { printJson, printText } from '../../src/view/exposition.ts'
import { type Distribution, isReference, METRICS } from '../../src/view/metrics.ts'
import { printPage } from '../../src/view/metrics-page.ts'
import { expectMade } from '../support/made-file.ts'
import {
  METERED_ACCOUNTING,
  meteredListener,
  metricSources,
} from '../support/view/metric-sources.ts'

const udp = meteredListener(1, { publicUrl: 'udp://tracker.example:6969', drops: 77 })
const six = meteredListener(1_000, { address: { ip: '::', port: 6969 } })
const http = meteredListener(2_000, {
  scheme: 'http',
  address: { ip: '127.0.0.1', port: 7070 },
  publicUrl: 'http://tracker.example/announce',
})
const https = meteredListener(3_000, {
  scheme: 'https',
  address: { ip: '::ffff:10.0.0.1', port: 443 },
  isCounted: false,
  certificateEnds: 1_900_000_000,
})
const ws = meteredListener(4_000, {
  scheme: 'ws',
  address: { ip: '::', port: 8000 },
  publicUrl: 'wss://tracker.example',
  isCounted: false,
})
// More connections were opened than closed.
for (const row of ws.counters.rows) for (const at of [AT.opened, AT.opened + 1]) row[at]! *= 100
const api = { url: 'https://127.0.0.1:1212', certificateEnds: 1_950_000_000 }
const all = metricSources({
  listeners: [udp, six, http, https],
  api,
  accounting: METERED_ACCOUNTING,
})
const samplesOf = (name: string, sources = all) =>
  Array.from(METRICS.find((metric) => metric.name === name)!.read(sources))
/** The values of a metric that have these labels. */
const valuesOf = (name: string, labels: Readonly<Record<string, string>> = {}) =>
  samplesOf(name)
    .filter((sample) =>
      Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )
    .map(({ value }) => value)
const sumOf = (name: string, labels: Readonly<Record<string, string>> = {}) =>
  valuesOf(name, labels).reduce<number>((sum, value) => sum + Number(value), 0)

test('the page of the metrics is that of the table', async () => {
  await expectMade('docs/metrics.md', printPage())
})

test('names, labels and helps keep the rules of the format', () => {
  expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length)
  for (const { name, type, help, labels } of METRICS) {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
    if (type === 'counter') expect(name).toEndWith('_total')
    expect(help).toMatch(/^[A-Z][^\n|\\]*\.$/)
    for (const label of labels) expect(label).toMatch(/^[a-z][a-z0-9_]*$/)
  }
})

test('every metric has samples, and each the labels that are declared', () => {
  for (const metric of METRICS) {
    const samples = Array.from(metric.read(withWeb))
    expect([metric.name, samples.length > 0]).toEqual([metric.name, true])
    const found = new Set(samples.flatMap(({ labels }) => Object.keys(labels)))
    expect([metric.name, [...found].sort()]).toEqual([metric.name, [...metric.labels].sort()])
    const sets = samples.map(({ labels }) => JSON.stringify(Object.entries(labels).sort()))
    expect([metric.name, new Set(sets).size]).toEqual([metric.name, samples.length])
  }
})

test('M8: the names of the reference are all here', () => {
  const names = METRICS.filter(isReference).map(({ name }) => name)
  const withPrefix = (prefix: string, ...rest: string[]) => rest.map((one) => prefix + one)
  expect(names.sort()).toEqual(
    [
      ...withPrefix(
        'swarm_coordination_registry_',
        'torrents_added_total',
        'torrents_removed_total',
        'torrents_total',
        'torrents_downloads_total',
        'torrents_inactive_total',
        'peers_added_total',
        'peers_removed_total',
        'peers_updated_total',
        'peer_connections_total',
        'peers_inactive_total',
        'peers_completed_state_reverted_total',
      ),
      ...withPrefix(
        'tracker_core_',
        'persistent_torrents_downloads_total',
        'in_session_torrents_downloads_total',
        'persisted_torrents_downloads_total',
      ),
      'http_tracker_core_requests_received_total',
      'udp_tracker_core_requests_received_total',
      ...withPrefix(
        'udp_tracker_server_',
        'requests_aborted_total',
        'requests_discarded_total',
        'requests_banned_total',
        'ips_banned_total',
        'connection_id_errors_total',
        'requests_received_total',
        'requests_accepted_total',
        'responses_sent_total',
        'errors_total',
        'performance_avg_processing_time_ns',
        'performance_avg_processed_requests_total',
      ),
    ].sort(),
  )
})

/** The same tracker with a WebSocket listener. */
const withWeb = metricSources({ ...all, listeners: [...all.listeners, ws] })

describe('listeners', () => {
  const both = (listener: { counters: ListenerCounters }, at: number) =>
    listener.counters.sum(at) + listener.counters.sum(at + 1)

  test('M8: the binding of each is in the labels, and the family of the client', () => {
    const received = samplesOf('udp_tracker_server_requests_received_total')
    expect(received.map(({ labels }) => labels)).toEqual(
      (['inet', 'inet6'] as const)
        .flatMap((family) => [
          {
            server_binding_protocol: 'udp',
            server_binding_ip: '0.0.0.0',
            server_binding_port: '6969',
            server_binding_address_ip_family: 'inet',
            server_binding_address_ip_type: 'plain',
            public_url: 'udp://tracker.example:6969',
            client_address_ip_family: family,
            client_address_ip_type: 'plain',
          },
        ])
        .concat(
          (['inet', 'inet6'] as const).map((family) => ({
            server_binding_protocol: 'udp',
            server_binding_ip: '::',
            server_binding_port: '6969',
            server_binding_address_ip_family: 'inet6',
            server_binding_address_ip_type: 'plain',
            client_address_ip_family: family,
            client_address_ip_type: family === 'inet' ? 'v4_mapped_v6' : 'plain',
          })) as never,
        ),
    )
    expect(received.map(({ value }) => value)).toEqual(
      [udp, six].flatMap(({ counters }) => [
        counters.sum(AT.received),
        counters.sum(AT.received + 1),
      ]),
    )
  })

  test('M7, M8: one that does not count is only in our own metrics', () => {
    const ports = (name: string) =>
      new Set(samplesOf(name).map(({ labels }) => labels.server_binding_port ?? labels.listener))
    expect(ports('http_tracker_core_requests_received_total')).toEqual(new Set(['7070']))
    expect(ports('tracker_requests_total')).toEqual(
      new Set([
        'udp://0.0.0.0:6969',
        'udp://[::]:6969',
        'http://127.0.0.1:7070',
        'https://[::ffff:10.0.0.1]:443',
      ]),
    )
  })

  test('all that arrived ended in one way', () => {
    const served = both(udp, AT.connects) + both(udp, AT.announces) + both(udp, AT.scrapes)
    const refused = Object.values(REFUSED_AT)
      .flatMap((reasons) => Object.values(reasons))
      .reduce((sum, at) => sum + both(udp, at), 0)
    const dropped = [AT.malformed, AT.discarded, AT.aborted, AT.strayAnswers].reduce(
      (sum, at) => sum + both(udp, at),
      0,
    )
    const labels = { listener: 'udp://0.0.0.0:6969' }
    expect(sumOf('tracker_requests_total', labels)).toBe(served + refused + dropped)
    expect(sumOf('tracker_requests_total', { ...labels, outcome: 'served' })).toBe(served)
    const missing = { ...labels, kind: 'announce', outcome: 'key_missing' }
    expect(sumOf('tracker_requests_total', missing)).toBe(both(udp, REFUSED_AT.announce.keyMissing))
    expect(valuesOf('tracker_requests_total', { ...missing, family: 'ipv6' })).toEqual([
      udp.counters.sum(REFUSED_AT.announce.keyMissing + 1),
    ])
  })

  test.each([
    ['udp', ['connect', 'announce', 'scrape']],
    ['http', ['announce', 'scrape']],
    ['ws', ['announce', 'scrape', 'answer']],
  ] as const)(
    'over %s what never happened is not listed, but for what is served',
    (scheme, kinds) => {
      const quiet = meteredListener(0, { scheme })
      for (const row of quiet.counters.rows) row.fill(0)
      quiet.counters.row(0)[REFUSED_AT.scrape.full + 1]!++
      const samples = samplesOf('tracker_requests_total', metricSources({ listeners: [quiet] }))
      expect(
        samples.map(({ labels: { kind, outcome, family }, value }) =>
          [kind, outcome, family, value].join(' '),
        ),
      ).toEqual([
        ...kinds.flatMap((kind) => [`${kind} served ipv4 0`, `${kind} served ipv6 0`]),
        'scrape full ipv4 0',
        'scrape full ipv6 1',
      ])
    },
  )

  test('only HTTP knows no connection ids, and only UDP drops datagrams', () => {
    for (const name of [
      'tracker_connection_id_errors_total',
      'tracker_unsent_answers_total',
      'tracker_socket_errors_total',
    ])
      expect(samplesOf(name).every(({ labels }) => labels.listener!.startsWith('udp:'))).toBe(true)
    expect(samplesOf('tracker_receive_buffer_drops_total')).toEqual([
      { labels: { listener: 'udp://0.0.0.0:6969' }, value: 77 },
    ])
    expect(samplesOf('tracker_certificate_expiry_timestamp_seconds')).toEqual([
      { labels: { listener: 'https://[::ffff:10.0.0.1]:443' }, value: 1_900_000_000 },
      { labels: { listener: 'https://127.0.0.1:1212' }, value: 1_950_000_000 },
    ])
  })

  test('times of listeners of one protocol are one distribution', () => {
    const [found] = samplesOf('tracker_request_duration_seconds').filter(
      ({ labels }) => labels.protocol === 'http' && labels.kind === 'scrape',
    )
    const times = [http, https].map(({ counters }) => counters.times('scrape'))
    expect(found!.value).toMatchObject({
      counts: times[0]!.buckets.map((count, i) => count + times[1]!.buckets[i]!),
      sum: (times[0]!.nanoseconds + times[1]!.nanoseconds) / 1e9,
    })
    expect(
      samplesOf('tracker_request_duration_seconds', metricSources({ listeners: [udp] })),
    ).toHaveLength(3)
  })

  test('a kind that only WebSocket listeners take is in no other series', () => {
    const answers = METRICS.filter(({ name }) => name !== 'tracker_requests_total')
      .flatMap((metric) => Array.from(metric.read(all)))
      .filter(({ labels }) => (labels.request_kind ?? labels.kind) === 'answer')
    expect(answers).toEqual([])
  })
})

describe('W51: a WebSocket listener', () => {
  const { counters } = ws
  const both = (at: number) => counters.sum(at) + counters.sum(at + 1)
  const SERVER = 'websocket_tracker_server_'
  const web = (name: string, labels = {}) =>
    samplesOf(SERVER + name, withWeb)
      .filter((sample) =>
        Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
      )
      .reduce((sum, { value }) => sum + Number(value), 0)

  test('has figures of its own, and changes nothing of the others', () => {
    const own = METRICS.filter(({ name }) => name.startsWith('websocket_tracker_'))
    expect(own).toHaveLength(10)
    for (const metric of METRICS) {
      const samples = Array.from(metric.read(withWeb))
      const before = Array.from(metric.read(all))
      if (own.includes(metric)) expect([metric.name, before]).toEqual([metric.name, []])
      const isWeb = ({ labels: { listener, protocol } }: (typeof samples)[number]) =>
        listener === 'ws://[::]:8000' || protocol === 'websocket'
      expect([metric.name, samples.filter((one) => !isWeb(one))]).toEqual([metric.name, before])
    }
  })

  test('has the labels of its neighbours and of ours', () => {
    const binding = {
      listener: 'ws://[::]:8000',
      server_binding_protocol: 'ws',
      server_binding_ip: '::',
      server_binding_port: '8000',
      server_binding_address_ip_family: 'inet6',
      server_binding_address_ip_type: 'plain',
      public_url: 'wss://tracker.example',
    }
    const of = (family: string, type: string, value: number) => ({
      labels: { ...binding, client_address_ip_family: family, client_address_ip_type: type },
      value,
    })
    expect(samplesOf(`${SERVER}connections_accepted_total`, withWeb)).toEqual([
      of('inet', 'v4_mapped_v6', counters.sum(AT.opened)),
      of('inet6', 'plain', counters.sum(AT.opened + 1)),
    ])
  })

  test('every connection is open or was closed for one reason', () => {
    expect(web('connections_open') + web('connections_closed_total')).toBe(
      web('connections_accepted_total'),
    )
    expect(web('connections_open')).toBeGreaterThan(0)
    expect(web('connections_closed_total', { reason: 'idle' })).toBe(both(AT.closedIdle))
    expect(web('connections_closed_total')).toBe(
      CLOSED.reduce((sum, reason) => sum + both(AT[reason]), 0),
    )
  })

  test('offers and answers are relayed, dropped or refused', () => {
    expect(web('messages_relayed_total', { kind: 'offer' })).toBe(both(AT.relayedOffers))
    expect(web('messages_relayed_total', { kind: 'answer' })).toBe(both(AT.relayedAnswers))
    for (const [reason, counter] of [
      ['no_peer', AT.offersWithoutPeer],
      ['slow_peer', AT.offersToSlow],
      ['rate', AT.offersOverRate],
      ['link', AT.offersOverLink],
    ] as const)
      expect(web('offers_dropped_total', { reason })).toBe(both(counter))
    expect(web('offers_dropped_total')).toBe(
      OFFERS_DROPPED.reduce((sum, reason) => sum + both(AT[reason]), 0),
    )
    expect(web('answers_refused_total')).toBe(both(AT.strayAnswers))
    expect(web('links_crossed_total')).toBe(both(AT.crossed))
    const stray = { listener: 'ws://[::]:8000', kind: 'answer', outcome: 'stray' }
    expect(samplesOf('tracker_requests_total', withWeb)).toContainEqual({
      labels: { ...stray, family: 'ipv6' },
      value: counters.sum(AT.strayAnswers + 1),
    })
  })

  test('an answer is a request that has no response', () => {
    const kinds = (name: string) =>
      new Set(samplesOf(name, withWeb).map(({ labels: { request_kind } }) => request_kind))
    expect(kinds('websocket_tracker_core_requests_received_total')).toEqual(
      new Set(['announce', 'scrape', 'answer']),
    )
    expect(kinds(`${SERVER}responses_sent_total`)).toEqual(
      new Set(['announce', 'scrape', undefined]),
    )
    const answers = samplesOf('websocket_tracker_core_requests_received_total', withWeb)
      .filter(({ labels }) => labels.request_kind === 'answer')
      .reduce((sum, { value }) => sum + Number(value), 0)
    const refused = Object.values(REFUSED_AT.answer).reduce((sum, at) => sum + both(at), 0)
    expect(answers).toBe(both(AT.answers) + both(AT.strayAnswers) + refused)
  })
})

test('W51: WebTorrent peers are a family', () => {
  const byFamily = [...all.totals.byFamily, { family: WEB, seeders: 3, leechers: 4 }]
  const sources = metricSources({ totals: { ...all.totals, byFamily } })
  expect(
    samplesOf('tracker_peers', sources).map(({ labels: { family, role }, value }) => [
      family,
      role,
      value,
    ]),
  ).toEqual([
    ['ipv4', 'seeder', 20],
    ['ipv4', 'leecher', 40],
    ['ipv6', 'seeder', 5],
    ['ipv6', 'leecher', 7],
    ['webtorrent', 'seeder', 3],
    ['webtorrent', 'leecher', 4],
  ])
})

test('what is not there has no samples', () => {
  const none = metricSources({
    sweep: undefined,
    database: undefined,
    persistedDownloads: undefined,
    keys: undefined,
    listed: undefined,
    isCounted: false,
  })
  for (const name of [
    'tracker_swarm_peers',
    'tracker_sweep_duration_seconds',
    'tracker_database_up',
    'tracker_database_request_duration_seconds',
    'tracker_keys',
    'tracker_listed_torrents',
    'tracker_core_in_session_torrents_downloads_total',
    'tracker_core_persisted_torrents_downloads_total',
    'swarm_coordination_registry_torrents_inactive_total',
  ])
    expect(samplesOf(name, none)).toEqual([])
  // Then it is that of this run.
  expect(samplesOf('tracker_core_persistent_torrents_downloads_total', none)).toEqual([
    { labels: {}, value: 13 },
  ])
  expect(printText(none, 'prometheus')).not.toContain('tracker_keys')
  const { metrics } = JSON.parse(printJson(none))
  expect(metrics.find(({ name }: { name: string }) => name === 'tracker_keys').samples).toEqual([])
})

test('what is accounted has samples of every event, limit and kind of flag', () => {
  const read = (name: string) =>
    samplesOf(`tracker_accounting_${name}`).map(({ labels, value }) => [
      ...Object.values(labels),
      value,
    ])
  expect(read('events_total').map(([kind]) => kind)).toEqual([
    'none',
    'completed',
    'started',
    'stopped',
  ])
  expect(read('ring_used_ratio')).toEqual([
    ['1', 0.25],
    ['2', 0.5],
  ])
  expect(read('batches_total')).toEqual([
    ['written', 510],
    ['failed', 511],
  ])
  expect(read('bytes_total')).toEqual([
    ['up', 512],
    ['down', 513],
  ])
  expect(read('flags_total').map(([kind]) => kind)).toEqual([...FLAG_KINDS])
  expect(read('limited_total').map(([limit]) => limit)).toEqual(['slots', 'clients', 'no_download'])
  expect(read('lag_seconds')).toEqual([[509]])
})

test('sizes of swarms are those of the last sweep', () => {
  const [sample] = samplesOf('tracker_swarm_peers')
  const value = sample!.value as Distribution
  // 0, 1 and 1, 2 and 3, 4, 1000 peers.
  expect(value.bounds.slice(0, 5)).toEqual([0, 1, 3, 7, 15])
  expect(value.counts.slice(0, 5)).toEqual([1, 2, 2, 1, 0])
  expect(value.counts[value.bounds.indexOf(1023)]).toBe(1)
  expect(value.sum).toBe(1 + 1 + 2 + 3 + 4 + 1_000)
})
