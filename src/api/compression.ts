/**
 * Compression of answers (spec/torrust-rest-api §1): which coding a client gets, and bytes in it. Works
 * on what is taken, not on what there is: a client that stops reading stops it, too.
 */
import { pipeline, type Transform } from 'node:stream'
import {
  constants,
  createBrotliCompress,
  createDeflate,
  createGzip,
  createZstdCompress,
} from 'node:zlib'

export type Coding = 'zstd' | 'br' | 'gzip' | 'deflate'

/** The default, 11, takes a thousand times as long as gzip. */
const BROTLI_QUALITY = 4

const ENCODERS: Record<Coding, () => Transform> = {
  zstd: () => createZstdCompress(),
  br: () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  gzip: () => createGzip(),
  deflate: () => createDeflate(),
}

/** Of equal weights the first counts. */
const PREFERENCE = ['zstd', 'br', 'gzip', 'deflate', 'identity'] as const
const ALIAS: Record<string, string> = { 'x-gzip': 'gzip' }

/** The coding that `Accept-Encoding` weighs most; undefined: none. What is no weight is passed over. */
export function preferredCoding(accept: string | null): Coding | undefined {
  const weights = new Map<string, number>()
  for (const piece of (accept ?? '').split(',')) {
    const [name = '', weight] = piece.split(';', 2).map((part) => part.trim().toLowerCase())
    const q = weight === undefined ? 1 : readWeight(weight)
    const coding = ALIAS[name] ?? name
    if (q !== undefined) weights.set(coding, Math.max(q, weights.get(coding) ?? 0))
  }
  let best: (typeof PREFERENCE)[number] = 'identity'
  let most = 0
  for (const coding of PREFERENCE) {
    const weight = weights.get(coding) ?? 0
    if (weight > most) [best, most] = [coding, weight]
  }
  return best === 'identity' ? undefined : best
}

/** `q=` and a number from 0 to 1 with three decimals at most (RFC 9110 §12.4.2). */
const readWeight = (text: string): number | undefined =>
  /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text.slice(2)) : undefined

/** Throws what `parts` throws. */
export async function* compressed(
  parts: AsyncIterable<Uint8Array>,
  coding: Coding,
): AsyncGenerator<Uint8Array> {
  const encoder = ENCODERS[coding]()
  // Ends the one when the other ends or fails; the failure comes out of the encoder.
  pipeline(parts, encoder, () => {})
  yield* encoder
}
