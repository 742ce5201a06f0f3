/** M8, M9: what a running tracker says of itself, after requests that it served and refused. */
import { expect, test } from 'bun:test'
import { AT, ListenerCounters } from '../../src/memory/counters.ts'
import { droppedAt, tuneUdpSocket } from '../../src/servers/socket-options.ts'
import { certify } from '../support/certificate.ts'
import { announceQuery, get, percent } from '../support/http-client.ts'
import { captureWorkers } from '../support/run/captured-workers.ts'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { connected, EVENT, hashOf, udpSocket } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const listenersWith = (more: string) => `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
tracker_usage_statistics = true
[[http_trackers]]
bind_address = "127.0.0.1:0"
${more}
[http_api]
bind_address = "127.0.0.1:0"
access_tokens = { admin = "secret" }
[health_check_api]
bind_address = "127.0.0.1:0"
`

/** The samples of `GET /metrics`, by name with labels. */
async function scrape({ apiPort }: TestTracker): Promise<Map<string, number>> {
  const reply = await get(`http://127.0.0.1:${apiPort}`, '/metrics', {
    authorization: 'Bearer secret',
  })
  expect(reply.status).toBe(200)
  const lines = `${reply.body}`.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}
/** The sum of the samples of a metric whose labels contain all of `parts`. */
const sum = (metrics: Map<string, number>, name: string, ...parts: string[]): number =>
  Array.from(metrics)
    .filter(
      ([key]) => key.replace(/\{.*/, '') === name && parts.every((part) => key.includes(part)),
    )
    .reduce((all, [, value]) => all + value, 0)

test.each([1, 2])('requests, peers and threads of %d serving threads', async (workers) => {
  await using tracker = await startTracker({
    workers,
    rest: listenersWith(''),
    listed: false,
    core: 'inactive_peer_cleanup_interval = 1\n',
  })
  using seeder = await connected(tracker.ports.udp[0]!)
  using leecher = await connected(tracker.ports.udp[0]!)
  await seeder.announce({ infoHash: hashOf(1), event: EVENT.none, left: 0, port: 1_001 })
  await leecher.announce({ infoHash: hashOf(1), event: EVENT.none, left: 5, port: 1_002 })
  await leecher.announce({ infoHash: hashOf(1), event: EVENT.none, left: 5, port: 1_002 })
  await leecher.announce({ infoHash: hashOf(1), left: 0, port: 1_002, event: EVENT.completed })
  await leecher.announce({ infoHash: hashOf(1), event: EVENT.none, left: 5, port: 1_002 })
  await seeder.announce({ infoHash: hashOf(1), left: 0, port: 1_001, event: EVENT.stopped })
  await seeder.scrape(hashOf(1))
  const http = `http://127.0.0.1:${tracker.ports.http[0]}`
  await get(http, `/announce?${announceQuery({ left: 7, port: 1_003 })}`)
  await get(http, '/announce?info_hash=1')
  await get(http, '/scrape')
  await get(http, '/nothing')

  const metrics = await scrape(tracker)
  const requests = (...parts: string[]) => sum(metrics, 'tracker_requests_total', ...parts)
  const [udp, tcp] = ['listener="udp://127.0.0.1', 'listener="http://127.0.0.1']
  expect(requests(udp, 'kind="announce"', 'outcome="served"', 'family="ipv4"')).toBe(6)
  expect(requests(udp, 'kind="scrape"', 'outcome="served"')).toBe(1)
  expect(requests(udp, 'kind="connect"')).toBeGreaterThan(0)
  expect(requests(tcp, 'kind="announce"', 'outcome="served"')).toBe(1)
  expect(requests(tcp, 'kind="announce"', 'outcome="bad_query"')).toBe(1)
  expect(requests(tcp, 'kind="scrape"', 'outcome="bad_query"')).toBe(1)
  expect(requests(tcp, 'kind="other"', 'outcome="malformed"')).toBe(1)
  const received = sum(metrics, 'udp_tracker_server_requests_received_total')
  expect(requests(udp)).toBe(received)
  // Not one of them counts in the reference's metrics.
  expect(sum(metrics, 'http_tracker_core_requests_received_total')).toBe(0)
  expect(sum(metrics, 'tracker_received_bytes_total', udp)).toBe(
    16 * requests(udp, 'kind="connect"') + 98 * 6 + 36,
  )
  expect(sum(metrics, 'tracker_sent_bytes_total', udp)).toBeGreaterThan(20 * 6)
  expect(sum(metrics, 'tracker_sent_bytes_total', tcp)).toBeGreaterThan(50)

  const swarm = (name: string, ...parts: string[]) =>
    sum(metrics, `swarm_coordination_registry_${name}`, ...parts)
  expect(swarm('torrents_added_total')).toBe(2)
  expect(swarm('peers_added_total', 'leecher')).toBe(2)
  expect(swarm('peers_added_total', 'seeder')).toBe(1)
  expect(swarm('peers_updated_total', 'leecher')).toBe(2)
  expect(swarm('peers_updated_total', 'seeder')).toBe(1)
  expect(swarm('peers_removed_total', 'seeder')).toBe(1)
  expect(swarm('peers_removed_total', 'leecher')).toBe(0)
  expect(swarm('peers_completed_state_reverted_total')).toBe(1)
  expect(sum(metrics, 'tracker_peers', 'ipv4', 'leecher')).toBe(2)
  expect(sum(metrics, 'tracker_peers')).toBe(2)
  expect(sum(metrics, 'tracker_downloads_total')).toBe(1)
  expect(sum(metrics, 'tracker_threads')).toBe(workers)
  expect(sum(metrics, 'tracker_memory_limit_bytes')).toBe(64 * 2 ** 20)

  // The first sweep comes after a second.
  const later = await until('a sweep', async () => {
    const found = await scrape(tracker)
    return sum(found, 'tracker_sweeps_total') > 0 && found
  })
  expect(later.get('tracker_swarm_peers_bucket{le="0"}')).toBe(0)
  expect(later.get('tracker_swarm_peers_bucket{le="1"}')).toBe(2)
  expect(later.get('tracker_swarm_peers_sum')).toBe(2)
  expect(later.get('tracker_sweep_duration_seconds')).toBeGreaterThan(0)
  expect(later.get('tracker_sweep_longest_lock_seconds')).toBeGreaterThan(0)
  if (process.platform === 'linux') {
    const threads = Array.from({ length: workers }, (_, i) => `thread="${i + 1}"`)
    if (workers > 1) threads.push('thread="control"')
    for (const thread of threads) {
      expect(sum(later, 'tracker_thread_cpu_seconds_total', thread)).toBeGreaterThan(0)
      expect(sum(later, 'tracker_event_loop_delay_seconds', thread)).toBeGreaterThan(0)
    }
    const all = Array.from(later.keys()).filter((key) => key.startsWith('tracker_thread_cpu'))
    expect(all).toHaveLength(threads.length)
    expect(sum(later, 'process_open_fds')).toBeGreaterThan(3)
    expect(sum(later, 'process_max_fds')).toBeGreaterThan(sum(later, 'process_open_fds'))
  }
  expect(sum(later, 'process_resident_memory_bytes')).toBeGreaterThan(2 ** 20)
})

test('processing times over UDP and HTTP', async () => {
  await using tracker = await startTracker({ rest: listenersWith('') })
  using peer = await connected(tracker.ports.udp[0]!)
  const http = `http://127.0.0.1:${tracker.ports.http[0]}`
  for (let i = 0; i < 130; i++) await peer.announce({ infoHash: hashOf(i & 7) })
  for (let i = 0; i < 14; i++) await get(http, `/scrape?info_hash=${percent(hashOf(1))}`)
  const metrics = await scrape(tracker)
  const count = (...labels: string[]) =>
    sum(metrics, 'tracker_request_duration_seconds_count', ...labels)
  // One of 61 and one of 7.
  expect(count('udp', 'announce')).toBe(2)
  expect(count('http', 'scrape')).toBe(2)
  expect(count('http', 'announce')).toBe(0)
  const seconds = sum(metrics, 'tracker_request_duration_seconds_sum', 'udp', 'announce')
  expect(seconds).toBeGreaterThan(0)
  expect(seconds).toBeLessThan(10)
})

test('a thread that dies, a database, and the end of a certificate', async () => {
  using room = temporaryDirectory()
  const { cert, key } = await certify(room.path)
  using workers = captureWorkers()
  await using tracker = await startTracker({
    workers: 2,
    rest: listenersWith(`tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }`),
    core: `[core.database]\ndriver = "sqlite3"\npath = "${room.at('tracker.db')}"\n[core.tracker_policy]\npersistent_torrent_completed_stat = true\n`,
  })
  const before = await scrape(tracker)
  expect(sum(before, 'tracker_thread_deaths_total')).toBe(0)
  expect(sum(before, 'tracker_database_up')).toBe(1)
  expect(sum(before, 'tracker_database_failures_total')).toBe(0)
  expect(sum(before, 'tracker_database_request_duration_seconds_count')).toBeGreaterThan(0)
  expect(before.has('tracker_core_persisted_torrents_downloads_total')).toBe(true)
  const ends = sum(before, 'tracker_certificate_expiry_timestamp_seconds', 'https://127.0.0.1')
  expect(ends).toBeGreaterThan(Date.now() / 1000)
  workers.of(1).worker.terminate()
  await until('the death to count', async () => {
    const found = await scrape(tracker)
    return sum(found, 'tracker_thread_deaths_total') === 1
  })
})

test.skipIf(process.platform !== 'linux')(
  'datagrams that do not fit the receive buffer of a socket are counted',
  async () => {
    const server = await Bun.udpSocket({ hostname: '127.0.0.1', socket: { data() {} } })
    const { fd } = server as unknown as { fd: number }
    tuneUdpSocket(fd, 4_096)
    expect(droppedAt(fd)).toBe(0)
    using client = await udpSocket(server.port)
    // In one turn of the event loop, so that nothing is read.
    for (let i = 0; i < 200; i++) client.send(new Uint8Array(1_000))
    expect(droppedAt(fd)).toBeGreaterThan(100)
    expect(droppedAt(-1)).toBeUndefined()
    server.close()
  },
)

test('what is accounted, in the totals of a public tracker', async () => {
  using room = temporaryDirectory()
  await using tracker = await startTracker({
    workers: 2,
    rest: listenersWith(''),
    core: `[core.database]\npath = "${room.at('tracker.db')}"\n[core.accounting]\nlevel = "torrents"\n`,
  })
  const http = `http://127.0.0.1:${tracker.ports.http[0]}`
  let announces = 0
  const announce = async (uploaded: number, left: number, event?: string) => {
    await get(http, `/announce?${announceQuery({ uploaded, left, event, port: 1_001 })}`)
    announces++
    // Before another thread serves the next.
    await until('it to count', async () => {
      const found = await scrape(tracker)
      return sum(found, 'tracker_accounting_events_total') === announces
    })
  }
  await announce(500, 7, 'started')
  await announce(1_500, 7)
  await announce(1_600, 0, 'completed')
  const metrics = await until('what was moved', async () => {
    const found = await scrape(tracker)
    return sum(found, 'tracker_accounting_bytes_total', 'up') === 1_100 && found
  })
  const events = (kind: string) => sum(metrics, 'tracker_accounting_events_total', `kind="${kind}"`)
  expect(['started', 'none', 'completed', 'stopped'].map(events)).toEqual([1, 1, 1, 0])
  expect(sum(metrics, 'tracker_accounting_bytes_total', 'down')).toBe(0)
  expect(sum(metrics, 'tracker_accounting_sessions')).toBe(1)
  expect(sum(metrics, 'tracker_accounting_events_lost_total')).toBe(0)
  const rings = Array.from(metrics.keys()).filter((key) => key.includes('ring_used_ratio'))
  expect(rings).toHaveLength(2)
  await until('all of it to be written', async () => {
    const found = await scrape(tracker)
    return (
      sum(found, 'tracker_accounting_batches_total', 'written') > 0 &&
      sum(found, 'tracker_accounting_owed_bytes') === 0 &&
      sum(found, 'tracker_accounting_lag_seconds') === 0
    )
  })
})

test('drops and lost answers of a listener', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 2, rest: listenersWith('') })
  const [udp] = workers.of(1).setup.listeners
  new ListenerCounters(2, udp!.counters).row(1)[AT.unsent]! += 5
  const metrics = await scrape(tracker)
  expect(sum(metrics, 'tracker_unsent_answers_total')).toBe(5)
  if (process.platform === 'linux')
    expect(sum(metrics, 'tracker_receive_buffer_drops_total', 'udp://127.0.0.1')).toBe(0)
})

