/**
 * Which listeners of the trackers stay, are opened and are closed when a configuration follows another. A listener
 * is its protocol and address: it stays open while those stay, and follows its other options. Only a certificate
 * cannot be changed in a server, nor what other protocol it serves: another one takes its port over, and goes on
 * counting where it was.
 */
import { hasSocket, type Opening, type Wanted, withPort } from './open-listener.ts'
import type { Openings } from './openings.ts'

/** One that is open, as it was configured, and as it was opened: port 0 became another. */
export type Listed = { readonly configured: Opening['listener']; readonly opening: Opening }

export type ListenerPlan = {
  /** All listeners from then on, in the order in which they are wanted. */
  readonly all: readonly Listed[]
  readonly opened: readonly Opening[]
  readonly closed: readonly Opening[]
  /** Those of the closed in whose place another has another certificate. */
  readonly renewed: readonly Opening[]
  /** Those of the closed whose place no other takes. */
  readonly removed: readonly Opening[]
  /** Stay with the certificate that they have, although they should get another. */
  readonly stuck: readonly Opening[]
}

/** `openings`: of those that are not open yet. `canReplace`: another server can take over a port. */
export function planListeners(
  now: readonly Listed[],
  wanted: readonly Wanted[],
  openings: Pick<Openings, 'open' | 'id'>,
  canReplace = true,
): ListenerPlan {
  const left = [...now]
  const replaced: Opening[] = []
  const renewed: Opening[] = []
  const stuck: Opening[] = []
  const planned: Listed[] = []
  for (const one of wanted) {
    const at = left.findIndex(({ configured, opening }) => {
      return opening.type === one.type && isSame(configured, one.listener)
    })
    const old = at < 0 ? undefined : left.splice(at, 1)[0]!.opening
    const configured = one.listener
    const isOnHost = one.type === 'websocket_tracker' && one.isHosted
    // HTTP listeners are wanted first.
    const host = isOnHost
      ? planned.find(
          (other) => other.opening.type === 'http_tracker' && isSame(other.configured, configured),
        )
      : undefined
    const onHost = (opening: Opening): Opening =>
      opening.type === 'websocket_tracker' ? { ...opening, host: host?.opening.id } : opening
    if (old === undefined) {
      planned.push({ configured, opening: onHost(openings.open(one)) })
      continue
    }
    const opening = onHost(follow(old, one))
    if (hasSameServer(old, opening)) planned.push({ configured, opening })
    else if (canReplace) {
      replaced.push(old)
      // Of two on one server, the HTTP listener says so.
      if (!hasSameCertificate(old, opening) && hasSocket(opening)) renewed.push(old)
      planned.push({ configured, opening: { ...opening, id: openings.id() } })
    } else {
      stuck.push(old)
      planned.push({ configured, opening: withCertificateOf(old, opening) })
    }
  }
  const removed = left.map(({ opening }) => opening)
  const closed = [...replaced, ...removed]
  const isNew = ({ id }: Opening) => !now.some(({ opening }) => opening.id === id)
  const sharesPort = ({ type, listener }: Opening) =>
    closed.some(
      (one) =>
        (one.type === 'udp_tracker') === (type === 'udp_tracker') &&
        one.listener.bind_address.port === listener.bind_address.port,
    )
  const all = planned.map(({ configured, opening }) => {
    return {
      configured,
      opening: { ...opening, sharesPort: isNew(opening) && sharesPort(opening) },
    }
  })
  return {
    all,
    opened: all.map(({ opening }) => opening).filter(isNew),
    closed,
    renewed,
    removed,
    stuck,
  }
}

const isSame = (a: Opening['listener'], b: Opening['listener']): boolean =>
  a.bind_address.ip === b.bind_address.ip &&
  a.bind_address.port === b.bind_address.port &&
  a.network.ipv6_v6only === b.network.ipv6_v6only

/** With the options of `one`, on the port that it has. */
function follow(old: Opening, one: Wanted): Opening {
  const { port } = old.listener.bind_address
  if (old.type === 'http_tracker' && one.type === 'http_tracker')
    return withPort({ ...old, ...one }, port)
  if (old.type === 'udp_tracker' && one.type === 'udp_tracker')
    return withPort({ ...old, ...one }, port)
  if (old.type === 'websocket_tracker' && one.type === 'websocket_tracker')
    return withPort({ ...old, listener: one.listener, certificate: one.certificate }, port)
  return old
}

/** Whether the server that is open serves as this one should be served. */
const hasSameServer = (a: Opening, b: Opening): boolean =>
  hasSameCertificate(a, b) &&
  ('host' in a ? a.host : undefined) === ('host' in b ? b.host : undefined)

const hasSameCertificate = (a: Opening, b: Opening): boolean =>
  !('certificate' in a && 'certificate' in b) || Bun.deepEquals(a.certificate, b.certificate)

function withCertificateOf(old: Opening, opening: Opening): Opening {
  if (old.type === 'http_tracker' && opening.type === 'http_tracker') {
    const listener = { ...opening.listener, tls_config: old.listener.tls_config }
    return { ...opening, listener, certificate: old.certificate }
  }
  if (old.type === 'websocket_tracker' && opening.type === 'websocket_tracker') {
    const listener = { ...opening.listener, tls_config: old.listener.tls_config }
    return { ...opening, listener, certificate: old.certificate, host: old.host }
  }
  return opening
}
