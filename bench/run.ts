/** A measurement: a fresh server on one core, a load generator on another, one result. */
import { mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { REQUEST, writeConnectRequest } from '../src/wire/udp-client.ts'
import { OUT } from './build.ts'
import type { Start, Transport } from './plan.ts'

const SERVER_CORE = '0'
export const LOAD_CORE = '1'

/** The report of a load generator; times are in microseconds unless the name says otherwise. */
const FIELDS = [
  'seconds',
  'fillSeconds',
  'perSecond',
  'announcesPerSecond',
  'connects',
  'announces',
  'scrapes',
  'errors',
  'malformed',
  'lost',
  'unsent',
  'reconnects',
  'completions',
  'completionsLate',
  'peersPerAnswer',
  'generatorIdle',
  'userMs',
  'systemMs',
  'residentKb',
  'p50',
  'p90',
  'p99',
  'p999',
] as const
/** `startMs`: from the start of the process to its first answer. */
export type Result = Record<(typeof FIELDS)[number] | 'startMs', number>

/** Options of a load generator by name, without dashes. */
export type Load = { readonly mix: string; readonly [option: string]: string }

/** A running server. Disposing of it ends its process. */
export type Serving = AsyncDisposable & {
  readonly name: string
  readonly transport: Transport
  readonly port: number
  readonly apiPort: number
  readonly room: string
  readonly pid: number
  readonly startMs: number
}

/** undefined: the server is not installed. */
export async function measure(
  name: string,
  start: Start,
  transport: Transport,
  load: Load,
): Promise<Result | undefined> {
  await using server = await serve(name, start, transport, load)
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
  load: Load,
): Promise<Serving | undefined> {
  const room = roomOf(name, transport)
  rmSync(room, { recursive: true, force: true })
  mkdirSync(room, { recursive: true })
  const [port, sparePort, apiPort] = freePorts()
  const hashes = () => printed(transport, load, 'hashes')
  const command = await start({ port, sparePort, apiPort, room, hashes })
  if (!command) return undefined
  await using starting = new AsyncDisposableStack()
  const began = performance.now()
  const server = starting.use(launch(command, room))
  const gone = () => server.process.exitCode !== null
  if (!(await isReady(transport, port, gone)))
    throw new Error(`the server did not start: ${server.complaint()}`)
  const startMs = performance.now() - began
  const running = starting.move()
  const { pid } = server.process
  const end = () => running.disposeAsync()
  return { name, transport, port, apiPort, room, pid, startMs, [Symbol.asyncDispose]: end }
}

/** Loads a server. `end` makes the load generator stop and report early. */
export function applyLoad(server: Serving, load: Load): { result: Promise<Result>; end(): void } {
  const words = ['--port', `${server.port}`, '--pid', `${server.pid}`, ...options(load)]
  const pinned = ['taskset', '-c', LOAD_CORE, program(server.transport), ...words]
  const generator = Bun.spawn(pinned, { stderr: 'pipe' })
  running.add(generator)
  const report = async (): Promise<Result> => {
    const output = await new Response(generator.stdout).text()
    const complaint = await new Response(generator.stderr).text()
    const failed = await generator.exited
    running.delete(generator)
    if (failed) throw new Error(`${server.name}: ${complaint.trim()}`)
    return readResult(JSON.parse(output), server.startMs)
  }
  return { result: report(), end: () => generator.kill('SIGTERM') }
}

/** The info hashes or auth keys of a load, one a line. */
export function printed(transport: Transport, load: Load, what: 'hashes' | 'keys'): string {
  const command = [program(transport), ...options(load), `--print-${what}`]
  return Bun.spawnSync(command).stdout.toString()
}

const program = (transport: Transport) => join(OUT, `${transport}-load`)
const options = (load: Load) =>
  Object.entries(load).flatMap(([name, value]) => [`--${name}`, value])

function readResult(value: unknown, startMs: number): Result {
  const found = value as Partial<Record<string, unknown>>
  const read = (field: string) => {
    const number = found[field]
    if (typeof number !== 'number') throw new Error(`the load generator did not report ${field}`)
    return number
  }
  const fields = FIELDS.map((field) => [field, read(field)])
  return { ...Object.fromEntries(fields), startMs } as Result
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

function launch(command: string[], room: string) {
  const log = join(room, 'log')
  const file = openSync(log, 'w')
  const server = Bun.spawn(['taskset', '-c', SERVER_CORE, ...command], {
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
/** This limits how exactly the time of the start is known. */
const ASK_EVERY_MS = 5

/** Asks a starting server until it answers. false: it did not in time, or it has ended (`gone`). */
async function isReady(transport: Transport, port: number, gone: () => boolean): Promise<boolean> {
  const ask = transport === 'udp' ? askUdp : askHttp
  const deadline = performance.now() + READY_MS
  while (performance.now() < deadline && !gone()) {
    if (await ask(port)) return true
    await Bun.sleep(ASK_EVERY_MS)
  }
  return false
}

async function askUdp(port: number): Promise<boolean> {
  const request = new Uint8Array(REQUEST.connect)
  writeConnectRequest(request, 0, 1)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = await Bun.udpSocket({
    connect: { hostname: '127.0.0.1', port },
    socket: { data: () => resolve(true), error: () => resolve(false) },
  })
  const timer = setTimeout(() => resolve(false), ANSWER_MS)
  try {
    socket.send(request)
    return await promise
  } catch {
    return false
  } finally {
    clearTimeout(timer)
    socket.close()
  }
}

/** The kernel accepts connections before the server does, so only bytes or a close count as an answer. */
async function askHttp(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), ANSWER_MS)
  try {
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: { data: () => resolve(true), close: () => resolve(true) },
    })
    socket.write('GET /announce HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')
    const answered = await promise
    socket.terminate()
    return answered
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}
