/** The words of `tracker client` as what to ask, of whom, and about which torrents. Throws `Misuse`. */
import { resolve } from 'node:path'
import { type AnnounceEvent, EVENT, PEER_ID_BYTES, WANT_DEFAULT } from '../bittorrent.ts'
import { readAskOptions } from '../cli/ask-options.ts'
import { type Host, type Invocation, optionValue } from '../cli/host.ts'
import { Misuse, wholeNumber } from '../cli/invocation.ts'
import { readSmallFile } from '../cli/small-file.ts'
import type { AskOptions } from '../client/ask.ts'
import { printable } from '../client/failure.ts'
import { randomPeerId } from '../client/peer-id.ts'
import type { AnnounceQuestion } from '../client/question.ts'
import { readInfoHash } from '../client/torrent-file.ts'
import { parseTrackerUrl, type TrackerUrl } from '../client/tracker-url.ts'
import { joinPort, parseIp } from '../wire/address.ts'

export interface Questions {
  readonly url: TrackerUrl
  /** Scheme, host and port: a key may stand in the rest. */
  readonly where: string
  /** Each once, in the order they were named. */
  readonly hashes: readonly Uint8Array[]
  readonly options: AskOptions
}

export function readQuestions(invocation: Invocation, host: Host): Questions {
  const [first = '', ...words] = invocation.arguments
  const url = parseTrackerUrl(first)
  if (typeof url === 'string') throw new Misuse(printable(url))
  return {
    url,
    where: `${url.scheme}://${joinPort(url.host, url.port)}`,
    hashes: readHashes(words, host.cwd),
    options: readAskOptions(invocation),
  }
}

/** A quoted list of hashes is several words: so the reference's UDP client takes them. */
const LIST = /^\s*[0-9a-f]{40}(\s+[0-9a-f]{40})*\s*$/i

function readHashes(words: readonly string[], cwd: string): readonly Uint8Array[] {
  const hashes = new Map<string, Uint8Array>()
  for (const word of words.flatMap((one) => (LIST.test(one) ? one.trim().split(/\s+/) : one))) {
    const hash = readInfoHash(word, (path) => readSmallFile(resolve(cwd, path)))
    if (typeof hash === 'string') throw new Misuse(hash)
    hashes.set(hexOf(hash), hash)
  }
  return [...hashes.values()]
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const ANY_BYTES = { min: 0, max: Number.MAX_SAFE_INTEGER }

/** What is announced of every torrent. */
export function readAnnounce(
  invocation: Invocation,
  { url }: Questions,
): Omit<AnnounceQuestion, 'infoHash'> {
  return {
    peerId: readPeerId(optionValue(invocation, 'peer-id')),
    port: wholeNumber(invocation, 'port', { min: 1, max: 65_535 }, 6881),
    uploaded: wholeNumber(invocation, 'uploaded', ANY_BYTES, 0),
    downloaded: wholeNumber(invocation, 'downloaded', ANY_BYTES, 0),
    left: wholeNumber(invocation, 'left', ANY_BYTES, 0),
    event: readEvent(optionValue(invocation, 'event')),
    key: wholeNumber(invocation, 'key', { min: 0, max: 2 ** 32 - 1 }, randomKey()),
    want: wholeNumber(invocation, 'numwant', { min: 0, max: 2 ** 31 - 1 }, WANT_DEFAULT),
    ip: readIp(optionValue(invocation, 'ip'), url),
    compact: optionValue(invocation, 'compact') !== '0',
  }
}

const EVENTS: Readonly<Record<string, AnnounceEvent>> = EVENT

const readEvent = (name = 'started'): AnnounceEvent => EVENTS[name] ?? EVENT.none

/** Without `text` another one in every run. */
function readPeerId(text: string | undefined): Uint8Array {
  if (text === undefined) return randomPeerId()
  if (/^[0-9a-f]{40}$/i.test(text)) return Buffer.from(text, 'hex')
  if (/^[\x20-\x7e]+$/.test(text) && text.length === PEER_ID_BYTES) return Buffer.from(text)
  throw new Misuse(
    `--peer-id must be 20 ASCII characters or 40 hexadecimal digits, not ${JSON.stringify(printable(text))}`,
  )
}

const randomKey = (): number => crypto.getRandomValues(new Uint32Array(1))[0]!

function readIp(text: string | undefined, url: TrackerUrl): Uint8Array | undefined {
  if (text === undefined) return undefined
  const ip = parseIp(text)
  if (!ip) throw new Misuse(`--ip must be an IPv4 or IPv6 address, not ${printable(text)}`)
  if (url.scheme === 'udp' && ip.length !== 4)
    throw new Misuse('--ip must be an IPv4 address: the UDP protocol has no room for another')
  return ip
}
