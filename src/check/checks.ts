/**
 * Checks targets once, as the reference's checker does (docs/behaviours.md T4): a tracker must answer an announce
 * and a scrape, a service must be healthy. What goes wrong becomes a finding, never an exception.
 */
import { EVENT } from '../bittorrent.ts'
import { type AskOptions, randomPeerId } from '../client/ask.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { announceHttp, scrapeHttp } from '../client/http.ts'
import { type Address, resolve } from '../client/resolve.ts'
import { UdpClient } from '../client/udp.ts'
import { Deadline } from '../time/deadline.ts'
import { joinPort } from '../wire/address.ts'
import type { AnnounceQuestion } from '../wire/udp-client.ts'
import type { Kind, Target } from './target.ts'

/** Targets that are asked at the same time. */
export const AT_ONCE = 32
/** Most addresses of one name that are checked: the owner of the name can give it any number. */
const MOST_ADDRESSES = 16
/** Time limit for removing the peer again if the announce got no answer. */
const LEAVING_MILLISECONDS = 500
/** The port that the peer of an HTTP announce claims to listen on. */
const PEER_PORT = 17_548

export interface CheckOptions extends AskOptions {
  readonly infoHash: Uint8Array
}

export interface Step {
  readonly name: string
  /** Why it failed, in one line. */
  readonly failure?: string
  /** What a successful step found. */
  readonly found?: string
}

export interface Finding {
  readonly kind: Kind
  readonly url: string
  /** The `ip:port` that was asked; `host:port` if the name has no address. */
  readonly remote: string
  /** How long the first answer took; undefined: no answer. */
  readonly milliseconds: number | undefined
  readonly steps: readonly Step[]
  /** Why the peer of the check may still be in the swarm; undefined: it is not. */
  readonly left: string | undefined
}

/**
 * One finding for each address of a tracker, in the order of the targets. `done` is called after each target.
 */
export async function checkAll(
  targets: readonly Target[],
  options: CheckOptions,
  done: () => void,
): Promise<Finding[]> {
  const limiter = new Limiter(AT_ONCE)
  const findings = targets.map((target) =>
    limiter.run(() => check(target, options)).finally(() => done()),
  )
  return (await Promise.all(findings)).flat()
}

/** Does a bounded number of works at the same time; the others wait in the order in which they came. */
export class Limiter {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(most: number) {
    this.#free = most
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      // The place is handed on without becoming free, so that no newcomer takes it.
      if (next) next()
      else this.#free++
    }
  }
}

async function check(target: Target, options: CheckOptions): Promise<Finding[]> {
  // A health API often listens at one address only of a name that has several, such as localhost.
  if (target.kind === 'health') return [await checkHealth(target, options)]
  const { url, kind } = target
  let addresses: readonly Address[]
  try {
    addresses = await resolve(url.host, options)
  } catch (error) {
    const checked = new CheckedAddress(target, joinPort(url.host, url.port))
    await checked.step(kind === 'udp' ? 'Setup' : 'Announce', () => Promise.reject(error))
    return [checked.finding]
  }
  const ask = kind === 'udp' ? checkUdp : checkHttp
  return await Promise.all(
    addresses.slice(0, MOST_ADDRESSES).map((address) => ask(target, address, options)),
  )
}

/** Collects what is found at one address, step by step. */
class CheckedAddress {
  readonly #target: Target
  readonly #remote: string
  readonly #steps: Step[] = []
  #milliseconds: number | undefined
  #left: string | undefined

  constructor(target: Target, remote: string) {
    this.#target = target
    this.#remote = remote
  }

  get finding(): Finding {
    return {
      kind: this.#target.kind,
      url: this.#target.url.href,
      remote: this.#remote,
      milliseconds: this.#milliseconds,
      steps: this.#steps,
      left: this.#left,
    }
  }

  /** Resolves with the failure, if there is one. Only the time of requests counts. */
  async step(
    name: string,
    work: () => Promise<unknown>,
    isRequest = true,
  ): Promise<ClientFailure | undefined> {
    const since = performance.now()
    try {
      await work()
      if (isRequest) this.#milliseconds ??= performance.now() - since
      this.#steps.push({ name })
      return undefined
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      this.#steps.push({ name, failure: error.reason })
      return error
    }
  }

  /** Announces a peer, scrapes the torrent, and removes the peer again. */
  async announceAndScrape(
    question: AnnounceQuestion,
    announce: (question: AnnounceQuestion) => Promise<unknown>,
    scrape: () => Promise<unknown>,
  ): Promise<void> {
    const failure = await this.step('Announce', () => announce(question))
    await this.step('Scrape', scrape)
    // A tracker that refused, or was not reached, has no peer to remove. Any other may have one.
    if (failure && ['refusal', 'connect', 'tls'].includes(failure.kind)) return
    const late = new ClientFailure('timeout', 'no answer')
    const leaving = announce({ ...question, event: EVENT.stopped, want: 0 })
    try {
      const soon = Deadline.in(LEAVING_MILLISECONDS)
      await (failure === undefined
        ? leaving
        : soon.run(
            () => leaving,
            () => late,
          ))
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      if (failure === undefined || failure.kind === 'timeout') this.#left = error.reason
    }
  }
}

async function checkUdp(target: Target, address: Address, options: CheckOptions): Promise<Finding> {
  const { url } = target
  const checked = new CheckedAddress(target, joinPort(address.ip, url.port))
  let client: UdpClient | undefined
  const setUp = async () => {
    client = await UdpClient.open(address, url.port, { ...options, path: url.path })
  }
  await checked.step('Setup', setUp, false)
  using opened = client
  if (!opened || (await checked.step('Connect', () => opened.connect()))) return checked.finding
  await checked.announceAndScrape(
    questionOf(options.infoHash, opened.localPort),
    (question) => opened.announce(question),
    () => opened.scrape([options.infoHash]),
  )
  return checked.finding
}

async function checkHttp(
  target: Target,
  address: Address,
  options: CheckOptions,
): Promise<Finding> {
  const { url } = target
  const checked = new CheckedAddress(target, joinPort(address.ip, url.port))
  await checked.announceAndScrape(
    questionOf(options.infoHash, PEER_PORT),
    (question) => announceHttp(url, address, question, options),
    () => scrapeHttp(url, address, [options.infoHash], options),
  )
  return checked.finding
}

async function checkHealth(target: Target, options: CheckOptions): Promise<Finding> {
  const { href, host, port } = target.url
  const about = { kind: target.kind, url: href, left: undefined }
  const since = performance.now()
  try {
    const { remote, statusLine, problem } = await askHealth(target.url, options)
    const milliseconds = performance.now() - since
    const step = problem === undefined ? { found: statusLine } : { failure: problem }
    return { ...about, remote, milliseconds, steps: [{ name: 'Health', ...step }] }
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    const steps = [{ name: 'Health', failure: error.reason }]
    return { ...about, remote: joinPort(host, port), milliseconds: undefined, steps }
  }
}

/** A seeder, so that no download is counted, which wants as few peers as possible. */
const questionOf = (infoHash: Uint8Array, port: number): AnnounceQuestion => ({
  infoHash,
  peerId: randomPeerId(),
  port,
  uploaded: 0,
  downloaded: 0,
  left: 0,
  event: EVENT.started,
  key: 0,
  want: 1,
  compact: true,
})
