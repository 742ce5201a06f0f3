/** A measurement: a fresh server on one core, a load generator on another, one result. */
import { mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ClientFailure } from '../src/client/failure.ts'
import { getHttp } from '../src/client/http.ts'
import { parseTrackerUrl } from '../src/client/tracker-url.ts'
import { UdpClient } from '../src/client/udp.ts'
import { WebSocketClient } from '../src/client/websocket.ts'
import { certificate, HERE, OUT } from './build.ts'
import { infoHashes, type LoadOptions, type LoadResult, withDefaults } from './load.ts'
import type { Start, Transport } from './plan.ts'

export const LOAD_CORE = '1'
/** Cores of the server and of the load generator, as `taskset` takes them. */
export type Cores = { readonly server: string; readonly load: string }
const APART: Cores = { server: '0', load: LOAD_CORE }

/** `startMs`: from the start of the process to its first answer. */
export type Result = LoadResult & { readonly startMs: number }

/** What differs from the usual load. */
export type LoadChanges = Partial<LoadOptions>

/** A running server. Disposing of it ends its process. */
export type Serving = AsyncDisposable & {
  readonly name: string
  readonly transport: Transport
  readonly port: number
  readonly apiPort: number
  readonly room: string
  readonly pid: number
  readonly startMs: number
  readonly loadCores: string
}

/** undefined: the server is not installed. */
export async function measure(
  name: string,
  start: Start,
  transport: Transport,
  load: LoadChanges,
  cores = APART,
): Promise<Result | undefined> {
  await using server = await serve(name, start, transport, load, cores)
  return server && (await applyLoad(server, load).result)
}

/** The working directory of a server. */
export const roomOf = (name: string, transport: Transport) =>
  join(OUT, 'run', `${transport}-${name}`)

/** Starts a server in an empty directory; undefined: it is not installed. */
export async function serve(
  name: string,
  start: Start,
  transport: Transport,
  load: LoadChanges,
  cores = APART,
): Promise<Serving | undefined> {
  const room = roomOf(name, transport)
  rmSync(room, { recursive: true, force: true })
  mkdirSync(room, { recursive: true })
  const [port, sparePort, apiPort] = freePorts()
  const hashes = () => infoHashes(withDefaults({ ...load, transport }))
  const tls = () => certificate(room)
  const command = await start({ port, sparePort, apiPort, room, tls, hashes })
  if (!command) return undefined
  await using starting = new AsyncDisposableStack()
  const began = performance.now()
  const server = starting.use(launch(command, room, cores.server))
  const gone = () => server.process.exitCode !== null
  if (!(await isReady(transport, port, gone)))
    throw new Error(`the server did not start: ${server.complaint()}`)
  const startMs = performance.now() - began
  const running = starting.move()
  const { pid } = server.process
  const end = () => running.disposeAsync()
  const loadCores = cores.load
  return {
    name,
    transport,
    port,
    apiPort,
    room,
    pid,
    startMs,
    loadCores,
    [Symbol.asyncDispose]: end,
  }
}

/** Loads a server. `end` makes the load generator stop and report early. */
export function applyLoad(
  { transport, port, pid, name, startMs, loadCores }: Serving,
  changes: LoadChanges,
): { result: Promise<Result>; end(): void } {
  const options: LoadChanges = { ...changes, transport, port, pid }
  const { result, end } = runClient<LoadResult>(name, loadCores, 'load.ts', options)
  return { result: result.then((load) => ({ ...load, startMs })), end }
}

/**
 * Runs a program of this directory on some cores with its options as JSON; its result is the JSON that it prints. `end` makes it
 * stop early. `name`: of the server, for errors.
 */
export function runClient<R>(
  name: string,
  cores: string,
  file: string,
  options: object,
): { result: Promise<R>; end(): void } {
  const program = [process.execPath, join(HERE, file), JSON.stringify(options)]
  const client = Bun.spawn(['taskset', '-c', cores, ...program], { stderr: 'pipe' })
  running.add(client)
  const report = async (): Promise<R> => {
    const output = await new Response(client.stdout).text()
    const complaint = await new Response(client.stderr).text()
    const failed = await client.exited
    running.delete(client)
    if (failed) throw new Error(`${name}: ${complaint.trim()}`)
    return JSON.parse(output)
  }
  return { result: report(), end: () => client.kill('SIGTERM') }
}

/** Ports that are free for TCP now, and unlikely to be in use for UDP. */
function freePorts(): [number, number, number] {
  const listen = () => Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const listeners = [listen(), listen(), listen()] as const
  for (const listener of listeners) listener.stop(true)
  const [first, second, third] = listeners
  return [first.port, second.port, third.port]
}

/** Child processes, which an interrupted benchmark must not leave behind. */
const running = new Set<Bun.Subprocess>()
/** What else must be undone then. */
export const undoOnInterrupt = new Set<() => Promise<unknown>>()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, async () => {
    for (const one of running) one.kill('SIGKILL')
    await Promise.allSettled([...undoOnInterrupt].map((undo) => undo()))
    process.exit(1)
  })

function launch(command: string[], room: string, cores: string) {
  const log = join(room, 'log')
  const file = openSync(log, 'w')
  const server = Bun.spawn(['taskset', '-c', cores, ...command], {
    cwd: room,
    stdout: file,
    stderr: file,
  })
  running.add(server)
  return {
    process: server,
    complaint: () => readFileSync(log, 'utf8').slice(-300),
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM')
      const timer = setTimeout(() => server.kill('SIGKILL'), 5000)
      await server.exited
      clearTimeout(timer)
      running.delete(server)
    },
  }
}

const READY_MS = 30_000
const ANSWER_MS = 200
/** Complete: aquatic leaves a request that it cannot read without an answer. */
const A_SCRAPE = `/scrape?info_hash=${'a'.repeat(20)}`
/** This limits how exactly the time of the start is known. */
const ASK_EVERY_MS = 5

/** Asks a starting server until it answers. false: it did not in time, or it has ended (`gone`). */
async function isReady(transport: Transport, port: number, gone: () => boolean): Promise<boolean> {
  const deadline = performance.now() + READY_MS
  while (performance.now() < deadline && !gone()) {
    if (await answers(transport, port)) return true
    await Bun.sleep(ASK_EVERY_MS)
  }
  return false
}

async function answers(transport: Transport, port: number): Promise<boolean> {
  const address = { ip: '127.0.0.1', family: 4 } as const
  const options = { milliseconds: ANSWER_MS, attempts: 1 }
  try {
    if (transport === 'udp') {
      using client = await UdpClient.open(address, port, options)
      await client.connect()
    } else if (transport === 'ws' || transport === 'wss') {
      const url = parseTrackerUrl(`${transport}://127.0.0.1:${port}`)
      if (typeof url === 'string') throw new Error(url)
      using client = new WebSocketClient(url, address, { ...options, insecure: true })
      await client.scrape([new Uint8Array(20)])
    } else await getHttp(new URL(`http://127.0.0.1:${port}${A_SCRAPE}`), options)
    return true
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    // The kernel accepts connections before the server does. Any answer counts.
    return error.kind !== 'connect' && error.kind !== 'timeout'
  }
}
