/** Options that several commands share. */
import type { Option } from '../cli/command.ts'

export const CONFIG_OPTION: Option = {
  name: 'config',
  short: 'c',
  aliases: ['config-toml-path'],
  value: 'PATH',
  file: true,
  help: 'The configuration file. Default: tracker.toml, if there is one.',
}

export const FORMAT: Option = {
  name: 'format',
  value: 'FORMAT',
  choices: ['json', 'text'],
  help: 'How to print the result: json (default) or text.',
}

/** Time limit of each request. */
export const TIMEOUT: Option = {
  name: 'timeout',
  value: 'SECONDS',
  help: 'How long to wait for each answer. Default: 5.',
}

export const IPV4: Option = { name: 'ipv4', short: '4', help: 'Ask over IPv4 only.' }
export const IPV6: Option = { name: 'ipv6', short: '6', help: 'Ask over IPv6 only.' }

export const INSECURE: Option = {
  name: 'insecure',
  help: 'Accept any certificate of an https tracker.',
}
