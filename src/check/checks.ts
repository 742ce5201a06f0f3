/**
 * Checks targets once, as the reference's checker does (spec/torrust-console-tools §3.2): a tracker must answer
 * an announce and a scrape, a service must be well. What goes wrong is a finding, never an exception.
 */
import { EVENT, type Family } from '../bittorrent.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { announceHttp, scrapeHttp } from '../client/http.ts'
import { randomPeerId } from '../client/peer-id.ts'
import type { AnnounceQuestion } from '../client/question.ts'
import { type Address, resolve } from '../client/resolve.ts'
import { UdpClient } from '../client/udp.ts'
import { within } from '../time/within.ts'
import { joinPort } from '../wire/address.ts'
import { explain } from './explain.ts'
import { Gate } from './gate.ts'
import type { Kind, Target } from './target.ts'

/** Targets that are checked at once. */
export const AT_ONCE = 32
/** Addresses of one name that are checked: whoever owns the name decides how many there are. */
const MOST_ADDRESSES = 16
/** A tracker that did not answer the announce is not waited for once more. */
const LEAVING_MILLISECONDS = 500
/** Where the peer of an HTTP announce says that it listens. */
const PEER_PORT = 17_548

export interface CheckOptions {
  readonly infoHash: Uint8Array
  /** Time limit of each question. */
  readonly milliseconds: number
  readonly family?: Family | undefined
  readonly insecure?: boolean | undefined
}

export interface Step {
  readonly name: string
  /** Why it failed, in one line. */
  readonly failure?: string
  /** What a step that did not fail found. */
  readonly told?: string
}

export interface Finding {
  readonly kind: Kind
  readonly url: string
  /** `ip:port` that was asked; `host:port` if the name leads nowhere. */
  readonly remote: string
  /** Of the first question that was answered. */
  readonly milliseconds: number | undefined
  readonly steps: readonly Step[]
  /** Why the peer of the check may not be gone again. */
  readonly left: string | undefined
}

/**
 * In the order of the targets, one finding for each address of a tracker. `done` is called when a target is
 * through.
 */
export async function checkAll(
  targets: readonly Target[],
  options: CheckOptions,
  done: () => void,
): Promise<Finding[]> {
  const gate = new Gate(AT_ONCE)
  const findings = targets.map((target) =>
    gate.pass(() => check(target, options)).finally(() => done()),
  )
  return (await Promise.all(findings)).flat()
}

async function check(target: Target, options: CheckOptions): Promise<Finding[]> {
  // Its listener is behind one address of many a name: that of this machine has two.
  if (target.kind === 'health') return [await checkHealth(target, options)]
  const { url, kind } = target
  let addresses: readonly Address[]
  try {
    addresses = await resolve(url.host, options)
  } catch (error) {
    const visit = new Visit(target, joinPort(url.host, url.port))
    await visit.step(kind === 'udp' ? 'Setup' : 'Announce', () => Promise.reject(error))
    return [visit.finding]
  }
  const ask = kind === 'udp' ? checkUdp : checkHttp
  return await Promise.all(
    addresses.slice(0, MOST_ADDRESSES).map((address) => ask(target, address, options)),
  )
}

/** What is found at one address, step by step. */
class Visit {
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

  /** Resolves with the failure, if it is one. What is no question takes no time that counts. */
  async step(
    name: string,
    work: () => Promise<unknown>,
    isQuestion = true,
  ): Promise<ClientFailure | undefined> {
    const since = performance.now()
    try {
      await work()
      if (isQuestion) this.#milliseconds ??= performance.now() - since
      this.#steps.push({ name })
      return undefined
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      this.#steps.push({ name, failure: explain(error) })
      return error
    }
  }

  /** Announces a peer that is there, and asks for the torrent. */
  async announceAndScrape(
    question: AnnounceQuestion,
    announce: (question: AnnounceQuestion) => Promise<unknown>,
    scrape: () => Promise<unknown>,
  ): Promise<void> {
    const failure = await this.step('Announce', () => announce(question))
    await this.step('Scrape', scrape)
    // Whoever said no, or could not be asked, has no peer. Any other may have heard.
    if (failure && ['refusal', 'connect', 'tls'].includes(failure.kind)) return
    const late = new ClientFailure('timeout', 'no answer')
    const leaving = announce({ ...question, event: EVENT.stopped, want: 0 })
    try {
      await (failure === undefined ? leaving : within(leaving, LEAVING_MILLISECONDS, late))
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      if (failure === undefined || failure.kind === 'timeout') this.#left = explain(error)
    }
  }
}

async function checkUdp(target: Target, address: Address, options: CheckOptions): Promise<Finding> {
  const { url } = target
  const visit = new Visit(target, joinPort(address.ip, url.port))
  let client: UdpClient | undefined
  const setUp = async () => {
    client = await UdpClient.open(address, url.port, { ...options, path: url.path })
  }
  await visit.step('Setup', setUp, false)
  using opened = client
  if (!opened || (await visit.step('Connect', () => opened.connect()))) return visit.finding
  await visit.announceAndScrape(
    questionOf(options.infoHash, opened.localPort),
    (question) => opened.announce(question),
    () => opened.scrape([options.infoHash]),
  )
  return visit.finding
}

async function checkHttp(
  target: Target,
  address: Address,
  options: CheckOptions,
): Promise<Finding> {
  const { url } = target
  const visit = new Visit(target, joinPort(address.ip, url.port))
  await visit.announceAndScrape(
    questionOf(options.infoHash, PEER_PORT),
    (question) => announceHttp(url, address, question, options),
    () => scrapeHttp(url, address, [options.infoHash], options),
  )
  return visit.finding
}

async function checkHealth(target: Target, options: CheckOptions): Promise<Finding> {
  const { href, host, port } = target.url
  const about = { kind: target.kind, url: href, left: undefined }
  const since = performance.now()
  try {
    const { remote, statusLine, problem } = await askHealth(target.url, options)
    const milliseconds = performance.now() - since
    const step = problem === undefined ? { told: statusLine } : { failure: problem }
    return { ...about, remote, milliseconds, steps: [{ name: 'Health', ...step }] }
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    const steps = [{ name: 'Health', failure: explain(error) }]
    return { ...about, remote: joinPort(host, port), milliseconds: undefined, steps }
  }
}

/** A seeder, so that no download is counted, and who wants hardly any peers. */
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
