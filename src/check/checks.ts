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
import type { TrackerUrl } from '../client/tracker-url.ts'
import { UdpClient } from '../client/udp.ts'
import { Deadline } from '../time/deadline.ts'
import { joinPort } from '../wire/address.ts'
import type { AnnounceQuestion } from '../wire/udp-client.ts'
import type { Kind, Target } from './target.ts'

/** Targets that are asked at the same time. */
const AT_ONCE = 32
/** Most addresses of one name that are checked: the owner of the name can give it any number. */
const MOST_ADDRESSES = 16
/** Time limit for removing the peer again. */
const LEAVING_MILLISECONDS = 1_000
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

/** One finding for each address of a tracker, in the order of the targets. `done` is called after each target. */
export async function checkAll(
  targets: readonly Target[],
  options: CheckOptions,
  done: () => void,
): Promise<Finding[]> {
  const findings = await onEach(targets, async (target) => {
    const found = await check(target, options)
    done()
    return found
  })
  return findings.flat()
}

/** Does `work` on all items, on a bounded number at a time. The results are in the order of the items. */
export async function onEach<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  const queue = items.entries()
  const takeTurns = async () => {
    for (const [i, item] of queue) results[i] = await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, takeTurns))
  return results
}

async function check(target: Target, options: CheckOptions): Promise<Finding[]> {
  const { url, kind } = target
  const unresolved = joinPort(url.host, url.port)
  // A health API often listens at one address only of a name that has several, such as localhost.
  if (kind === 'health') return [await checkHealth(new CheckedAddress(target, unresolved), options)]
  let addresses: readonly Address[]
  try {
    addresses = await resolve(url.host, options)
  } catch (error) {
    const checked = new CheckedAddress(target, unresolved)
    await checked.step(kind === 'udp' ? 'Setup' : 'Announce', () => Promise.reject(error))
    return [checked.finding]
  }
  const ask = kind === 'udp' ? checkUdp : checkHttp
  return await Promise.all(
    addresses.slice(0, MOST_ADDRESSES).map((address) => {
      const checked = new CheckedAddress(target, joinPort(address.ip, url.port))
      return ask(checked, url, address, options)
    }),
  )
}

/** Collects what is found at one address, step by step. */
class CheckedAddress {
  readonly target: Target
  remote: string
  readonly #steps: Step[] = []
  #milliseconds: number | undefined
  #left: string | undefined

  constructor(target: Target, remote: string) {
    this.target = target
    this.remote = remote
  }

  get finding(): Finding {
    const { kind, url } = this.target
    return {
      kind,
      url: url.href,
      remote: this.remote,
      milliseconds: this.#milliseconds,
      steps: this.#steps,
      left: this.#left,
    }
  }

  /** Text that `work` resolves with is what it found. Resolves with the failure, if there is one. */
  async step(name: string, work: () => Promise<unknown>): Promise<ClientFailure | undefined> {
    const since = performance.now()
    try {
      const found = await work()
      // Setup asks nothing.
      if (name !== 'Setup') this.#milliseconds ??= performance.now() - since
      this.#steps.push({ name, ...(typeof found === 'string' && { found }) })
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
    try {
      await Deadline.in(LEAVING_MILLISECONDS).run(
        () => announce({ ...question, event: EVENT.stopped, want: 0 }),
        () => new ClientFailure('timeout', 'no answer'),
      )
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      if (failure === undefined || failure.kind === 'timeout') this.#left = error.reason
    }
  }
}

async function checkUdp(
  checked: CheckedAddress,
  { port, path }: TrackerUrl,
  address: Address,
  options: CheckOptions,
): Promise<Finding> {
  let client: UdpClient | undefined
  await checked.step('Setup', async () => {
    client = await UdpClient.open(address, port, { ...options, path })
  })
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
  checked: CheckedAddress,
  url: TrackerUrl,
  address: Address,
  options: CheckOptions,
): Promise<Finding> {
  await checked.announceAndScrape(
    questionOf(options.infoHash, PEER_PORT),
    (question) => announceHttp(url, address, question, options),
    () => scrapeHttp(url, address, [options.infoHash], options),
  )
  return checked.finding
}

async function checkHealth(checked: CheckedAddress, options: CheckOptions): Promise<Finding> {
  await checked.step('Health', async () => {
    const { remote, statusLine, problem } = await askHealth(checked.target.url, options)
    checked.remote = remote
    if (problem !== undefined) throw new ClientFailure('status', problem)
    return statusLine
  })
  return checked.finding
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
