/**
 * Which listeners of the trackers stay, are opened and are closed when a configuration follows another. A listener
 * is its protocol and address: it stays open while those stay, and follows its other options. Only a certificate
 * cannot be changed in a server: another one takes its port over, and goes on counting where it was.
 */
import { type Opening, type Wanted, withPort } from './open-listener.ts'
import type { Openings } from './openings.ts'

/** One that is open, as it was configured, and as it was opened: port 0 became another. */
export type Listed = { readonly configured: Opening['listener']; readonly opening: Opening }

export type ListenerPlan = {
  /** All listeners from then on, in the order in which they are wanted. */
  readonly all: readonly Listed[]
  readonly opened: readonly Opening[]
  readonly closed: readonly Opening[]
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
  const stuck: Opening[] = []
  const planned = wanted.map((one): Listed => {
    const at = left.findIndex(({ configured, opening }) => {
      return opening.type === one.type && isSame(configured, one.listener)
    })
    const old = at < 0 ? undefined : left.splice(at, 1)[0]!.opening
    const configured = one.listener
    if (old === undefined) return { configured, opening: openings.open(one) }
    const opening = follow(old, one)
    if (hasSameCertificate(old, opening)) return { configured, opening }
    if (!canReplace) {
      stuck.push(old)
      return { configured, opening: withCertificateOf(old, opening) }
    }
    replaced.push(old)
    return { configured, opening: { ...opening, id: openings.id() } }
  })
  const removed = left.map(({ opening }) => opening)
  const closed = [...replaced, ...removed]
  const isNew = ({ id }: Opening) => !now.some(({ opening }) => opening.id === id)
  const sharesPort = ({ type, listener }: Opening) =>
    closed.some(
      (one) => one.type === type && one.listener.bind_address.port === listener.bind_address.port,
    )
  const all = planned.map(({ configured, opening }) => {
    return {
      configured,
      opening: { ...opening, sharesPort: isNew(opening) && sharesPort(opening) },
    }
  })
  return { all, opened: all.map(({ opening }) => opening).filter(isNew), closed, removed, stuck }
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
  return old
}

const hasSameCertificate = (a: Opening, b: Opening): boolean =>
  !('certificate' in a && 'certificate' in b) || Bun.deepEquals(a.certificate, b.certificate)

function withCertificateOf(old: Opening, opening: Opening): Opening {
  if (old.type !== 'http_tracker' || opening.type !== 'http_tracker') return opening
  const listener = { ...opening.listener, tls_config: old.listener.tls_config }
  return { ...opening, listener, certificate: old.certificate }
}
