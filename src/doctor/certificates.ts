/** Whether the listeners' certificates are valid, for how long, for the names that clients use, and in use. */
import type { X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { connect } from 'node:tls'
import { judgeTls } from '../cli/tls-files.ts'
import type { TlsConfig } from '../config/model.ts'
import { reachable } from '../servers/probe.ts'
import { several } from '../text/figures.ts'
import { oneLine } from '../text/printable.ts'
import { shellWord } from '../text/shell.ts'
import { Deadline, TooLate } from '../time/deadline.ts'
import { type Check, type Context, ok, problem, type Result, skipped, warning } from './finding.ts'
import { type Listener, listenersOf, serves } from './running-tracker.ts'

const DAY_SECONDS = 86_400
/** Automatic renewal happens earlier than this. */
const FEW_DAYS = 14

export const certificates: Check = {
  name: 'certificates',
  async run(context) {
    const listeners = listenersOf(context.config).filter(({ tls_config }) => tls_config !== null)
    if (listeners.length === 0) return skipped('no listener has a tls_config')
    return (
      await Promise.all(listeners.map((listener) => judge(listener, listener.tls_config!, context)))
    ).flat()
  },
}

async function judge(listener: Listener, tls: TlsConfig, context: Context): Promise<Result[]> {
  const { faults, chain } = judgeTls(tls, context.cwd)
  const broken = faults.map(({ wrong, remedy }) =>
    problem(
      `${listener.name}: ${wrong}`,
      'The tracker does not start without a certificate and its key.',
      `${remedy[0]!.toUpperCase()}${remedy.slice(1)}.`,
    ),
  )
  const [own, signer] = chain
  if (own === undefined) return broken
  const about = `${listener.name}: ${tls.ssl_cert_path}`
  const now = context.clock.seconds()
  const found = [
    ...broken,
    ...chain.map((one, i) => age(one, i === 0 ? about : `${about}, certificate ${i + 1},`, now)),
    name(own, about, listener.public_url),
    trust(own, signer, about),
    broken.length === 0 ? readers(listener.name, tls.ssl_key_path, context.cwd) : undefined,
    await inUse(own, about, listener, context),
  ].filter((result) => result !== undefined)
  return found.length > 0
    ? found
    : [ok(`${about} is valid for ${several(daysLeft(own, now), 'more day')}`)]
}

const daysLeft = ({ validToDate }: X509Certificate, now: number): number =>
  Math.floor((validToDate.getTime() / 1000 - now) / DAY_SECONDS)

const REFUSED = 'Clients that verify certificates refuse it.'
const RESTART = 'systemctl restart tracker  # it reads certificates only at its start'
const RENEW = ['certbot renew  # or the program that renews it', RESTART]

function age(certificate: X509Certificate, about: string, now: number): Result | undefined {
  const [from, to] = [certificate.validFromDate, certificate.validToDate].map((date) =>
    date.toISOString().slice(0, 10),
  )
  if (certificate.validFromDate.getTime() / 1000 > now)
    return problem(`${about} is not valid before ${from}`, REFUSED, 'timedatectl  # is it right?')
  const days = daysLeft(certificate, now)
  if (days < 0) return problem(`${about} expired on ${to}`, REFUSED, ...RENEW)
  if (days >= FEW_DAYS) return undefined
  const found = `${about} expires in ${several(days, 'day')}, on ${to}`
  return warning(found, 'What renews it should have done so by now.', ...RENEW)
}

function name(
  certificate: X509Certificate,
  about: string,
  publicUrl: string | null,
): Result | undefined {
  const url = publicUrl === null ? null : URL.parse(publicUrl)
  // With a public URL of plain HTTP, clients talk to a proxy and never see the certificate.
  if (url?.protocol !== 'https:') return undefined
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const matches = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)
  if (matches !== undefined) return undefined
  const names = certificate.subjectAltName ?? certificate.subject
  return problem(
    `${about} is for ${names}, but public_url says ${host}`,
    REFUSED,
    'Put a name from the certificate into public_url, or get one for that host: certbot certonly -d HOST',
  )
}

function trust(
  own: X509Certificate,
  signer: X509Certificate | undefined,
  about: string,
): Result | undefined {
  if (own.checkIssued(own))
    return warning(
      `${about} is self-signed`,
      REFUSED,
      'certbot certonly --standalone -d HOST  # gets one that all clients trust',
    )
  if (signer !== undefined && own.checkIssued(signer)) return undefined
  return warning(
    `${about} does not hold the certificate that signed it (${own.issuer.replaceAll('\n', ', ')})`,
    'Many clients refuse it.',
    'Name the file with the whole chain: fullchain.pem instead of cert.pem.',
  )
}

function readers(name: string, path: string, cwd: string): Result | undefined {
  if ((statSync(resolve(cwd, path)).mode & 0o004) === 0) return undefined
  return warning(
    `${name}: every user of this machine can read the private key ${path}`,
    'Whoever has it can pose as this tracker.',
    `chmod o-r ${shellWord(path)}`,
  )
}

/** Whether the running tracker serves the certificate of the file, which may have been renewed since. */
async function inUse(
  own: X509Certificate,
  about: string,
  listener: Listener,
  { milliseconds, tracker }: Context,
): Promise<Result | undefined> {
  if (!serves(await tracker(), listener)) return undefined
  const { ip: host, port } = reachable(listener.bind_address)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host, port, rejectUnauthorized: false }, () =>
    resolve(socket.getPeerCertificate().fingerprint256),
  )
  socket.on('error', reject)
  try {
    const served = await Deadline.in(milliseconds).run(() => promise)
    if (served === own.fingerprint256) return undefined
    const found = `${about} is not the certificate that the running tracker serves`
    return warning(found, 'It was renewed or replaced, and clients still get the old one.', RESTART)
  } catch (error) {
    const why = error instanceof TooLate ? 'no answer' : oneLine(String(error))
    return skipped(`the running tracker does not show which certificate it serves: ${why}`)
  } finally {
    socket.destroy()
  }
}
