/** The options of every command that asks trackers: how long to wait, and over what. */
import type { Family } from '../bittorrent.ts'
import type { AskOptions } from '../client/ask.ts'
import type { Invocation } from './host.ts'
import { Misuse, seconds } from './invocation.ts'

/** Throws `Misuse`, and so does `readFamily`. */
export const readAskOptions = (invocation: Invocation): AskOptions => ({
  milliseconds: seconds(invocation, 'timeout', { min: 0.01, max: 3600 }, 5),
  family: readFamily(invocation),
  insecure: invocation.options.has('insecure'),
})

/** undefined: either. */
export function readFamily({ options }: Invocation): Family | undefined {
  if (options.has('ipv4') && options.has('ipv6'))
    throw new Misuse('--ipv4 and --ipv6 exclude each other')
  return options.has('ipv4') ? 4 : options.has('ipv6') ? 6 : undefined
}
