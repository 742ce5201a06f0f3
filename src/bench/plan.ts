/** What the command line of a load test asks for. */
import {
  type Invocation,
  Misuse,
  numberValue,
  optionValue,
  readFamily,
  secondsValue,
} from '../cli/invocation.ts'
import type { Address } from '../client/resolve.ts'
import { parseTrackerUrl } from '../client/tracker-url.ts'
import { joinPort } from '../wire/address.ts'
import type { Mix } from './load.ts'
import { MAX_WINDOW } from './udp-load.ts'

/**
 * Requests in flight of each UDP socket. Those of eight fit into three quarters of Linux's default receive buffer, which
 * is as much as it holds while it is read.
 */
const WINDOW = 20
export type Plan = ReturnType<typeof readPlan>

/** Throws `Misuse`. `clients`: the limit of that option, and its default. */
export function readPlan(
  invocation: Invocation,
  schemes: readonly string[],
  clients: { readonly most: number; readonly fallback: number },
) {
  const url = parseTrackerUrl(invocation.arguments[0]!)
  if (typeof url === 'string') throw new Misuse(`URL ${url}`)
  if (!schemes.includes(url.scheme))
    throw new Misuse(`URL must begin with ${schemes.join(':// or ')}://, not ${url.scheme}://`)
  const count = (name: string, min: number, max: number, fallback: number) =>
    numberValue(invocation, name, { min, max }, fallback)
  const isWeb = url.protocol === 'websocket'
  // Offers need others in the same swarm: most torrents of a WebTorrent load have a few.
  const torrents = count('torrents', 1, 1_000_000, isWeb ? 1_000 : 10_000)
  const peers = count('peers', 1, 2_000_000, torrents * (isWeb ? 20 : 2))
  if (peers < torrents)
    throw new Misuse(`--peers must be at least the number of torrents, ${torrents}, not ${peers}`)
  const has = (name: string) => invocation.options.has(name)
  const mix: Mix = optionValue(invocation, 'mix') === 'announce' ? 'announce' : 'mixed'
  return {
    url,
    family: readFamily(invocation),
    /** The user says that the tracker is theirs. */
    owned: has('i-own-this-target'),
    insecure: has('insecure'),
    closes: has('close'),
    durationMilliseconds: secondsValue(invocation, 'duration', { min: 0.1, max: 600 }, 10),
    timeoutMilliseconds: secondsValue(invocation, 'timeout', { min: 0.1, max: 60 }, 2),
    rate: numberValue(invocation, 'rate', { min: 1, max: 10_000_000 }, undefined),
    mix,
    clients: count('clients', 1, clients.most, clients.fallback),
    window: url.scheme === 'udp' ? count('window', 1, MAX_WINDOW, WINDOW) : 1,
    torrents,
    peers,
    seeders: count('seeders', 0, 100, 75),
    want: isWeb ? 0 : count('numwant', 0, 1_000, 30),
    offers: isWeb ? count('offers', 0, 20, 5) : 0,
    answers: isWeb && mix === 'mixed' ? count('answers', 0, 100, 20) : 0,
    ascii: has('ascii'),
    seed: count('seed', 0, Number.MAX_SAFE_INTEGER, 1),
  }
}

/** The options of the test, as the result repeats them. `address`: the one that was asked. */
export const configurationOf = (plan: Plan, address: Address, rate: number | undefined) => ({
  url: plan.url.href,
  address: joinPort(address.ip, plan.url.port),
  mix: plan.mix,
  duration_seconds: plan.durationMilliseconds / 1000,
  /** Requests per second; null: no limit. */
  rate: rate ?? null,
  clients: plan.clients,
  /** Most requests in flight of each client. */
  window: plan.window,
  torrents: plan.torrents,
  peers: plan.peers,
  seeders_percent: plan.seeders,
  ...(plan.url.protocol === 'websocket'
    ? { offers: plan.offers, answers_percent: plan.answers, ascii: plan.ascii }
    : { numwant: plan.want }),
  timeout_seconds: plan.timeoutMilliseconds / 1000,
  seed: plan.seed,
  /** HTTP: a connection for each request. */
  ...(plan.url.protocol === 'http' && { close: plan.closes }),
})
