/**
 * Opens an Elysia application on a socket, with or without TLS, and closes it again. Every HTTP server
 * of the program goes through here, so that limits, errors and the manner of stopping are the same.
 *
 * Bun's limits, which have no setting: a request's head must be complete 12 s after the connection
 * opened and 8 s after the previous answer, however it trickles; target and headers together may have
 * 16 KiB (else 431); a body that nobody reads is read past and never kept.
 */
import type { AnyElysia } from 'elysia'
import type { TlsConfig } from '../config/model.ts'
import { printAddress, type SocketAddress } from '../wire/address.ts'
import { listenError } from './listen-error.ts'

export interface HttpServer {
  readonly address: SocketAddress
  /** `http://ip:port` or `https://ip:port`. */
  readonly url: string
  /** Stops listening, answers what has arrived, closes every connection after `graceMilliseconds`. */
  stop(graceMilliseconds: number): Promise<void>
}

export interface ListenOptions {
  readonly bind: SocketAddress
  readonly tls: TlsConfig | null
  /** Whether other threads listen on the same port. */
  readonly reusePort?: boolean
  readonly ipv6Only?: boolean
  /** Seconds without a byte in either direction after which a connection is closed. */
  readonly idleSeconds: number
  /** A longer body is refused with 413. */
  readonly mostBodyBytes: number
}

/** The path of a request as it stood on the wire, for routes that are told apart by hand. */
export function rawPath({ url }: Request): string {
  // Without a usable Host header the URL is the bare target; a host is at least one character long.
  const start = url.startsWith('/') ? 0 : url.indexOf('/', 'http://'.length + 1)
  const end = url.slice(start).search(/[?#]/)
  return end < 0 ? url.slice(start) : url.slice(start, start + end)
}

/** Opens the listener. Rejects with one line that names the cause. */
export async function listen(app: AnyElysia, options: ListenOptions): Promise<HttpServer> {
  const { bind } = options
  const scheme = options.tls === null ? 'http' : 'https'
  const tls = options.tls && (await readTls(options.tls))
  try {
    app.listen({
      hostname: bind.ip,
      port: bind.port,
      ...(tls && { tls }),
      reusePort: options.reusePort ?? false,
      ipv6Only: options.ipv6Only ?? false,
      idleTimeout: options.idleSeconds,
      maxRequestBodySize: options.mostBodyBytes,
      development: false,
    })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code?.startsWith('ERR_OSSL')) throw new Error(`bad tls config: ${message}`)
    throw listenError(scheme, bind.ip, bind.port, error)
  }
  const server = app.server!
  const address = { ip: bind.ip, port: server.port! }
  return {
    address,
    url: `${scheme}://${printAddress(address)}`,
    stop: async (graceMilliseconds) => {
      // Bun closes idle connections at once, unread requests in their buffers or not: read those first.
      for (let turn = 0; turn < 2; turn++) await new Promise((next) => setImmediate(next))
      const closed = server.stop(false)
      const grace = Promise.withResolvers<void>()
      const timer = setTimeout(grace.resolve, graceMilliseconds)
      await Promise.race([closed, grace.promise])
      clearTimeout(timer)
      await server.stop(true)
    },
  }
}

/** The words of its errors are the reference's; what stands in the files is never in them. */
async function readTls({ ssl_cert_path, ssl_key_path }: TlsConfig) {
  const read = async (path: string): Promise<string> => {
    try {
      return await Bun.file(path).text()
    } catch {
      throw new Error(`tls config missing: cannot read ${path === '' ? 'an empty path' : path}`)
    }
  }
  return { cert: await read(ssl_cert_path), key: await read(ssl_key_path) }
}
