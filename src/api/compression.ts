/**
 * Compression of answers (docs/behaviours.md A8): which coding a client gets, and the bytes in it. A part is
 * compressed when it is taken, so a client that stops reading stops the work as well.
 */
import { pipeline, type Transform } from 'node:stream'
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createDeflate,
  createGzip,
  createZstdCompress,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'

type Coding = 'zstd' | 'br' | 'gzip' | 'deflate'

/** The default quality, 11, takes a thousand times as long as gzip. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }

type Encoder = {
  readonly stream: () => Transform
  readonly whole: (bytes: Uint8Array) => Uint8Array<ArrayBuffer>
}
const ENCODERS: Record<Coding, Encoder> = {
  zstd: { stream: () => createZstdCompress(), whole: zstdCompressSync },
  br: {
    stream: () => createBrotliCompress(BROTLI),
    whole: (bytes) => brotliCompressSync(bytes, BROTLI),
  },
  gzip: { stream: () => createGzip(), whole: gzipSync },
  deflate: { stream: () => createDeflate(), whole: deflateSync },
}

/** A short body, compressed at once: that takes a tenth of the time. */
export const compressedWhole = (bytes: Uint8Array, coding: Coding): Uint8Array<ArrayBuffer> =>
  ENCODERS[coding].whole(bytes)

/** In order of preference: the first of equal weights is used. */
const PREFERENCE = ['zstd', 'br', 'gzip', 'deflate', 'identity'] as const
const ALIAS: Record<string, string> = { 'x-gzip': 'gzip' }

/** The coding with the greatest weight in `Accept-Encoding`; undefined: none. Malformed weights are ignored. */
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

/** The parts, compressed. Throws what `parts` throws. */
export async function* compressed(
  parts: AsyncIterable<Uint8Array>,
  coding: Coding,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const encoder = ENCODERS[coding].stream()
  // Ends one side when the other ends or fails; a failure comes out of the encoder.
  pipeline(parts, encoder, () => {})
  yield* encoder
}
