/**
 * Trackers to test clients with, each a process on the loopback: this one, opentracker and that of the npm package.
 * `available` is false if one is not installed, for `test.skipIf`.
 */

import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { EVENT } from '../../../src/bittorrent.ts'
import { getHttp } from '../../../src/client/http.ts'
import { UdpClient } from '../../../src/client/udp.ts'
import { question } from '../client/question.ts'
import { configuration, listeners } from '../configuration.ts'
import { npmFile } from '../npm-packages.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { until } from '../until.ts'
import { freePort, launch, type Run, source } from './program.ts'

export interface Opponent extends AsyncDisposable {
  readonly name: string
  /** `udp://127.0.0.1:PORT` */
  readonly udp: string
  /** `http://127.0.0.1:PORT/announce` */
  readonly http: string
  /** `ws://127.0.0.1:PORT/announce`, where there is one. */
  readonly websocket: string
}

const HERE = '127.0.0.1'
/** Another process may take the free port first. */
const ATTEMPTS = 3

const npmServer = npmFile('bittorrent-tracker/server.js')
const node = Bun.which('node')
const opentracker = Bun.which('opentracker')

/** `start` resolves when it answers over both transports. It serves at least the torrents of `hashes`. */
export const OPPONENTS: readonly {
  readonly name: 'tracker' | 'opentracker' | 'npm'
  readonly available: boolean
  readonly hasWebSocket: boolean
  start(hashes?: readonly Uint8Array[]): Promise<Opponent>
}[] = [
  { name: 'tracker', available: true, hasWebSocket: true, start: startOurs },
  {
    name: 'opentracker',
    available: opentracker !== null,
    hasWebSocket: false,
    start: startOpentracker,
  },
  {
    name: 'npm',
    available: node !== null && npmServer !== null,
    hasWebSocket: true,
    start: startNpm,
  },
]

async function startOurs(): Promise<Opponent> {
  const rest = `${listeners()}[[websocket_trackers]]\nbind_address = "${HERE}:0"\n`
  const run = await launch(source, { toml: configuration({ rest }) })
  return await opponent('tracker', run, async () => {
    const { udp_trackers, http_trackers, websocket_trackers } = await run.services()
    return {
      udp: portOf(udp_trackers[0]),
      http: portOf(http_trackers[0]),
      websocket: portOf(websocket_trackers[0]),
    }
  })
}

async function startNpm(): Promise<Opponent> {
  const script = join(import.meta.dir, 'npm-tracker.mjs')
  const run = await launch(() => [node!, script, npmServer!])
  return await opponent('npm', run, async () => {
    const [, udp, http] = await run.says(/serves (\d+) (\d+)/)
    return { udp: Number(udp), http: Number(http) }
  })
}

/**
 * Debian builds it for IPv4 only, and to serve only the torrents of a list. It changes its root to its directory and
 * its user to `nobody`.
 */
async function startOpentracker(hashes: readonly Uint8Array[] = []): Promise<Opponent> {
  const lines = hashes.map((hash) => `${Buffer.from(hash).toString('hex')}\n`)
  const room = temporaryDirectory({ whitelist: lines.join('') })
  chmodSync(room.path, 0o755)
  const clean = room[Symbol.dispose]
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const where = ['-i', HERE, '-p', `${port}`, '-P', `${port}`]
    const words = [opentracker!, ...where, '-d', '.', '-w', 'whitelist']
    const run = await launch(() => words, { directory: room.path })
    try {
      return await opponent(
        'opentracker',
        run,
        async () => ({ udp: port, http: port }),
        () => hashes[0] === undefined || isListed(port, hashes[0]),
        clean,
      )
    } catch (error) {
      if (attempt < ATTEMPTS) continue
      clean()
      throw error
    }
  }
}

/** Ends the process if it does not come to answer. */
async function opponent(
  name: string,
  run: Run,
  /** WebSockets are on the port of HTTP if nothing else is said. */
  findPorts: () => Promise<{ udp: number; http: number; websocket?: number }>,
  isReady: () => boolean | Promise<boolean> = () => true,
  clean = () => {},
): Promise<Opponent> {
  try {
    const ports = await findPorts()
    const http = `http://${HERE}:${ports.http}/announce`
    await until(
      () => `${name} to answer: ${run.text.out}${run.text.err}`,
      async () => {
        if (run.child.exitCode !== null) throw new Error(`${name} ended: ${run.text.err}`)
        return (await isUdpTracker(ports.udp)) && (await isHttpServer(http)) && (await isReady())
      },
    )
    return {
      name,
      udp: `udp://${HERE}:${ports.udp}`,
      http,
      websocket: `ws://${HERE}:${ports.websocket ?? ports.http}/announce`,
      [Symbol.asyncDispose]: async () => {
        await run[Symbol.asyncDispose]()
        clean()
      },
    }
  } catch (error) {
    await run[Symbol.asyncDispose]()
    throw error
  }
}

async function isUdpTracker(port: number): Promise<boolean> {
  const options = { milliseconds: 1000 }
  using client = await UdpClient.open({ ip: HERE, family: 4 }, port, options)
  return await client.connect().then(
    () => true,
    () => false,
  )
}

/** opentracker answers before it has read its list; a peer that comes and leaves again shows whether it has. */
async function isListed(port: number, infoHash: Uint8Array): Promise<boolean> {
  const options = { milliseconds: 1000 }
  using client = await UdpClient.open({ ip: HERE, family: 4 }, port, options)
  const comes = { ...question, infoHash }
  return await client.announce(comes).then(
    () => client.announce({ ...comes, event: EVENT.stopped }).then(() => true),
    () => false,
  )
}

/** An announce without parameters is refused, which is an answer. */
const isHttpServer = (url: string): Promise<boolean> =>
  getHttp(new URL(url), { milliseconds: 1000 }).then(
    () => true,
    () => false,
  )

const portOf = (address: string | undefined): number => Number(/\d+$/.exec(address ?? '')?.[0])
