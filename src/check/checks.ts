/**
 * Checks targets once, as the reference's checker does (docs/behaviours.md T4): a tracker must answer an announce
 * and a scrape, a service must be healthy. What goes wrong becomes a finding, never an exception.
 */
import { EVENT } from '../bittorrent.ts'
import { type AskOptions, openClient, randomPeerId } from '../client/ask.ts'
import type { TrackerClient } from '../client/client.ts'
import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { inParallel } from '../client/in-parallel.ts'
import { type Address, resolve } from '../client/resolve.ts'
import { UdpClient } from '../client/udp.ts'
import { Deadline } from '../time/deadline.ts'
import { joinPort } from '../wire/address.ts'
import type { Target } from './targets.ts'

/** Targets that are asked at the same time. */
export const AT_ONCE = 32
/** Most addresses of one name that are checked: the owner of the name can give it any number. */
const MOST_ADDRESSES = 16
/** Time limit for removing the peer again. */
const LEAVING_MILLISECONDS = 1_000
/** The port that the peer claims to listen on, where no socket of its own has one. */
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

/** What is found at one address, step by step. */
export class Finding {
  readonly kind: Target['kind']
  readonly url: string
  /** The `ip:port` that was asked; `host:port` if the name has no address. */
  remote: string
  /** How long the first answer took; undefined: no answer. */
  milliseconds: number | undefined
  readonly steps: Step[] = []
  /** Why the peer of the check may still be in the swarm; undefined: it is not. */
  left: string | undefined

  constructor({ kind, url }: Target, ip: string = url.host) {
    this.kind = kind
    this.url = url.href
    this.remote = joinPort(ip, url.port)
  }

  /** Text that `work` resolves with is what it found. Resolves with the failure, if there is one. */
  async step(name: string, work: () => Promise<unknown>): Promise<ClientFailure | undefined> {
    const since = performance.now()
    try {
      const found = await work()
      // Setup asks nothing.
      if (name !== 'Setup') this.milliseconds ??= performance.now() - since
      this.steps.push({ name, ...(typeof found === 'string' && { found }) })
      return undefined
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      this.steps.push({ name, failure: error.reason })
      return error
    }
  }
}

/** One finding for each address of a tracker, in the order of the targets. `done` is called after each target. */
export async function checkAll(
  targets: readonly Target[],
  options: CheckOptions,
  done: () => void,
): Promise<Finding[]> {
  const findings = await inParallel(targets, AT_ONCE, async (target) => {
    const found = await check(target, options)
    done()
    return found
  })
  return findings.flat()
}

async function check(target: Target, options: CheckOptions): Promise<Finding[]> {
  const finding = new Finding(target)
  // A health API often listens at one address only of a name that has several, such as localhost.
  if (target.kind === 'health') {
    await finding.step('Health', async () => {
      const { remote, statusLine, problem } = await askHealth(target.url, options)
      finding.remote = remote
      if (problem !== undefined) throw new ClientFailure('status', problem)
      return statusLine
    })
    return [finding]
  }
  let addresses: readonly Address[] = []
  const first = target.kind === 'udp' ? 'Setup' : 'Announce'
  const failure = await finding.step(first, async () => {
    addresses = await resolve(target.url.host, options)
  })
  if (failure) return [finding]
  const ask = target.kind === 'udp' ? checkUdp : checkOther
  return await Promise.all(
    addresses.slice(0, MOST_ADDRESSES).map((address) => ask(target, address, options)),
  )
}

async function checkUdp(target: Target, address: Address, options: CheckOptions): Promise<Finding> {
  const finding = new Finding(target, address.ip)
  const { port, path } = target.url
  let client: UdpClient | undefined
  await finding.step('Setup', async () => {
    client = await UdpClient.open(address, port, { ...options, path })
  })
  using opened = client
  if (opened && !(await finding.step('Connect', () => opened.connect())))
    await announceAndScrape(finding, opened, options.infoHash, opened.localPort)
  return finding
}

async function checkOther(
  target: Target,
  address: Address,
  options: CheckOptions,
): Promise<Finding> {
  const finding = new Finding(target, address.ip)
  using client = await openClient(target.url, address, options)
  await announceAndScrape(finding, client, options.infoHash, PEER_PORT)
  return finding
}

/** Announces a peer, scrapes the torrent, and removes the peer again. */
async function announceAndScrape(
  finding: Finding,
  client: TrackerClient,
  infoHash: Uint8Array,
  port: number,
): Promise<void> {
  // A seeder, so that no download is counted, which wants as few peers as possible.
  const amounts = { uploaded: 0, downloaded: 0, left: 0, want: 1 }
  const peer = { infoHash, peerId: randomPeerId(), port, ...amounts, key: 0, compact: true }
  const failure = await finding.step('Announce', async () => {
    await client.announce({ ...peer, event: EVENT.started })
  })
  await finding.step('Scrape', async () => {
    await client.scrape([infoHash])
  })
  if (client.takesPeersAlong) return
  // A tracker that refused, or was not reached, has no peer to remove. Any other may have one.
  if (failure && ['refusal', 'connect', 'tls'].includes(failure.kind)) return
  try {
    await Deadline.in(LEAVING_MILLISECONDS).run(
      () => client.announce({ ...peer, event: EVENT.stopped, want: 0 }),
      () => new ClientFailure('timeout', 'no answer'),
    )
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    if (failure === undefined || failure.kind === 'timeout') finding.left = error.reason
  }
}
