/**
 * What the clients of the library libtorrent make of a message of a tracker. They are the strictest there are: they
 * close the connection to the tracker and wait for two minutes after a message that they do not accept, so one that
 * another peer could make a tracker send would cost the whole swarm.
 */
const MOST_SDP = 64 * 1024
const MOST_MESSAGE = 128 * 1024
const NUMBERS = ['interval', 'min_interval', 'complete', 'incomplete', 'downloaded']

type Fields = Record<string, unknown>

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isId = (value: unknown): boolean => typeof value === 'string' && /^[\0-\xff]{20}$/.test(value)

/** Whether every string in it, names included, can be written as UTF-8. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, part]) => name.isWellFormed() && isWellFormed(part))
}

/** Why libtorrent would refuse `text`, the answer to an announce or a relayed message; undefined: it would not. */
export function acceptedByLibtorrent(text: string): string | undefined {
  if (Buffer.byteLength(text) > MOST_MESSAGE) return 'longer than 128 KiB'
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return 'not JSON'
  }
  if (!isObject(message)) return 'not an object'
  if (!text.isWellFormed() || !isWellFormed(message)) return 'a lone surrogate'
  if (!isId(message.info_hash)) return 'no info_hash of 20 bytes'
  for (const name of NUMBERS)
    if (name in message && !Number.isSafeInteger(message[name])) return `${name} is no integer`
  for (const name of ['offer', 'answer'])
    if (name in message) {
      const description = message[name]
      const sdp = isObject(description) ? description.sdp : undefined
      if (typeof sdp !== 'string') return `${name} without sdp`
      if (Buffer.byteLength(sdp) > MOST_SDP) return `${name} with an sdp above 64 KiB`
      for (const id of ['offer_id', 'peer_id'])
        if (!isId(message[id])) return `${name} without ${id} of 20 bytes`
    }
  return undefined
}
