/** The addresses of a host. */
import { lookup } from 'node:dns/promises'
import type { Family } from '../bittorrent.ts'
import { Deadline } from '../time/deadline.ts'
import { parseIp, printIp } from '../wire/address.ts'
import { ClientFailure } from './failure.ts'

export interface Address {
  /** Canonical text, without brackets. */
  readonly ip: string
  readonly family: Family
}

/** At least one address, in the order of the system's resolver. Throws `ClientFailure`. */
export async function resolve(
  host: string,
  { family, milliseconds }: { readonly family?: Family | undefined; readonly milliseconds: number },
): Promise<readonly Address[]> {
  const literal = parseIp(host)
  const found = literal ? [addressOf(literal)] : await lookUp(host, milliseconds)
  const wanted = found.filter((address) => family === undefined || address.family === family)
  if (wanted.length > 0) return wanted
  const what = literal ? 'is not an' : 'has no'
  throw new ClientFailure('resolve', `${host} ${what} IPv${family} address`)
}

async function lookUp(host: string, milliseconds: number): Promise<readonly Address[]> {
  const late = new ClientFailure('timeout', `no answer from the resolver about ${host}`)
  try {
    const answers = await Deadline.in(milliseconds).run(
      () => lookup(host, { all: true }),
      () => late,
    )
    const texts = new Set(answers.map(({ address }) => address))
    const addresses = Array.from(texts, parseIp).flatMap((ip) => (ip ? [addressOf(ip)] : []))
    if (addresses.length > 0) return addresses
  } catch (error) {
    if (error === late) throw error
  }
  throw new ClientFailure('resolve', `no such host: ${host}`)
}

const addressOf = (bytes: Uint8Array): Address => {
  const family = bytes.length === 4 ? 4 : 6
  return { ip: printIp(bytes, family), family }
}
