/** Why a tracker gave no usable answer. Everything in this room that asks one rejects with `ClientFailure` only. */

/**
 * `resolve`: the name has no address. `connect`: nothing listens there, or there is no route. `timeout`: no
 * answer in time. `tls`: the certificate is not trusted. `status`: an HTTP status other than 2xx, or for a WebSocket
 * than 101. `garbage`: not an answer of a tracker. `refusal`: the tracker refuses, and the message is its own text.
 */
export type FailureKind =
  | 'resolve'
  | 'connect'
  | 'timeout'
  | 'tls'
  | 'status'
  | 'garbage'
  | 'refusal'

export class ClientFailure extends Error {
  override readonly name = 'ClientFailure'
  readonly kind: FailureKind
  /** Transaction id of the UDP answer that refuses, signed. */
  readonly transaction: number | undefined

  /** `message`: one printable line; it begins with the place (`udp://HOST:PORT: `) unless it is a refusal. */
  constructor(kind: FailureKind, message: string, transaction?: number) {
    super(message)
    this.kind = kind
    this.transaction = transaction
  }

  /** The message for reports that name the place themselves. */
  get reason(): string {
    return this.kind === 'refusal'
      ? `refused by the tracker: ${this.message || 'no reason given'}`
      : this.message.replace(/^(udp|https?|wss?):\/\/\S+: /, '')
  }
}

/** Rounded to tenths of a second, so that what was left of a time limit reads like the limit; below 0.1 s to one digit. */
export const noAnswerWithin = (milliseconds: number): string => {
  const seconds = milliseconds / 1000
  return `no answer within ${seconds < 0.1 ? Number(seconds.toPrecision(1)) : Math.round(seconds * 10) / 10} s`
}

/** Why a host cannot be reached, by the code of the system or of Bun; undefined if the code means something else. */
export const unreachableBy = (code: string): string | undefined => UNREACHABLE.get(code)

const UNREACHABLE: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'nothing listens there (connection refused)'],
  ['ConnectionRefused', 'nothing listens there (connection refused)'],
  ['FailedToOpenSocket', 'cannot connect'],
  ['EHOSTUNREACH', 'no route to the host'],
  ['ENETUNREACH', 'no route to its network'],
  ['EACCES', 'the system does not allow sending there'],
  ['EPERM', 'a firewall on this machine does not allow sending there'],
  ['EMSGSIZE', 'the URL is too long for a datagram'],
])
