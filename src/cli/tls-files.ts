/**
 * Whether the two files of a `tls_config` can serve HTTPS, and if not, what is wrong with them. `config check`,
 * the start of the tracker and the doctor all ask here and so agree; the TLS library has the last word.
 */
import { X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { TlsConfig } from '../config/model.ts'
import { shellWord } from '../text/shell.ts'
import { codeOrMessage, errorCode, systemReason } from '../text/system-errors.ts'
import { readSmallFile } from './small-file.ts'

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
  const add = (
    option: keyof TlsConfig,
    fault: Fault | undefined,
    kind: TlsFault['kind'] = 'bad',
  ) => {
    if (fault) faults.push({ option, kind, wrong: fault[0], remedy: fault[1] })
  }
  const read = (option: keyof TlsConfig): string | undefined => {
    const text = readText(resolve(cwd, tls[option]))
    if (typeof text === 'string') return text
    add(option, text, 'missing')
    return undefined
  }
  const cert = read('ssl_cert_path')
  const key = read('ssl_key_path')
  const chain = cert === undefined ? [] : parseChain(cert)
  if (cert !== undefined && chain.length === 0)
    add(
      'ssl_cert_path',
      notPem(certPath, 'certificate', PRIVATE_KEY.test(cert) && 'private key', 'x509'),
    )
  if (key !== undefined && !PRIVATE_KEY.test(key))
    add(
      'ssl_key_path',
      notPem(keyPath, 'private key', parseChain(key).length > 0 && 'certificate', 'pkey'),
    )
  if (faults.length === 0) add('ssl_key_path', noPair(certPath, cert!, keyPath, key!))
  return { faults, chain }
}

type Fault = readonly [wrong: string, remedy: string]

function readText(path: string): string | Fault {
  try {
    // Opening a pipe would block.
    const there = statSync(path)
    if (!there.isFile() && !there.isDirectory())
      return [`${path} is not a regular file`, 'name a file']
    // Some editors begin a file with a byte order mark; the TLS library skips it, too.
    return Buffer.from(readSmallFile(path))
      .toString()
      .replace(/^\ufeff/, '')
  } catch (error) {
    return [`${path}: ${systemReason(error)}`, REMEDIES[errorCode(error)] ?? letThrough(path)]
  }
}

const RELATIVE = 'relative paths start in the directory where the tracker is started'
const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: RELATIVE,
  ENOTDIR: RELATIVE,
  EISDIR: 'name a file in it',
}

const letThrough = (path: string): string =>
  `every directory on the way must let the tracker's user through, which \`namei -l ${shellWord(path)}\` shows`

/** Most certificates read from one file; a chain has at most four. */
const MOST_CERTIFICATES = 32
const CERTIFICATE = /^-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END [A-Z0-9 ]+-----/gm
const PRIVATE_KEY = /^-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/m

/** Empty if there is none or one of them is broken. */
function parseChain(text: string): readonly X509Certificate[] {
  try {
    const blocks = text.match(CERTIFICATE) ?? []
    return blocks.slice(0, MOST_CERTIFICATES).map((block) => new X509Certificate(block))
  } catch {
    return []
  }
}

/** `instead`: what it holds, which belongs into the other file. `command`: of openssl, for files of this kind. */
function notPem(path: string, what: string, instead: string | false, command: string): Fault {
  const wrong = `${path} holds no ${what} in PEM form`
  const word = shellWord(path)
  return instead
    ? [
        `${wrong}, but a ${instead}`,
        '`ssl_cert_path` is for the certificate, `ssl_key_path` for its key',
      ]
    : [wrong, `convert it with \`openssl ${command} -in ${word} -out ${word}.pem\``]
}

/** undefined: the TLS library takes them. */
function noPair(certPath: string, cert: string, keyPath: string, key: string): Fault | undefined {
  try {
    createSecureContext({ cert, key })
    return undefined
  } catch (error) {
    const code = codeOrMessage(error)
    const word = shellWord(keyPath)
    if (code.includes('MISMATCH'))
      return [
        `${keyPath} is not the key of ${certPath}`,
        'name the two files that were made together, like privkey.pem and fullchain.pem of one directory',
      ]
    if (code.includes('BAD_DECRYPT'))
      return [
        `${keyPath} holds a private key with a password`,
        `take the password off with \`openssl pkey -in ${word} -out ${word}.open\``,
      ]
    if (code.includes('UNSUPPORTED'))
      return [
        `${keyPath} is a key of a kind that cannot be used here`,
        'make one with RSA or on the curve P-256, and a certificate for it',
      ]
    return [`${certPath} and ${keyPath} cannot be used (${code})`, 'make them again']
  }
}
