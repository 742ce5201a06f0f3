/**
 * A program that starts a tracker, floods it over UDP, stops, and prints how the tracker is then, as JSON. A program of
 * its own because it may run in a network namespace with a slow loopback.
 *
 * Usage: bun flooded.ts 'JSON of Flood', with TORRUST_TRACKER_CONFIG_TOML for the tracker.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { announcePacket, connectPacket } from '../udp-client.ts'
import { until } from '../until.ts'
import { parseLog } from './log-parser.ts'

export type Flood = {
  /** Command of the tracker. */
  readonly program: readonly string[]
  readonly port: number
  /** Whether it begins before the tracker is up. */
  readonly fromTheStart: boolean
  readonly milliseconds: number
}
export type Aftermath = {
  /** Datagrams sent, and answers to them. */
  readonly sent: number
  readonly answers: number
  /** Share of a core that the idle tracker uses, in the quietest second of a minute at most. */
  readonly idleShare: number
  /** Descriptors before and after. */
  readonly descriptors: readonly [number, number]
  /** Whether a client is served afterwards. */
  readonly serves: boolean
}

const BATCH = 64
/** Batches between two reads of the answers. */
const BATCHES = 20
const SOCKETS = 8
/** Peers in the swarm, so that answers are long. */
const PEERS = 80
const IDLE_SHARE = 0.01

const flood: Flood = JSON.parse(process.argv[2]!)
let answers = 0
let last: Uint8Array | undefined
/** Several, so that each thread of the tracker gets some. */
const sockets = await Promise.all(
  Array.from({ length: SOCKETS }, () =>
    Bun.udpSocket({
      hostname: '127.0.0.1',
      connect: { hostname: '127.0.0.1', port: flood.port },
      socket: {
        data(_socket, packet) {
          answers++
          last = new Uint8Array(packet)
        },
        error() {},
      },
    }),
  ),
)
const [socket] = sockets as [(typeof sockets)[0]]
const connectionId = async (): Promise<bigint> => {
  last = undefined
  return await until('a connection id', async () => {
    // Repeated: in a flood some are lost.
    if (last?.length !== 16) socket.send(connectPacket(1))
    await Bun.sleep(5)
    return last?.length === 16 && new DataView(last.buffer).getBigUint64(8)
  })
}

let sent = 0
async function send(packets: readonly Uint8Array[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    for (let time = 0; time < BATCHES; time++)
      try {
        sent += sockets[time % SOCKETS]!.sendMany(packets)
      } catch {
        // The tracker does not listen yet.
      }
    // Lets the answers be read.
    await new Promise((next) => setImmediate(next))
  }
}

let isUp = false
const early = flood.fromTheStart
  ? send(
      Array.from({ length: BATCH }, (_, i) => connectPacket(i)),
      () => isUp,
    )
  : undefined
const child = Bun.spawn([...flood.program], { stdout: 'pipe', stderr: 'inherit' })
try {
  let text = ''
  void (async () => {
    for await (const bytes of child.stdout) text += Buffer.from(bytes).toString()
  })()
  await until(
    () => `the tracker to be up: ${text}`,
    // The last line of a start: what is opened after the listeners is open, too.
    () => /signal handlers installed/.test(text) && parseLog(text),
  )
  const descriptors = () => readdirSync(`/proc/${child.pid}/fd`).length
  const before = descriptors()
  isUp = true
  await early

  const id = await connectionId()
  for (let peer = 1; peer <= PEERS; peer++) socket.send(announcePacket(id, { port: peer }))
  const announces = Array.from({ length: BATCH }, (_, i) =>
    announcePacket(id, { port: 1 + (i % PEERS), left: 1n }),
  )
  const end = performance.now() + flood.milliseconds
  await send(announces, () => performance.now() > end)

  // In the first seconds it still answers what it received.
  let idleShare = Number.POSITIVE_INFINITY
  for (let second = 0; second < 60 && idleShare > IDLE_SHARE; second++)
    idleShare = Math.min(idleShare, await shareOf(child.pid))
  const served = await connectionId().catch(() => undefined)
  const aftermath: Aftermath = {
    sent,
    answers,
    idleShare,
    descriptors: [before, descriptors()],
    serves: served !== undefined,
  }
  console.log(JSON.stringify(aftermath))
} finally {
  child.kill()
  await child.exited
  for (const each of sockets) each.close()
}

/** Share of a core that the process uses in the next second. */
async function shareOf(pid: number): Promise<number> {
  const nanoseconds = () =>
    readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
      try {
        return (
          sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
        )
      } catch {
        // The thread has ended.
        return sum
      }
    }, 0)
  const [began, before] = [performance.now(), nanoseconds()]
  await Bun.sleep(1000)
  return (nanoseconds() - before) / ((performance.now() - began) * 1e6)
}
