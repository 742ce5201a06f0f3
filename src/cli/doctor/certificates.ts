/** Whether the certificates of the listeners are good, for the names that clients know, and for how long. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import type { TlsConfig } from '../../config/model.ts'
import { shellWord } from '../shell-word.ts'
import { type Check, type Found, ok, type Patient, problem, skipped, warning } from './finding.ts'
import { type Listener, listenersOf } from './listeners.ts'
import { several } from './words.ts'

const MOST_BYTES = 1024 * 1024
const DAY_SECONDS = 86_400
/** Whoever renews by itself has done it by then. */
const FEW_DAYS = 14

type TlsListener = Listener & { readonly tls_config: TlsConfig }

export const certificates: Check = {
  name: 'certificates',
  async run(patient) {
    const listeners = listenersOf(patient.config).filter(
      (listener): listener is TlsListener => listener.tls_config !== null,
    )
    if (listeners.length === 0) return skipped('no listener has a tls_config')
    return (await Promise.all(listeners.map((listener) => look(listener, patient)))).flat()
  },
}

async function look(listener: TlsListener, { cwd, clock }: Patient): Promise<readonly Found[]> {
  const { name, tls_config: tls } = listener
  const certificate = await readPem(name, resolve(cwd, tls.ssl_cert_path))
  const key = await readPem(name, resolve(cwd, tls.ssl_key_path))
  const unreadable = [certificate, key].flatMap((file) => ('status' in file ? [file] : []))
  if ('status' in certificate || 'status' in key) return unreadable
  let chain: readonly X509Certificate[]
  try {
    chain = parseChain(certificate.text)
  } catch {
    return [
      problem(
        `${name}: ${tls.ssl_cert_path} holds no certificate in PEM form`,
        `openssl x509 -in ${shellWord(tls.ssl_cert_path)} -noout -subject -dates`,
      ),
    ]
  }
  const about = { name, path: tls.ssl_cert_path, chain, now: clock.seconds() }
  const found = [
    ...ages(about),
    ...names(about, listener.public_url),
    ...links(about),
    ...keys(name, chain[0]!, tls, key),
  ]
  if (found.length > 0) return found
  const days = daysLeft(chain[0]!, about.now)
  return [ok(`${name}: ${tls.ssl_cert_path} is good for ${several(days, 'day')} more`)]
}

interface Pem {
  readonly text: string
  /** Everybody on the machine may read it. */
  readonly open: boolean
}

async function readPem(name: string, path: string): Promise<Pem | Found> {
  try {
    // A pipe in its place must not hold us.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const { mode } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0)
    return { text: buffer.toString('latin1', 0, bytesRead), open: (mode & 0o004) !== 0 }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return problem(
      `${name}: ${path} ${WHY[code] ?? `cannot be read (${code})`}`,
      code === 'ENOENT'
        ? 'Relative paths start in the directory where the tracker is started.'
        : `namei -l ${shellWord(path)}  # every directory on the way must let the tracker's user through`,
    )
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a directory',
}

/** Most certificates of one file; a chain has four at most. */
const MOST_CERTIFICATES = 32
const PEM = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END [^-]+-----/g

/** The one of the listener first. Throws if there is none, or one of them is broken. */
function parseChain(text: string): readonly X509Certificate[] {
  const blocks = text.match(PEM) ?? []
  if (blocks.length === 0) throw new Error('no certificate')
  return blocks.slice(0, MOST_CERTIFICATES).map((block) => new X509Certificate(block))
}

interface About {
  readonly name: string
  readonly path: string
  readonly chain: readonly X509Certificate[]
  readonly now: number
}

const daysLeft = (certificate: X509Certificate, now: number): number =>
  Math.floor((certificate.validToDate.getTime() / 1000 - now) / DAY_SECONDS)

const RENEW = [
  'certbot renew  # or the program that keeps it; then',
  'systemctl restart tracker  # it reads certificates when it starts',
]

function ages({ name, path, chain, now }: About): Found[] {
  return chain.flatMap((certificate, i) => {
    const which = i === 0 ? path : `${path}: the certificate number ${i + 1} in it`
    const seconds = certificate.validToDate.getTime() / 1000 - now
    const day = (date: Date) => date.toISOString().slice(0, 10)
    if (certificate.validFromDate.getTime() / 1000 > now)
      return [
        problem(
          `${name}: ${which} is not good before ${day(certificate.validFromDate)}`,
          'timedatectl  # is the clock right?',
        ),
      ]
    if (seconds < 0)
      return [problem(`${name}: ${which} expired on ${day(certificate.validToDate)}`, ...RENEW)]
    if (seconds < FEW_DAYS * DAY_SECONDS)
      return [
        warning(
          `${name}: ${which} expires in ${several(daysLeft(certificate, now), 'day')}, on ${day(certificate.validToDate)}`,
          ...RENEW,
        ),
      ]
    return []
  })
}

function names({ name, path, chain }: About, publicUrl: string | null): Found[] {
  const [certificate] = chain
  const url = publicUrl === null ? null : URL.parse(publicUrl)
  // Behind a proxy that speaks plain HTTP with clients its names do not matter.
  if (url === null || url.protocol !== 'https:') return []
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const matches = isIP(host) === 0 ? certificate!.checkHost(host) : certificate!.checkIP(host)
  if (matches !== undefined) return []
  return [
    problem(
      `${name}: ${path} is not for ${host}, the host of its public_url, but for ${certificate!.subjectAltName ?? certificate!.subject}`,
      isPublicName(host)
        ? `certbot certonly -d ${shellWord(host)}  # or put the right name into public_url`
        : 'Put the name that the certificate has into public_url.',
    ),
  ]
}

function links({ name, path, chain }: About): Found[] {
  const [first, second] = chain
  const signsItself = first!.checkIssued(first!)
  if (signsItself)
    return [
      warning(
        `${name}: ${path} is signed by itself: clients that look at certificates refuse it`,
        'certbot certonly --standalone -d HOST  # gets one that everybody trusts',
      ),
    ]
  if (second !== undefined && first!.checkIssued(second)) return []
  return [
    warning(
      `${name}: ${path} does not hold the certificate that signed it (${first!.issuer.replaceAll('\n', ', ')}): many clients refuse it`,
      'Name the file with the whole chain: fullchain.pem instead of cert.pem.',
    ),
  ]
}

function keys(name: string, certificate: X509Certificate, tls: TlsConfig, key: Pem): Found[] {
  const path = tls.ssl_key_path
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key.text)))
      return [
        problem(
          `${name}: ${path} is not the key of ${tls.ssl_cert_path}`,
          'Name the two files that were made together: privkey.pem and fullchain.pem of one directory.',
        ),
      ]
  } catch {
    return [
      problem(
        `${name}: ${path} holds no private key in PEM form, or one with a password`,
        `openssl pkey -in ${shellWord(path)} -noout`,
      ),
    ]
  }
  if (!key.open) return []
  return [
    warning(
      `${name}: everybody on this machine can read the private key ${path}`,
      `chmod o-r ${shellWord(path)}`,
    ),
  ]
}

/** No authority certifies an address like this, or a name of one machine. */
const isPublicName = (host: string): boolean => host.includes('.') && isIP(host) === 0
