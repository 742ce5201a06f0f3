/**
 * A slow twin of the reader of tracker queries: split, regular expressions and BigInt, one rule a line (docs/behaviours.md
 * H4–H6).
 */
export type NaiveAnnounce = {
  infoHash: string
  peerId: string
  port: number
  downloaded: bigint
  uploaded: bigint
  left: bigint
  event: number
  compact: boolean
  want: number
  ip: string
}

class Refused extends Error {}

const echo = (text: string) => (text.length > 100 ? `${text.slice(0, 100)}...` : text)

function pairs(query: string): [string, string][] {
  const pieces = query.replace(/#.*$/s, '').replace(/^\?+/, '').split('&')
  return pieces.map((piece) => {
    const parts = piece.split('=')
    if (parts.length !== 2) throw new Refused(`: invalid param ${echo(piece)}`)
    return parts as [string, string]
  })
}

/** Percent-decoded, one character per byte. */
const unpercent = (raw: string) =>
  raw.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))

function naive<T>(kind: string, query: string | undefined, read: (query: string) => T): T | string {
  const prefix = 'Bad request. Cannot parse query params'
  if (query === undefined)
    return `${prefix} for ${kind} request: missing query params for ${kind} request`
  try {
    return read(query)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    const { message } = error
    return message.startsWith(':') ? prefix + message : `${prefix} for ${kind} request: ${message}`
  }
}

function twenty(raw: string, name: string, what: string): string {
  const bytes = unpercent(raw)
  const fault = bytes.length < 20 ? 'not enough' : 'too many'
  if (bytes.length !== 20)
    throw new Refused(
      `invalid param value ${echo(raw)} for ${name} in ${fault} bytes for ${what}: got ${bytes.length} bytes, expected 20`,
    )
  return bytes
}

export const naiveAnnounce = (query: string | undefined): NaiveAnnounce | string =>
  naive('announce', query, (text) => {
    const all = pairs(text)
    const first = (name: string) => all.find(([other]) => other === name)?.[1]
    const mandatory = (name: string) => {
      const raw = first(name)
      if (raw === undefined) throw new Refused(`missing param ${name}`)
      return raw
    }
    const bad = (name: string, raw: string, what = 'invalid param value') =>
      new Refused(`${what} ${echo(raw)} for ${name}`)
    const number = (name: string, raw: string, least: bigint, most: bigint): bigint => {
      if (!/^\+?[0-9]+$/.test(raw)) throw bad(name, raw)
      const value = BigInt(raw.replace('+', ''))
      if (value < least || value > most) throw bad(name, raw)
      return value
    }
    const count = (name: string, absent: bigint): bigint => {
      const raw = first(name)
      if (raw === undefined) return absent
      const value = number(name, raw, 0n, 2n ** 64n - 1n)
      if (value >= 2n ** 63n) throw bad(name, raw, 'param value overflow')
      return value
    }
    const choice = <T>(name: string, values: Record<string, T>, absent: T): T => {
      const raw = first(name)
      if (raw === undefined) return absent
      if (!Object.hasOwn(values, raw)) throw bad(name, raw)
      return values[raw]!
    }
    const infoHash = twenty(mandatory('info_hash'), 'info_hash', 'infohash')
    const peerId = twenty(mandatory('peer_id'), 'peer_id', 'peer id')
    const port = Number(number('port', mandatory('port'), 1n, 65535n))
    const downloaded = count('downloaded', 0n)
    const uploaded = count('uploaded', 0n)
    const left = count('left', 2n ** 64n - 1n)
    const events = { '': 0, empty: 0, paused: 0, completed: 1, started: 2, stopped: 3 }
    const event = choice('event', events, 0)
    const compact = choice('compact', { '0': false, '1': true }, true)
    const wanted = first('numwant')
    const want = wanted === undefined ? -1 : Number(number('numwant', wanted, 0n, 2n ** 32n - 1n))
    const ip = first('ip') ?? ''
    return { infoHash, peerId, port, downloaded, uploaded, left, event, compact, want, ip }
  })

/** The distinct hashes, sorted. */
export const naiveScrape = (query: string | undefined): string[] | string =>
  naive('scrape', query, (text) => {
    const asked = pairs(text).filter(([name]) => name === 'info_hash')
    if (asked.length === 0) throw new Refused('missing param info_hash')
    const hashes = asked.slice(0, 100).map(([, raw]) => twenty(raw, 'info_hash', 'infohash'))
    return [...new Set(hashes)].sort()
  })