test.skipIf(process.platform !== 'linux')(
  'what was dropped at the socket of a thread that died stays counted',
  async () => {
    using workers = captureWorkers()
    await using tracker = await startTracker({ workers: 2, rest: listenersWith('') })
    const [udp] = workers.of(1).setup.listeners
    const sockets = 'descriptors' in udp! ? udp.descriptors.map((one) => one!.socket) : []
    const drops = async () =>
      sum(await scrape(tracker), 'tracker_receive_buffer_drops_total', 'udp://127.0.0.1')
    for (const fd of sockets) tuneUdpSocket(fd, 4_096)
    using client = await udpSocket(tracker.ports.udp[0]!)
    await until('a datagram to be dropped', async () => {
      for (let i = 0; i < 500; i++) client.send(new Uint8Array(1_000))
      return (await drops()) > 0
    })
    const before = await drops()
    for (const thread of [1, 2]) workers.of(thread).worker.terminate()
    await until('both threads to be replaced', () => workers.all.length >= 4)
    await until('the new sockets to be open', () => sockets.every((fd) => droppedAt(fd) === 0))
    expect(await drops()).toBeGreaterThanOrEqual(before)
  },
)

test('M9: scrapers get text, and OpenMetrics if they want it, and none without a token', async () => {
  await using tracker = await startTracker({ rest: listenersWith('') })
  const url = `http://127.0.0.1:${tracker.apiPort}`
  const ask = (headers: Record<string, string>) => get(url, '/metrics', headers)
  const token = { authorization: 'Bearer secret' }
  const plain = await ask(token)
  expect(plain.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  const open = await ask({
    ...token,
    accept: 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2',
  })
  expect(open.headers['content-type']).toBe(
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
  )
  expect(`${open.body}`).toEndWith('# EOF\n')
  const refused = await ask({})
  expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer'])
  const json = await get(url, '/api/v1/metrics?token=secret')
  expect(JSON.parse(`${json.body}`).metrics[0].name).toBe(
    'swarm_coordination_registry_torrents_added_total',
  )
  const text = await get(url, '/api/v1/metrics?token=secret&format=prometheus')
  expect(`${text.body}`).toStartWith('# HELP swarm_coordination_registry_torrents_added_total ')
})
