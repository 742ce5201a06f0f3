/**
 * Where the API of the running tracker is, and a token for it: from the configuration that it runs with, or from what
 * the user names.
 */
import { networkInterfaces } from 'node:os'
import { resolve } from 'node:path'
import { isLoopback } from '../bittorrent.ts'
import type { Host } from '../cli/host.ts'
import { type Invocation, Misuse, optionValue, secondsValue } from '../cli/invocation.ts'
import { loadConfiguration } from '../cli/load-configuration.ts'
import { readSmallFile } from '../cli/small-file.ts'
import type { Address } from '../client/resolve.ts'
import { parseTrackerUrl } from '../client/tracker-url.ts'
import type { Config } from '../config/model.ts'
import { reachable } from '../servers/probe.ts'
import { quotedPath, shortWord } from '../text/printable.ts'
import { systemReason } from '../text/system-errors.ts'
import { parseIp, printAddress } from '../wire/address.ts'
import { OperateFailure } from './failure.ts'

export interface Place {
  /** `http://127.0.0.1:1212`, perhaps with a path below which the API stands; no slash at the end. */
  readonly base: string
  /** Where to connect instead of what the name resolves to. */
  readonly address: Address | undefined
  readonly token: string
  readonly insecure: boolean
  /** Time limit of each answer. */
  readonly milliseconds: number
  /** The configuration that names the tracker; undefined: its URL is given. */
  readonly config: Config | undefined
}

/** The API itself gives up after five seconds. */
const DEFAULT_SECONDS = 10

const TOKEN_OPTIONS = '--token-file PATH or TRACKER_TOKEN'

/** undefined: the configuration has mistakes, which are on the standard error. Throws `Misuse` and `OperateFailure`. */
export function findTracker(invocation: Invocation, host: Host): Place | undefined {
  const milliseconds = secondsValue(
    invocation,
    'timeout',
    { min: 0.01, max: 3600 },
    DEFAULT_SECONDS,
  )
  const insecure = invocation.options.has('insecure')
  const given = givenToken(invocation, host)
  const url = givenUrl(invocation, host)
  if (url !== undefined) {
    if (given === undefined)
      throw new OperateFailure(`a token for ${url} is missing: ${TOKEN_OPTIONS}`)
    return {
      base: url,
      address: undefined,
      token: given,
      insecure,
      milliseconds,
      config: undefined,
    }
  }
  const loaded = loadConfiguration(invocation, host)
  if (loaded === undefined) return undefined
  const { config, source } = loaded
  const { http_api } = config
  if (http_api === null)
    throw new OperateFailure(
      `${source} has no [http_api], so that its tracker cannot be asked: add one, or name another tracker with --config PATH or --url URL`,
    )
  if (http_api.bind_address.port === 0)
    throw new OperateFailure(
      `http_api.bind_address in ${source} has port 0: only the log of the tracker says which port it got; name it with --url URL`,
    )
  const token = given ?? fullToken(http_api.access_tokens)
  if (token === undefined)
    throw new OperateFailure(
      `http_api.access_tokens in ${source} has no token that may do everything. If the tracker made one for this run, its log has it: ${TOKEN_OPTIONS}`,
    )
  return {
    ...baseOf(http_api, insecure),
    token: sendable(token, `of ${source}`),
    milliseconds,
    config,
  }
}

/** The first one. */
const fullToken = (tokens: NonNullable<Config['http_api']>['access_tokens']): string | undefined =>
  Object.values(tokens).find(({ scope, token }) => scope === 'all' && token !== '')?.token

/** Without the slash at its end; undefined: the configuration says where the tracker is. */
function givenUrl(invocation: Invocation, host: Host): string | undefined {
  const option = optionValue(invocation, 'url')
  const isConfigured = invocation.options.has('config')
  if (option !== undefined && isConfigured)
    throw new Misuse('--url and --config exclude each other')
  // What is on the command line was meant for this call.
  const text = option ?? (isConfigured ? undefined : host.env.TRACKER_URL || undefined)
  if (text === undefined) return undefined
  const what = option === undefined ? 'TRACKER_URL' : '--url'
  const url = parseTrackerUrl(text.includes('://') ? text : `http://${text}`)
  if (typeof url === 'string') throw new Misuse(`${what}: ${shortWord(url)}`)
  if (url.protocol !== 'http')
    throw new Misuse(`${what}: ${url.href}: expected http:// or https://`)
  // What the API itself or its documentation calls its URL.
  return url.href.replace(/[?#].*$/s, '').replace(/\/(api\/v1)?\/?$/, '')
}

function givenToken(invocation: Invocation, host: Host): string | undefined {
  const [path, token] = [optionValue(invocation, 'token-file'), optionValue(invocation, 'token')]
  if (path !== undefined && token !== undefined)
    throw new Misuse('--token-file and --token exclude each other')
  if (token !== undefined) return sendable(token, 'of --token')
  if (path === undefined)
    return host.env.TRACKER_TOKEN ? sendable(host.env.TRACKER_TOKEN, 'of TRACKER_TOKEN') : undefined
  try {
    return sendable(
      Buffer.from(readSmallFile(resolve(host.cwd, path)))
        .toString()
        .trim(),
      `in ${path}`,
    )
  } catch (error) {
    if (error instanceof OperateFailure) throw error
    throw new OperateFailure(`${quotedPath(path)}: ${systemReason(error)}`)
  }
}

function sendable(token: string, where: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new OperateFailure(
    token === ''
      ? `the token ${where} is empty`
      : `the token ${where} has characters that no HTTP header can carry: use letters and digits`,
  )
}

type Api = Pick<NonNullable<Config['http_api']>, 'bind_address' | 'tls_config' | 'public_url'>

/** How the API of a configuration is reached from this machine. */
function baseOf({ bind_address, tls_config, public_url }: Api, insecure: boolean) {
  const bind = reachable(bind_address)
  const scheme = tls_config === null ? 'http' : 'https'
  const base = `${scheme}://${printAddress(bind)}`
  // The certificate is for a public name, and nothing leaves the machine.
  if (isOfThisMachine(bind.ip)) return { base, address: undefined, insecure: true }
  if (public_url === null) return { base, address: undefined, insecure }
  const { hostname } = new URL(public_url)
  const address: Address = { ip: bind.ip, family: bind.ip.includes(':') ? 6 : 4 }
  return { base: `${scheme}://${hostname}:${bind.port}`, address, insecure }
}

function isOfThisMachine(ip: string): boolean {
  const bytes = parseIp(ip) ?? new Uint8Array(4)
  if (isLoopback(bytes, bytes.length === 4 ? 4 : 6)) return true
  return Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === ip),
  )
}
