/**
 * The name of the client that made a peer id (spec/torrust-rest-api §5.5). Ids are strangers' bytes: most
 * anything is allowed, and null is an answer.
 */
import { MARKS, SHADOW, TAGS } from './peer-client-names.ts'

/** These keep the style although the dash at its end is missing. */
const WITHOUT_END = new Set(['FG', 'LH', 'NE', 'KT', 'SP'])

export function clientName(peerId: Uint8Array): string | null {
  const id = Buffer.from(peerId).toString('latin1')
  if (id.endsWith('UDP0') || id.endsWith('HTTPBT')) return cometName(id) ?? 'BitSpirit?'
  const tag = id.slice(1, 3)
  const whole = id[7] === '-' && id.slice(1, 4) !== 'BOW'
  if (id[0] === '-' && (whole || WITHOUT_END.has(tag))) {
    if (tag === 'BI' && id[8] === 'A') return 'BiglyBT for Android'
    return TAGS.get(tag) ?? null
  }
  return shadowName(id) ?? mainlineName(id) ?? cometName(id) ?? markedName(id)
}

function cometName(id: string): string | undefined {
  if (id.slice(2, 4) === 'BS') return 'BitSpirit'
  if (!/^(?:exbc|FUTB|xUTB)/.test(id)) return undefined
  return id.slice(6, 10) === 'LORD' ? 'BitLord' : 'BitComet'
}

const shadowName = (id: string): string | undefined =>
  /^.[0-9A-Za-z]*-*$/s.test(id.slice(0, 5)) && id[5] === '-' && !id.startsWith('TB100-')
    ? SHADOW.get(id[0]!)
    : undefined

function mainlineName(id: string): string | undefined {
  if (/^M[0-9]/.test(id)) return 'Mainline'
  if (/^Q[0-9]/.test(id)) return 'Queen Bee'
  return /^S3-[0-9]/.test(id) ? 'Amazon AWS S3' : undefined
}

const markedName = (id: string): string | null =>
  MARKS.find(([text, at]) => id.startsWith(text, at))?.[2] ?? null
