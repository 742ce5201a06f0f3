/**
 * The management API of a tracker with a million torrents: how long its answers take, one request at a time, while the
 * tracker is idle and under a full load of announces; and how much the announces slow down. Client and load share a
 * core; the client has priority.
 */
import { setPriority } from 'node:os'
import { trackerStart } from './contenders.ts'
import { infoHashes, withDefaults } from './load.ts'
import type { Plan, Setting } from './plan.ts'
import { CORE, median, thousands } from './results.ts'
import { applyLoad, LOAD_CORE, type LoadChanges, type Result, type Serving, serve } from './run.ts'

const TOKEN = crypto.randomUUID()
export const POPULATION = { mix: 'announce', torrents: 1_000_000, peers: 2_000_000 } as const
/** Longer than any measurement: the load is ended early. */
const LOAD_SECONDS = 120
const ANSWER_MS = 10_000
/** Time limit of all requests of one kind; the rest is not sent. */
const ASKING_MS = 30_000

type Question = {
  readonly name: string
  /** Path of request number `i`, behind `/api/v1/`. */
  target(i: number): string
  /** Whether the body answers request number `i`. */
  fits(body: unknown, i: number): boolean
}
type Timing = { readonly ms: readonly number[]; readonly bytes: number; readonly wrong: number }

export async function measureApi(plan: Plan): Promise<void> {
  const load = { ...POPULATION, ...plan.load, seconds: LOAD_SECONDS, fill: false }
  const start = trackerStart(plan.trackers[0]!, 'udp', async (setting) => ({
    tables: apiTable(setting),
  }))
  await using server = await serve('api', start, 'udp', load)
  if (!server) throw new Error(`the tracker does not exist: ${plan.trackers[0]}`)
  stayBesideTheLoad()
  await isUp(server)
  await applyLoad(server, { ...load, fill: true, seconds: 0.1 }).result
  const undisturbed = async () => void (await Bun.sleep(plan.seconds * 1000))
  const { result: alone } = await underLoad(server, load, undisturbed)
  const lines = [['none', '', '', '', '', '', ...announces(alone, alone), '', '', '']]
  for (const question of questions(load)) {
    const idle = await ask(server, question, plan.requests)
    const loaded = await underLoad(server, load, () =>
      ask(server, question, plan.requests, plan.seconds),
    )
    lines.push(row(question, idle, loaded, alone))
    console.error(`${question.name}: ${median(idle.ms).toFixed(2)} ms`)
  }
  console.log(`\nmanagement API, ${load.torrents} torrents, ${load.peers} peers\n`)
  for (const line of [HEAD, HEAD.map((_, i) => (i === 0 ? '---' : '---:')), ...lines])
    console.log(`| ${line.join(' | ')} |`)
}

export const apiTable = ({ apiPort }: Setting) =>
  `[http_api]\nbind_address = "127.0.0.1:${apiPort}"\naccess_tokens = { bench = "${TOKEN}" }`

function questions(load: LoadChanges): Question[] {
  const hashes = infoHashes(withDefaults(load))
  const count = hashes.length
  const page = (offset: number, limit: number): Question => ({
    name: `torrents?offset=${offset}&limit=${limit}`,
    target: () => `torrents?offset=${offset}&limit=${limit}`,
    fits: (body) => isPage(body, Math.min(limit, count - offset)),
  })
  const detail = (name: string, hashOf: (i: number) => string): Question => ({
    name,
    target: (i) => `torrent/${hashOf(i)}`,
    fits: (body, i) => field(body, 'info_hash') === hashOf(i),
  })
  return [
    ...[0, count / 2, count - 100].map((offset) => page(Math.floor(offset), 100)),
    page(0, 4000),
    { name: 'stats', target: () => 'stats', fits: (body) => field(body, 'torrents') === count },
    // The first torrent is the most popular.
    detail('torrent, some', (i) => hashes[(Math.floor(count / 2) + i) % count]!),
    detail('torrent, the largest', () => hashes[0]!),
  ]
}

