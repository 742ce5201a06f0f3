/** One measurement: a fresh server on one core, a load generator on another, one result. */
import { mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { OUT } from './build.ts'
import type { Start, Transport } from './contenders.ts'

const SERVER_CORE = '0'
const LOAD_CORE = '1'
const READY_MS = 30_000
const ASK_EVERY_MS = 20

/** What a load generator reports; times in microseconds unless the name says otherwise. */
export const FIELDS = [
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
export type Result = Record<(typeof FIELDS)[number], number>

/** Options of the load generators, by name without the dashes. */
export type Load = { readonly mix: string; readonly [option: string]: string }

/** `undefined` when the server is not on this machine. */
export async function measure(
  name: string,
  start: Start,
  transport: Transport,
  load: Load,
): Promise<Result | undefined> {
  const room = join(OUT, 'run', `${transport}-${name}`)
  rmSync(room, { recursive: true, force: true })
  mkdirSync(room, { recursive: true })
  const port = freePort()
  const setting = { port, sparePort: freePort(), room, hashes: () => hashes(transport, load) }
  const command = await start(setting)
  if (!command) return undefined
  await using server = launch(command, room)
  await ready(server, transport, port)
  const words = ['--port', `${port}`, '--pid', `${server.process.pid}`, ...options(load)]
  const generator = Bun.spawn(['taskset', '-c', LOAD_CORE, program(transport), ...words], {
    stderr: 'pipe',
  })
  running.add(generator)
  const output = await new Response(generator.stdout).text()
  const complaint = await new Response(generator.stderr).text()
  const failed = await generator.exited
  running.delete(generator)
  if (failed) throw new Error(`${name}: ${complaint.trim()}`)
  return readResult(JSON.parse(output))
}

const program = (transport: Transport) => join(OUT, `${transport}-load`)
const options = (load: Load) =>
  Object.entries(load).flatMap(([name, value]) => [`--${name}`, value])

function hashes(transport: Transport, load: Load): string {
  const command = [program(transport), ...options(load), '--print-hashes']
  return Bun.spawnSync(command).stdout.toString()
}

function readResult(value: unknown): Result {
  const found = value as Partial<Record<string, unknown>>
  const read = (field: string) => {
    const number = found[field]
    if (typeof number !== 'number') throw new Error(`the load generator did not report ${field}`)
    return number
  }
  return Object.fromEntries(FIELDS.map((field) => [field, read(field)])) as Result
}

/** A port that is free now for TCP, and hardly taken for UDP in the meantime. */
function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  listener.stop(true)
  return listener.port
}

type Server = ReturnType<typeof launch>

/** What runs now; whoever stops the benchmark early must not leave anything behind. */
const running = new Set<Bun.Subprocess>()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    for (const one of running) one.kill('SIGKILL')
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
      const patience = setTimeout(() => server.kill('SIGKILL'), 5000)
      await server.exited
      clearTimeout(patience)
      running.delete(server)
    },
  }
}

/** Asks until there is an answer. */
async function ready(server: Server, transport: Transport, port: number): Promise<void> {
  const ask = transport === 'udp' ? askUdp : askHttp
  for (let waited = 0; waited < READY_MS; waited += ASK_EVERY_MS) {
    if (server.process.exitCode !== null) break
    if (await ask(port)) return
    await Bun.sleep(ASK_EVERY_MS)
  }
  throw new Error(`the server did not start: ${server.complaint()}`)
}

const CONNECT_REQUEST = Uint8Array.of(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4)

async function askUdp(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = await Bun.udpSocket({
    connect: { hostname: '127.0.0.1', port },
    socket: { data: () => resolve(true), error: () => resolve(false) },
  })
  const patience = setTimeout(() => resolve(false), 200)
  try {
    socket.send(CONNECT_REQUEST)
    return await promise
  } catch {
    return false
  } finally {
    clearTimeout(patience)
    socket.close()
  }
}

async function askHttp(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } })
    socket.end()
    return true
  } catch {
    return false
  }
}
