/**
 * Child process: many sockets on a WebTorrent tracker that runs already, as browsers hold them: each one peer of one torrent,
 * with 20 peers in each torrent. Measures what they make the server hold. Takes its options as JSON and prints one JSON object.
 */
import { Population } from '../src/bench/population.ts'
import { WebSocketLink } from '../src/bench/websocket-link.ts'
import { WebSocketReply } from '../src/bench/websocket-reply.ts'
import { WebSocketRequests } from '../src/bench/websocket-requests.ts'
import { ACTION } from '../src/wire/udp.ts'
import { usageOf } from './load.ts'

const DEFAULTS = {
  port: 0,
  tls: false,
  /** The process whose memory is reported. */
  pid: 0,
  sockets: 10_000,
  /** Seconds in which sockets come and go; 0: none does, and the memory of each is measured in steps. */
  churnSeconds: 0,
  /** Sockets that are closed and opened in each second, in percent of all. */
  churn: 1,
  /** Before memory is read: servers give some back a little later. */
  settleSeconds: 3,
}
export type CrowdOptions = typeof DEFAULTS
export type CrowdResult = Awaited<ReturnType<typeof run>>

const ADDRESS = { ip: '127.0.0.1', family: 4 } as const
const PEERS_PER_TORRENT = 20
/** How many are opened at a time, and how many announces are sent in a row. */
const GROUP = 100
const REST_MS = 10
const OPEN_MS = 10_000
/** Those that warm the server up, so that what it needs once is not counted. */
const FIRST = 200
const INTERVAL_SECONDS = 120
const TICK_MS = 20

/** `number`: in its peer id. */
type Member = { readonly link: WebSocketLink; readonly number: number }

class Crowd {
  readonly #options: CrowdOptions
  /** The sockets that are open, the oldest first. */
  readonly #members: Member[] = []
  readonly #requests: WebSocketRequests
  readonly #peers: number
  readonly #reply = new WebSocketReply()
  #opened = 0
  /** Whose turn it is to announce again. */
  #turn = 0
  announces = 0
  answers = 0
  offers = 0
  /** Sockets that the server closed or did not accept, and the last reason. */
  failed = 0
  why = ''

  constructor(options: CrowdOptions) {
    this.#options = options
    this.#peers = options.sockets
    const torrents = Math.ceil(options.sockets / PEERS_PER_TORRENT)
    const population = new Population({ seed: 1, torrents, peers: this.#peers, seeders: 75 })
    this.#requests = new WebSocketRequests({ population, seed: 1, offers: 5, ascii: false })
  }

  get size(): number {
    return this.#members.length
  }

  /** Resolves when so many more are open, or have failed. */
  async open(count: number, announces: boolean): Promise<void> {
    for (let begun = 0; begun < count; begun += GROUP)
      await Promise.all(
        Array.from({ length: Math.min(GROUP, count - begun) }, () => this.openOne(announces)),
      )
  }

  async openOne(announces: boolean): Promise<void> {
    const { port, tls } = this.#options
    const number = this.#opened++
    const { promise, resolve } = Promise.withResolvers<void>()
    const link = new WebSocketLink(
      { address: ADDRESS, port, host: ADDRESS.ip, tls, insecure: true },
      '',
      {
        opened: () => {
          this.#members.push({ link, number })
          resolve()
        },
        received() {},
        take: (bytes, from, to) => {
          const kind = this.#reply.read(bytes, from, to, false)
          if (kind === 'offer') this.offers++
          else if (kind === 'announced') this.answers++
          else this.why = `it sends: ${kind} ${this.#reply.failure}`
        },
        ended: (_cause, why) => {
          this.failed++
          this.why = why
          const place = this.#members.findIndex((other) => other.link === link)
          if (place >= 0) this.#members.splice(place, 1)
          resolve()
        },
      },
    )
    const timer = setTimeout(resolve, OPEN_MS)
    await promise
    clearTimeout(timer)
    if (announces && link.isOpen) this.#announce({ link, number })
  }

  #announce({ link, number }: Member): void {
    link.send(this.#requests.write(ACTION.announce, number % this.#peers, number))
    this.announces++
  }

  async announceAll(): Promise<void> {
    for (const [i, member] of this.#members.entries()) {
      this.#announce(member)
      if (i % GROUP === 0) await Bun.sleep(REST_MS)
    }
  }

  /** The one that has been open longest goes. */
  closeOne(): void {
    this.#members.shift()?.link.close()
  }

  /** As many as are due announce, in turn. */
  announceSome(count: number): void {
    const members = this.#members
    for (let i = 0; i < count && members.length > 0; i++)
      this.#announce(members[this.#turn++ % members.length]!)
  }

  closeAll(): void {
    for (const { link } of this.#members.splice(0)) link.close()
  }
}

async function run(options: CrowdOptions) {
  const { pid, sockets, churnSeconds, settleSeconds } = options
  const memory = async () => {
    await Bun.sleep(settleSeconds * 1000)
    return usageOf(pid).residentKb
  }
  const crowd = new Crowd(options)
  await crowd.open(Math.min(FIRST, sockets), true)
  await crowd.announceAll()
  await Bun.sleep(settleSeconds * 1000)
  crowd.closeAll()
  const emptyKb = await memory()
  await crowd.open(sockets, false)
  const idleKb = await memory()
  await crowd.announceAll()
  const announcedKb = await memory()
  const churned = churnSeconds > 0 ? await churn(crowd, options) : NO_CHURN
  // What is under way comes in.
  await Bun.sleep(settleSeconds * 1000)
  const { size, failed, why, announces, answers, offers } = crowd
  if (size < sockets * 0.99) throw new Error(`only ${size} of ${sockets} sockets are open: ${why}`)
  crowd.closeAll()
  const goneKb = await memory()
  return {
    sockets: size,
    goneKb,
    emptyKb,
    idleKb,
    announcedKb,
    ...churned,
    failed,
    announces,
    answers,
    offers,
  }
}

const NO_CHURN = { middleKb: 0, endKb: 0, firstHalfKb: 0, secondHalfKb: 0 }

/**
 * Each second some sockets go and as many come, and one in 120 of the others announces. Memory is read each second, because that of servers
 * that collect garbage rises and falls.
 */
async function churn(crowd: Crowd, { pid, sockets, churnSeconds, churn }: CrowdOptions) {
  const began = performance.now()
  const opening: Promise<void>[] = []
  let changed = 0
  let announced = 0
  let [middleKb, firstHalfKb, secondHalfKb, looks] = [0, 0, 0, 0]
  for (let seconds = 0; seconds < churnSeconds; ) {
    await Bun.sleep(TICK_MS)
    seconds = (performance.now() - began) / 1000
    for (; changed < seconds * sockets * (churn / 100); changed++) {
      crowd.closeOne()
      opening.push(crowd.openOne(true))
    }
    const due = Math.floor((seconds * sockets) / INTERVAL_SECONDS) - announced
    crowd.announceSome(due)
    announced += due
    if (seconds < looks) continue
    looks++
    const { residentKb } = usageOf(pid)
    if (seconds < churnSeconds / 2) firstHalfKb = Math.max(firstHalfKb, residentKb)
    else {
      middleKb ||= residentKb
      secondHalfKb = Math.max(secondHalfKb, residentKb)
    }
  }
  await Promise.all(opening)
  const endKb = usageOf(pid).residentKb
  return { middleKb, endKb, firstHalfKb, secondHalfKb: Math.max(secondHalfKb, endKb) }
}

if (import.meta.main)
  console.log(JSON.stringify(await run({ ...DEFAULTS, ...JSON.parse(process.argv[2]!) })))
