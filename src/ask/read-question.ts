/** Reads the words of `tracker client`: what to ask, which tracker, and about which torrents. Throws `Misuse`. */
import { resolve } from 'node:path'
import {
  type AnnounceEvent,
  EVENT,
  PEER_ID_BYTES,
  parseInfoHash,
  WANT_DEFAULT,
} from '../bittorrent.ts'
import type { Host } from '../cli/host.ts'
import {
  type Invocation,
  Misuse,
  numberValue,
  optionValue,
  readAskOptions,
} from '../cli/invocation.ts'
import { readSmallFile } from '../cli/small-file.ts'
import { type AskOptions, randomPeerId } from '../client/ask.ts'
import { readInfoHash } from '../client/torrent-file.ts'
import { parseTrackerUrl, type TrackerUrl } from '../client/tracker-url.ts'
import { oneLine } from '../text/printable.ts'
import { joinPort, parseIp } from '../wire/address.ts'
import type { AnnounceQuestion } from '../wire/udp-client.ts'

export interface Questions {
  readonly url: TrackerUrl
  /** Scheme, host and port; without the path, which may hold a key. */
  readonly where: string
  /** Each once, in the order given. */
  readonly hashes: readonly Uint8Array[]
  readonly options: AskOptions
}

export function readQuestions(invocation: Invocation, host: Host): Questions {
  const [first = '', ...words] = invocation.arguments
  const url = parseTrackerUrl(first)
  if (typeof url === 'string') throw new Misuse(oneLine(url))
  return {
    url,
    where: `${url.scheme}://${joinPort(url.host, url.port)}`,
    hashes: readHashes(words, host.cwd),
    options: readAskOptions(invocation),
  }
}

function readHashes(words: readonly string[], cwd: string): readonly Uint8Array[] {
  const hashes = new Map<string, Uint8Array>()
  for (const word of words.flatMap(splitList)) {
    const hash = readInfoHash(word, (path) => readSmallFile(resolve(cwd, path)))
    if (typeof hash === 'string') throw new Misuse(hash)
    hashes.set(hash.toHex(), hash)
  }
  return [...hashes.values()]
}

/** One word may hold several info hashes, as the reference's UDP client accepts them. */
function splitList(word: string): readonly string[] {
  const hashes = word.trim().split(/\s+/)
  return hashes.every(parseInfoHash) ? hashes : [word]
}

const ANY_BYTES = { min: 0, max: Number.MAX_SAFE_INTEGER }

/** What every torrent is announced with. */
export function readAnnounce(
  invocation: Invocation,
  { url }: Questions,
): Omit<AnnounceQuestion, 'infoHash'> {
  return {
    peerId: readPeerId(optionValue(invocation, 'peer-id')),
    port: numberValue(invocation, 'port', { min: 1, max: 65_535 }, 6881),
    uploaded: numberValue(invocation, 'uploaded', ANY_BYTES, 0),
    downloaded: numberValue(invocation, 'downloaded', ANY_BYTES, 0),
    left: numberValue(invocation, 'left', ANY_BYTES, 0),
    event: readEvent(optionValue(invocation, 'event')),
    key: numberValue(invocation, 'key', { min: 0, max: 2 ** 32 - 1 }, randomKey()),
    want: numberValue(invocation, 'numwant', { min: 0, max: 2 ** 31 - 1 }, WANT_DEFAULT),
    ip: readIp(optionValue(invocation, 'ip'), url),
    compact: optionValue(invocation, 'compact') !== '0',
  }
}

const EVENTS: Readonly<Record<string, AnnounceEvent>> = EVENT

const readEvent = (name = 'started'): AnnounceEvent => EVENTS[name] ?? EVENT.none

/** Without `text`, a fresh one. */
function readPeerId(text: string | undefined): Uint8Array {
  if (text === undefined) return randomPeerId()
  if (/^[0-9a-f]{40}$/i.test(text)) return Buffer.from(text, 'hex')
  if (/^[\x20-\x7e]+$/.test(text) && text.length === PEER_ID_BYTES) return Buffer.from(text)
  throw new Misuse(
    `--peer-id must be 20 ASCII characters or 40 hexadecimal digits, not ${JSON.stringify(oneLine(text))}`,
  )
}

const randomKey = (): number => crypto.getRandomValues(new Uint32Array(1))[0]!

function readIp(text: string | undefined, url: TrackerUrl): Uint8Array | undefined {
  if (text === undefined) return undefined
  const ip = parseIp(text)
  if (!ip) throw new Misuse(`--ip must be an IPv4 or IPv6 address, not ${oneLine(text)}`)
  if (url.scheme === 'udp' && ip.length !== 4)
    throw new Misuse('--ip must be an IPv4 address: the UDP protocol has no room for another')
  return ip
}