const field = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined

/** Whether the body lists `count` torrents in ascending order. */
function isPage(body: unknown, count: number): boolean {
  if (!Array.isArray(body) || body.length !== count) return false
  const hashes = body.map((torrent) => String(field(torrent, 'info_hash')))
  return hashes.every((hash, i) => hash.length === 40 && (i === 0 || hashes[i - 1]! < hash))
}

/** Waits for the API, which may open after the first announce is answered. */
export async function isUp({ apiPort }: Serving): Promise<void> {
  for (const deadline = performance.now() + ANSWER_MS; performance.now() < deadline; ) {
    const response = await fetch(`http://127.0.0.1:${apiPort}/api/health_check`).catch(() => {})
    if (response?.status === 200) return
    await Bun.sleep(10)
  }
  throw new Error('the tracker opened no management API')
}

/** `target`: behind `/api/v1/`. */
export const requestApi = ({ apiPort }: Serving, target: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${apiPort}/api/v1/${target}`, {
    headers: { authorization: `Bearer ${TOKEN}`, 'accept-encoding': 'identity' },
    signal: AbortSignal.timeout(ANSWER_MS),
  })

/** Sends one request at a time: `requests` of them, and more until `seconds` have passed. */
async function ask(
  server: Serving,
  question: Question,
  requests: number,
  seconds = 0,
): Promise<Timing> {
  const ms: number[] = []
  let bytes = 0
  let wrong = 0
  const start = performance.now()
  const passed = () => performance.now() - start
  for (let i = 0; passed() < ASKING_MS && (i < requests || passed() < seconds * 1000); i++) {
    const began = performance.now()
    try {
      const response = await requestApi(server, question.target(i))
      const text = await response.text()
      ms.push(performance.now() - began)
      bytes = text.length
      if (response.status !== 200 || !question.fits(JSON.parse(text), i)) wrong++
    } catch {
      ms.push(performance.now() - began)
      wrong++
    }
  }
  return { ms, bytes, wrong }
}

/** Runs `work` while the load runs; returns the outcome of both. */
export async function underLoad<T>(server: Serving, load: LoadChanges, work: () => Promise<T>) {
  const running = applyLoad(server, load)
  try {
    const outcome = await work()
    running.end()
    return { outcome, result: await running.result }
  } finally {
    running.end()
  }
}

/** Moves this process to the core of the load, which never sleeps, and gives it priority. */
export function stayBesideTheLoad(): void {
  Bun.spawnSync(['taskset', '-a', '-c', '-p', LOAD_CORE, `${process.pid}`])
  try {
    setPriority(-10)
  } catch {
    console.error('no permission to raise the priority: times include waiting for the core')
  }
}

const HEAD = [
  'request',
  'KB',
  'idle: median ms',
  'p99',
  'under load: median ms',
  'p99',
  'announces/s',
  '÷ without requests',
  CORE[0],
  'requests/s',
  'requests',
  'wrong answers',
]

function row(
  { name }: Question,
  idle: Timing,
  { outcome: loaded, result }: { outcome: Timing; result: Result },
  alone: Result,
): string[] {
  const sum = loaded.ms.reduce((all, one) => all + one, 0)
  return [
    name,
    (idle.bytes / 1000).toFixed(1),
    median(idle.ms).toFixed(2),
    percentile99(idle.ms).toFixed(2),
    median(loaded.ms).toFixed(2),
    percentile99(loaded.ms).toFixed(2),
    ...announces(result, alone),
    ((loaded.ms.length / sum) * 1000).toFixed(0),
    `${idle.ms.length} + ${loaded.ms.length}`,
    `${idle.wrong + loaded.wrong}`,
  ]
}

const announces = (result: Result, alone: Result) => [
  thousands(result.announcesPerSecond),
  (result.announcesPerSecond / alone.announcesPerSecond).toFixed(2),
  CORE[1](result, {}, []),
]

const percentile99 = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1]!
