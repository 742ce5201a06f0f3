/**
 * Whether the two files of a `tls_config` can serve HTTPS, and if not, what is wrong with them. `config check`,
 * the start of the tracker and the doctor all ask here and so agree; the TLS library has the last word.
 */
import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { TlsConfig } from '../config/model.ts'
import { shellWord } from '../text/shell.ts'
import { codeOrMessage, remedyForFile, systemReason } from '../text/system-errors.ts'
import { readRegularFile } from './small-file.ts'

export interface TlsFault {
  readonly option: keyof TlsConfig
  /** `missing`: the file cannot be read. */
  readonly kind: 'missing' | 'bad'
  /** The file and what is wrong with it; never its contents. */
  readonly wrong: string
  /** A clause: begins with a small letter, ends without a full stop. */
  readonly remedy: string
}

interface TlsFiles {
  /** Empty: the files are good. */
  readonly faults: readonly TlsFault[]
  /** The certificate of the listener first; empty if there is no good one. */
  readonly chain: readonly X509Certificate[]
}

/** Relative paths start in `cwd`. Never throws. */
export function judgeTls(tls: TlsConfig, cwd: string): TlsFiles {
  const faults: TlsFault[] = []
  const { ssl_cert_path: certPath, ssl_key_path: keyPath } = tls
  const read = (option: keyof TlsConfig): string | undefined => {
    const path = resolve(cwd, tls[option])
    try {
      return readText(path)
    } catch (error) {
      const remedy = remedyForFile(error, path)
      faults.push({ option, kind: 'missing', wrong: `${path}: ${systemReason(error)}`, remedy })
      return undefined
    }
  }
  const bad = (option: keyof TlsConfig, [wrong, remedy]: Fault) =>
    faults.push({ option, kind: 'bad', wrong, remedy })

  const cert = read('ssl_cert_path')
  const key = read('ssl_key_path')
  const chain = parseChain(cert ?? '')
  if (cert !== undefined && chain.length === 0)
    bad('ssl_cert_path', notPem(certPath, 'certificate', PRIVATE_KEY.test(cert) && 'private key'))
  if (key !== undefined && !PRIVATE_KEY.test(key))
    bad('ssl_key_path', notPem(keyPath, 'private key', parseChain(key).length > 0 && 'certificate'))
  if (faults.length === 0)
    try {
      createSecureContext({ cert, key })
    } catch (error) {
      bad('ssl_key_path', noPair(certPath, keyPath, LOCKED.test(key ?? ''), codeOrMessage(error)))
    }
  return { faults, chain }
}

/** Throws like `readFileSync`. */
const readText = (path: string): string =>
  // Some editors begin a file with a byte order mark; the TLS library skips it, too.
  Buffer.from(readRegularFile(path))
    .toString()
    .replace(/^\ufeff/, '')

/** Most certificates read from one file; a chain has at most four. */
const MOST_CERTIFICATES = 32
const CERTIFICATE = /^-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END [A-Z0-9 ]+-----/gm
const PRIVATE_KEY = /^-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/m
/** With a password (RFC 1421, RFC 5958). Read without it, one key in 256 looks like a broken one to the TLS library. */
const LOCKED = /^(?:Proc-Type: 4,ENCRYPTED|-----BEGIN ENCRYPTED PRIVATE KEY-----)/m

/** Empty if there is none or one of them is broken. */
function parseChain(text: string): readonly X509Certificate[] {
  try {
    const blocks = text.match(CERTIFICATE) ?? []
    return blocks.slice(0, MOST_CERTIFICATES).map((block) => new X509Certificate(block))
  } catch {
    return []
  }
}

type Fault = readonly [wrong: string, remedy: string]

/** `instead`: what it holds, which belongs into the other file. */
const notPem = (
  path: string,
  what: 'certificate' | 'private key',
  instead: string | false,
): Fault =>
  instead
    ? [
        `${path} holds no ${what} in PEM form, but a ${instead}`,
        '`ssl_cert_path` is for the certificate, `ssl_key_path` for its key',
      ]
    : [
        `${path} holds no ${what} in PEM form`,
        `convert it with \`openssl ${what === 'certificate' ? 'x509' : 'pkey'} -in ${shellWord(path)}\``,
      ]

/** `code`: why the TLS library does not take the two. */
function noPair(certPath: string, keyPath: string, isLocked: boolean, code: string): Fault {
  if (code.includes('MISMATCH'))
    return [
      `${keyPath} is not the key of ${certPath}`,
      'name the two files that were made together, like privkey.pem and fullchain.pem of one directory',
    ]
  if (isLocked)
    return [
      `${keyPath} holds a private key with a password`,
      `take the password off with \`openssl pkey -in ${shellWord(keyPath)}\``,
    ]
  return [
    `${certPath} and ${keyPath} cannot be used (${code})`,
    'make a key with RSA or on the curve P-256, and a certificate for it',
  ]
}
