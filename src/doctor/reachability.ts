/** Whether clients reach what the configuration names: ports of this machine, and the public URLs. */
import { randomBytes } from 'node:crypto'
import { scrape } from '../client/ask.ts'
import { ClientFailure, type FailureKind } from '../client/failure.ts'
import { type Address, resolve } from '../client/resolve.ts'
import { parseTrackerUrl, type TrackerUrl } from '../client/tracker-url.ts'
import { type Listener, listenersOf } from '../config/listeners.ts'
import { assertFree } from '../servers/free-port.ts'
import { shellWord } from '../text/shell.ts'
import { joinPort, printAddress } from '../wire/address.ts'
import {
  type Context,
  ok,
  problem,
  type Result,
  type Results,
  skipped,
  warning,
} from './finding.ts'
import { serves } from './running-tracker.ts'

export async function ports({ config, tracker }: Context): Promise<Results> {
  const running = await tracker()
  const taken: Result[] = []
  const free: string[] = []
  const ours: string[] = []
  // One after the other: two listeners may name the same port, and each attempt holds it for a moment.
  for (const listener of listenersOf(config)) {
    const { scheme, bind_address } = listener
    const text = `${scheme} ${printAddress(bind_address)}`
    if (bind_address.port === 0 || listener.host) continue
    if (serves(running, listener)) {
      ours.push(text)
      continue
    }
    try {
      await assertFree([listener])
      free.push(text)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      taken.push(notOpened(reason, listener))
    }
  }
  const results = [
    ...taken,
    ...(ours.length > 0 ? [ok(`the running tracker has ${ours.join(', ')}`)] : []),
    ...(free.length > 0 ? [ok(`free: ${free.join(', ')}`)] : []),
  ]
  return results.length > 0 ? results : ok('every listener has port 0: the system chooses')
}

function notOpened(reason: string, { name, scheme, bind_address: { port } }: Listener): Result {
  const found = `${name}: ${reason}`
  if (reason.startsWith('port in use'))
    return problem(
      found,
      'The tracker cannot start, unless this is the tracker, and its health API is elsewhere.',
      `ss -${scheme === 'udp' ? 'u' : 't'}lpn 'sport = :${port}'  # shows what has it; to root for all users`,
    )
  return problem(
    found,
    'The tracker cannot start.',
    reason.startsWith('not permitted')
      ? 'setcap cap_net_bind_service=+ep "$(command -v tracker)"  # or docs/deploy.md, "ports below 1024"'
      : 'ip address  # lists those of this machine; [::] needs one of IPv6',
  )
}

/** They are scraped, not announced to, so no peer appears in a swarm. */
export async function publicUrl(context: Context): Promise<Results> {
  const named = listenersOf(context.config).filter(
    ({ name, public_url }) => public_url !== null && name !== 'http_api',
  )
  if (named.length === 0)
    return skipped('no tracker has a public_url, so the URL that clients use is not known')
  return (await Promise.all(named.map((listener) => askAll(listener, context)))).flat()
}

/** One result for each family of addresses that the host has. */
async function askAll(listener: Listener, { milliseconds, tracker }: Context): Promise<Result[]> {
  const why = 'Clients cannot find the tracker.'
  const text = listener.public_url!
  const url = parseTrackerUrl(text)
  if (typeof url === 'string')
    return [problem(`${listener.name}.public_url: ${url}`, why, 'Write one that clients can use.')]
  const ask = async ({ family, ip }: Address): Promise<Result> => {
    const where = `${text} over IPv${family} (${ip})`
    try {
      await scrape(url, [randomBytes(20)], { milliseconds, family })
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      const runs = serves(await tracker(), listener)
      // A refusal comes from a tracker, so the URL leads to one.
      if (error.kind !== 'refusal')
        return judge(`${where}: ${error.reason}`, error.kind, runs, url, family, listener)
    }
    return ok(`${where} answers`)
  }
  try {
    const all = await resolve(url.host, { milliseconds })
    const firsts = [4, 6].flatMap((family) => all.find((one) => one.family === family) ?? [])
    return await Promise.all(firsts.map(ask))
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    const records = `getent ahosts ${shellWord(url.host)}  # it needs A and AAAA records with the tracker's addresses`
    return [problem(`${text}: ${error.message}`, why, records)]
  }
}

/** `runs`: the listener is known to be served on this machine. */
function judge(
  found: string,
  kind: FailureKind,
  runs: boolean,
  { scheme, host, port, href }: TrackerUrl,
  family: Address['family'],
  { name, bind_address }: Listener,
): Result {
  if (kind === 'tls')
    return problem(
      found,
      'Clients that verify certificates refuse it.',
      `openssl s_client -connect ${joinPort(host, port)} -servername ${host}  # shows it`,
    )
  if (kind !== 'connect' && kind !== 'timeout')
    return problem(
      found,
      'Another program answers there.',
      name.startsWith('websocket')
        ? `A proxy must pass on upgrades to port ${bind_address.port}: docs/webtorrent.md`
        : `A proxy must pass /announce and /scrape on to port ${bind_address.port}, with the query.`,
    )
  if (!runs) return skipped(`no tracker of this configuration runs here; ${found}`)
  return warning(
    found,
    'It may fail only from here: many routers do not send a packet for their own public address back.',
    `tracker check -${family} ${shellWord(href)}  # from a machine elsewhere`,
    `If that fails: open ${scheme === 'udp' ? 'UDP' : 'TCP'} port ${port} in every firewall, forward it to port ${bind_address.port} here.`,
  )
}
