/** Whether this machine has IPv6, for configurations that are made rather than read. */
import { networkInterfaces } from 'node:os'

/** With IPv6 the loopback interface has an address at least. */
export function hasIpv6(): boolean {
  try {
    return Object.values(networkInterfaces())
      .flat()
      .some((address) => address?.family === 'IPv6')
  } catch {
    // The question needs a socket of a kind that a sandbox may deny.
    return true
  }
}
