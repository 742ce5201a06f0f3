/** Whether the certificates of the listeners are good, for the names that clients know, and for how long. */
import type { X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { judgeTls } from '../cli/tls-files.ts'
import type { TlsConfig } from '../config/model.ts'
import { several } from '../text/figures.ts'
import { shellWord } from '../text/shell.ts'
import { type Check, type Found, ok, type Patient, problem, skipped, warning } from './finding.ts'
import { type Listener, listenersOf } from './listeners.ts'

const DAY_SECONDS = 86_400
/** Whoever renews by itself has done it by then. */
const FEW_DAYS = 14

type TlsListener = Listener & { readonly tls_config: TlsConfig }

export const certificates: Check = {
  name: 'certificates',
  run(patient) {
    const listeners = listenersOf(patient.config).filter(
      (listener): listener is TlsListener => listener.tls_config !== null,
    )
    if (listeners.length === 0) return skipped('no listener has a tls_config')
    return listeners.flatMap((listener) => look(listener, patient))
  },
}

function look(listener: TlsListener, { cwd, clock }: Patient): readonly Found[] {
  const { name, tls_config: tls } = listener
  const { faults, chain } = judgeTls(tls, cwd)
  const about = { name, path: tls.ssl_cert_path, chain, now: clock.seconds() }
  const found = [
    ...faults.map(({ wrong, remedy }) => problem(`${name}: ${wrong}`, sentence(remedy))),
    ...(chain.length === 0
      ? []
      : [...ages(about), ...names(about, listener.public_url), ...links(about)]),
    ...(faults.length === 0 ? rights(name, tls.ssl_key_path, cwd) : []),
  ]
  if (found.length > 0) return found
  const days = daysLeft(chain[0]!, about.now)
  return [ok(`${name}: ${tls.ssl_cert_path} is good for ${several(days, 'day')} more`)]
}

const sentence = (clause: string): string => `${clause[0]!.toUpperCase()}${clause.slice(1)}.`

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

function rights(name: string, path: string, cwd: string): Found[] {
  if ((statSync(resolve(cwd, path)).mode & 0o004) === 0) return []
  return [
    warning(
      `${name}: everybody on this machine can read the private key ${path}`,
      `chmod o-r ${shellWord(path)}`,
    ),
  ]
}

/** No authority certifies an address like this, or a name of one machine. */
const isPublicName = (host: string): boolean => host.includes('.') && isIP(host) === 0
