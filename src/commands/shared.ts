/** Options that several commands share. */
import { option } from '../cli/command.ts'

export const CONFIG_OPTION = option(
  '-c, --config PATH',
  'The configuration file. Default: tracker.toml, if there is one.',
  { file: true, also: ['config-toml-path'] },
)
export const FORMAT = option(
  '--format json|text',
  'How to print the result. Default: text on a terminal, otherwise json.',
)
/** Time limit of each request. */
export const TIMEOUT = option('--timeout SECONDS', 'How long to wait for each answer. Default: 5.')
export const IPV4 = option('-4, --ipv4', 'Ask over IPv4 only.')
export const IPV6 = option('-6, --ipv6', 'Ask over IPv6 only.')
export const INSECURE = option('--insecure', 'Accept any certificate of an https tracker.')
