/** Whether the listeners' certificates are valid, for how long, for the names that clients use, and in use. */
import type { X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { connect } from 'node:tls'
import { judgeTls } from '../cli/tls-files.ts'
import { type Listener, listenersOf } from '../config/listeners.ts'
import type { TlsConfig } from '../config/model.ts'
import { reachable } from '../servers/probe.ts'
import { several } from '../text/figures.ts'
import { oneLine } from '../text/printable.ts'
import { shellWord } from '../text/shell.ts'
import { Deadline, TooLate } from '../time/deadline.ts'
import {
  type Context,
  ok,
  problem,
  type Result,
  type Results,
  skipped,
  warning,
} from './finding.ts'
import { serves } from './running-tracker.ts'

const DAY_SECONDS = 86_400
/** Automatic renewal happens earlier than this. */
const FEW_DAYS = 14

export async function certificates(context: Context): Promise<Results> {
  const listeners = listenersOf(context.config).filter(
    // What has its certificate from another listener may still have another name.
    ({ tls_config, host, public_url }) => tls_config !== null && (!host || public_url !== null),
  )
  if (listeners.length === 0) return skipped('no listener has a tls_config')
  return (
    await Promise.all(listeners.map((listener) => judge(listener, listener.tls_config!, context)))
  ).flat()
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
  const [own] = chain
  if (own === undefined) return broken
  const about = `${listener.name}: ${tls.ssl_cert_path}`
  const now = context.clock.seconds()
  const found = [
    ...broken,
    ...ages(chain, about, now),
    ...trust(chain, about, listener.public_url),
    ...(await inUse(own, about, listener, context)),
  ]
  const key = resolve(context.cwd, tls.ssl_key_path)
  if (broken.length === 0 && (statSync(key).mode & 0o004) !== 0)
    found.push(
      warning(
        `${listener.name}: every user of this machine can read the private key ${tls.ssl_key_path}`,
        'Anyone who has it can pose as this tracker.',
        `chmod o-r ${shellWord(key)}`,
      ),
    )
  return found.length > 0
    ? found
    : [ok(`${about} is valid for ${several(daysLeft(own, now), 'more day')}`)]
}

const daysLeft = ({ validToDate }: X509Certificate, now: number): number =>
  Math.floor((validToDate.getTime() / 1000 - now) / DAY_SECONDS)

const REFUSED = 'Clients that verify certificates refuse it.'
const RESTART = 'systemctl restart tracker  # it reads certificates only at its start'
const RENEW = ['certbot renew  # or the program that renews it', RESTART]

function* ages(chain: readonly X509Certificate[], file: string, now: number): Generator<Result> {
  for (const [i, certificate] of chain.entries()) {
    const about = i === 0 ? file : `${file}, certificate ${i + 1},`
    const days = daysLeft(certificate, now)
    const [from, to] = [certificate.validFromDate, certificate.validToDate].map((date) =>
      date.toISOString().slice(0, 10),
    )
    if (certificate.validFromDate.getTime() / 1000 > now)
      yield problem(`${about} is not valid before ${from}`, REFUSED, 'timedatectl  # is it right?')
    else if (days < 0) yield problem(`${about} expired on ${to}`, REFUSED, ...RENEW)
    else if (days < FEW_DAYS)
      yield warning(
        `${about} expires in ${several(days, 'day')}, on ${to}`,
        'What renews it should have done so by now.',
        ...RENEW,
      )
  }
}

function* trust(
  [own, signer]: readonly X509Certificate[],
  about: string,
  publicUrl: string | null,
): Generator<Result> {
  const url = publicUrl === null ? null : URL.parse(publicUrl)
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? ''
  const isFor = () => (isIP(host) === 0 ? own!.checkHost(host) : own!.checkIP(host)) !== undefined
  // With a public URL without TLS, clients talk to a proxy and never see the certificate.
  if (/^(https|wss):$/.test(url?.protocol ?? '') && !isFor())
    yield problem(
      `${about} is for ${own!.subjectAltName ?? own!.subject}, but public_url says ${host}`,
      REFUSED,
      'Put a name from the certificate into public_url, or get one for that host: certbot certonly -d HOST',
    )
  if (own!.checkIssued(own!))
    yield warning(
      `${about} is self-signed`,
      REFUSED,
      'certbot certonly --standalone -d HOST  # gets one that all clients trust',
    )
  else if (signer === undefined || !own!.checkIssued(signer))
    yield warning(
      `${about} does not hold the certificate that signed it (${own!.issuer.replaceAll('\n', ', ')})`,
      'Many clients refuse it.',
      'Name the file with the whole chain: fullchain.pem instead of cert.pem.',
    )
}

/** Whether the running tracker serves the certificate of the file, which may have been renewed since. */
async function inUse(
  own: X509Certificate,
  about: string,
  listener: Listener,
  { milliseconds, tracker }: Context,
): Promise<Result[]> {
  if (!serves(await tracker(), listener)) return []
  const { ip: host, port } = reachable(listener.bind_address)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host, port, rejectUnauthorized: false }, () =>
    resolve(socket.getPeerCertificate().fingerprint256),
  )
  socket.on('error', reject)
  try {
    const served = await Deadline.in(milliseconds).run(() => promise)
    if (served === own.fingerprint256) return []
    const found = `${about} is not the certificate that the running tracker serves`
    const why = 'It was renewed or replaced, and clients still get the old one.'
    return [warning(found, why, RESTART)]
  } catch (error) {
    const why = error instanceof TooLate ? 'no answer' : oneLine(String(error))
    return [skipped(`the running tracker does not show which certificate it serves: ${why}`)]
  } finally {
    socket.destroy()
  }
}
