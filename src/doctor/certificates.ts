/** Whether the listeners' certificates are valid, for how long, and for the names that clients use. */
import type { X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { judgeTls } from '../cli/tls-files.ts'
import type { TlsConfig } from '../config/model.ts'
import { several } from '../text/figures.ts'
import { shellWord } from '../text/shell.ts'
import { type Check, type Context, ok, problem, type Result, skipped, warning } from './finding.ts'
import { type Listener, listenersOf } from './listeners.ts'

const DAY_SECONDS = 86_400
/** Automatic renewal happens earlier than this. */
const FEW_DAYS = 14

type TlsListener = Listener & { readonly tls_config: TlsConfig }

export const certificates: Check = {
  name: 'certificates',
  run(context) {
    const listeners = listenersOf(context.config).filter(
      (listener): listener is TlsListener => listener.tls_config !== null,
    )
    if (listeners.length === 0) return skipped('no listener has a tls_config')
    return listeners.flatMap((listener) => judge(listener, context))
  },
}

function judge(listener: TlsListener, { cwd, clock }: Context): readonly Result[] {
  const { name, tls_config: tls } = listener
  const { faults, chain } = judgeTls(tls, cwd)
  const served = { name, path: tls.ssl_cert_path, chain, now: clock.seconds() }
  const found = [
    ...faults.map(({ wrong, remedy }) => problem(`${name}: ${wrong}`, sentence(remedy))),
    ...(chain.length === 0
      ? []
      : [...ages(served), ...names(served, listener.public_url), ...links(served)]),
    ...(faults.length === 0 ? readers(name, tls.ssl_key_path, cwd) : []),
  ]
  if (found.length > 0) return found
  const days = daysLeft(chain[0]!, served.now)
  return [ok(`${name}: ${tls.ssl_cert_path} is valid for ${several(days, 'more day')}`)]
}

const sentence = (clause: string): string => `${clause[0]!.toUpperCase()}${clause.slice(1)}.`

/** What a listener serves with. */
interface Served {
  /** The listener's place in the configuration. */
  readonly name: string
  readonly path: string
  /** The listener's own certificate first. */
  readonly chain: readonly X509Certificate[]
  /** Seconds. */
  readonly now: number
}

const daysLeft = (certificate: X509Certificate, now: number): number =>
  Math.floor((certificate.validToDate.getTime() / 1000 - now) / DAY_SECONDS)

const RENEW = [
  'certbot renew  # or the program that renews it; then',
  'systemctl restart tracker  # it reads certificates only at its start',
]

function ages({ name, path, chain, now }: Served): Result[] {
  return chain.flatMap((certificate, i) => {
    const which = i === 0 ? path : `certificate number ${i + 1} in ${path}`
    const seconds = certificate.validToDate.getTime() / 1000 - now
    const day = (date: Date) => date.toISOString().slice(0, 10)
    if (certificate.validFromDate.getTime() / 1000 > now)
      return [
        problem(
          `${name}: ${which} is not valid before ${day(certificate.validFromDate)}`,
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

function names({ name, path, chain }: Served, publicUrl: string | null): Result[] {
  const [certificate] = chain
  const url = publicUrl === null ? null : URL.parse(publicUrl)
  // With a public URL of plain HTTP, clients talk to a proxy and never see the certificate.
  if (url === null || url.protocol !== 'https:') return []
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const matches = isIP(host) === 0 ? certificate!.checkHost(host) : certificate!.checkIP(host)
  if (matches !== undefined) return []
  return [
    problem(
      `${name}: ${path} is not for ${host}, the host of its public_url, but for ${certificate!.subjectAltName ?? certificate!.subject}`,
      isPublicName(host)
        ? `certbot certonly -d ${shellWord(host)}  # or put a name from the certificate into public_url`
        : 'Put a name from the certificate into public_url.',
    ),
  ]
}

function links({ name, path, chain }: Served): Result[] {
  const [first, second] = chain
  const signsItself = first!.checkIssued(first!)
  if (signsItself)
    return [
      warning(
        `${name}: ${path} is self-signed: clients that verify certificates refuse it`,
        'certbot certonly --standalone -d HOST  # gets one that all clients trust',
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

function readers(name: string, path: string, cwd: string): Result[] {
  if ((statSync(resolve(cwd, path)).mode & 0o004) === 0) return []
  return [
    warning(
      `${name}: every user of this machine can read the private key ${path}`,
      `chmod o-r ${shellWord(path)}`,
    ),
  ]
}

/** Public authorities certify names with a dot only. */
const isPublicName = (host: string): boolean => host.includes('.') && isIP(host) === 0
