/**
 * Opens an Elysia application on a socket, with or without TLS, and closes it again. Every HTTP server
 * of the program is opened here, so that limits, errors and the way of stopping are the same.
 *
 * Limits of Bun that have no setting: the head of a request must be complete 12 s after the connection
 * was opened and 8 s after the previous answer, however slowly it arrives; target and headers together
 * have at most 16 KiB (else 431); a body that is not read is skipped and never kept.
 */
import type { AnyElysia } from 'elysia'
import type { TlsConfig } from '../config/model.ts'
import { Deadline } from '../time/deadline.ts'
import { nextTurn } from '../time/turns.ts'
import { printAddress, type SocketAddress } from '../wire/address.ts'

export interface HttpServer {
  readonly address: SocketAddress
  /** `http://ip:port` or `https://ip:port`; `ws` or `wss` for WebSockets. */
  readonly url: string
  /** Stops listening, answers what has arrived, closes every connection after `graceMilliseconds`. */
  stop(graceMilliseconds: number): Promise<void>
}

/** Both files in PEM form. */
export type Certificate = { readonly cert: string; readonly key: string }

interface ListenOptions<Data> {
  readonly bind: SocketAddress
  readonly certificate: Certificate | null
  /** Whether other sockets of this process listen on the same port. */
  readonly reusePort?: boolean
  readonly ipv6Only?: boolean
  /** Seconds without a byte in either direction after which a connection is closed. */
  readonly idleSeconds: number
  /** A longer body is refused with 413. */
  readonly mostBodyBytes: number
  /** For connections that become WebSockets. */
  readonly webSocket?: Bun.WebSocketHandler<Data>
  /** What the URL begins with, without TLS. */
  readonly scheme?: 'http' | 'ws'
}

/** The path of a request as it stood on the wire; the URL of a request has `..` resolved. */
export function rawPath({ url }: Request): string {
  // Without a usable Host header the URL is only the target. A host has at least one character.
  const start = url.startsWith('/') ? 0 : url.indexOf('/', 'http://'.length + 1)
  const end = url.slice(start).search(/[?#]/)
  return end < 0 ? url.slice(start) : url.slice(start, start + end)
}

/** Opens the listener. Rejects with one line that names the cause. */
export async function listen<Data>(
  app: AnyElysia,
  options: ListenOptions<Data>,
): Promise<HttpServer> {
  const { bind } = options
  const { certificate } = options
  const scheme = (options.scheme ?? 'http') + (certificate === null ? '' : 's')
  const before = process.listeners('beforeExit')
  try {
    app.listen({
      hostname: bind.ip,
      port: bind.port,
      ...(certificate && { tls: certificate }),
      reusePort: options.reusePort ?? false,
      ipv6Only: options.ipv6Only ?? false,
      idleTimeout: options.idleSeconds,
      maxRequestBodySize: options.mostBodyBytes,
      development: false,
      ...(options.webSocket && { websocket: options.webSocket }),
    })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code?.startsWith('ERR_OSSL')) throw new Error(`bad tls config: ${message}`)
    throw listenError(scheme, bind.ip, bind.port, error)
  } finally {
    // Elysia would stop the server at the end of the process, as the system does, and keep it in memory until then.
    for (const listener of process.listeners('beforeExit'))
      if (!before.includes(listener)) process.off('beforeExit', listener)
  }
  const server = app.server!
  const address = { ip: bind.ip, port: server.port! }
  return {
    address,
    url: `${scheme}://${printAddress(address)}`,
    stop: async (graceMilliseconds) => {
      // Bun closes idle connections at once, even with unread requests in their buffers: read those first.
      for (let turn = 0; turn < 2; turn++) await nextTurn()
      const closed = server.stop(false)
      await Deadline.in(graceMilliseconds).waitFor(closed)
      await server.stop(true)
    },
  }
}

/**
 * Why a listener could not be opened, as one line on which an operator can act. `scheme` is udp, http, https,
 * ws or wss; the error is Bun's or the system's.
 */
export function listenError(scheme: string, ip: string, port: number, error: unknown): Error {
  const where = `${scheme} ${printAddress({ ip, port })}`
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'EADDRINUSE':
      return new Error(`port in use: ${where}`)
    case 'EACCES':
      return new Error(`not permitted: ${where} (ports below 1024 need the right to bind them)`)
    case 'EADDRNOTAVAIL':
      return new Error(`no such address on this machine: ${where}`)
    default:
      return new Error(`cannot listen on ${where}: ${message}`)
  }
}

/** Rejects in the reference's words, which never contain anything from the files. null: for a listener without TLS. */
export async function readCertificate(tls: TlsConfig | null): Promise<Certificate | null> {
  if (tls === null) return null
  const read = async (path: string): Promise<string> => {
    try {
      return await Bun.file(path).text()
    } catch {
      throw new Error(`tls config missing: cannot read ${path === '' ? 'an empty path' : path}`)
    }
  }
  return { cert: await read(tls.ssl_cert_path), key: await read(tls.ssl_key_path) }
}
