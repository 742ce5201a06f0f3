/** Why a tracker gave no answer that can be used. Everything that asks one rejects with this and nothing else. */

/**
 * `resolve`: its name leads nowhere. `connect`: nothing listens, or no way there. `timeout`: silence.
 * `tls`: its certificate is not to be believed. `status`: HTTP, but not 200. `garbage`: no answer of a tracker.
 * `refusal`: the tracker says no, and the message is its own text.
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
  /** Of the UDP answer that refuses, signed. */
  readonly transaction: number | undefined

  /** `message`: one printable line. */
  constructor(kind: FailureKind, message: string, transaction?: number) {
    super(message)
    this.kind = kind
    this.transaction = transaction
  }
}

/** Longest text of a stranger that is repeated. */
const MOST_CHARACTERS = 300

/** A stranger's text as part of a line: a terminal must not obey it. */
export function printable(text: string): string {
  const line = text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line
}

/** In tenths of a second: what was left of a time limit reads like the limit. Shorter ones have a digit, too. */
export const noAnswerWithin = (milliseconds: number): string => {
  const seconds = milliseconds / 1000
  return `no answer within ${seconds < 0.1 ? Number(seconds.toPrecision(1)) : Math.round(seconds * 10) / 10} s`
}

/** Why there is no way to a host, by the system's and Bun's names of it; undefined: another reason. */
export const unreachableBy = (code: string): string | undefined => UNREACHABLE.get(code)

const UNREACHABLE: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'nothing listens there (connection refused)'],
  ['ConnectionRefused', 'nothing listens there (connection refused)'],
  ['FailedToOpenSocket', 'cannot connect'],
  ['EHOSTUNREACH', 'no route to the host'],
  ['ENETUNREACH', 'no route to its network'],
  ['EACCES', 'the system does not allow to send there'],
  ['EPERM', 'a firewall on this machine does not allow to send there'],
  ['EMSGSIZE', 'the URL is too long for a datagram'],
])
