/** Completion scripts: the rules of the command table in a shell's own words, and who walks by them. */
import type { Command, Option } from '../cli/command.ts'
import { type Rule, type Rules, rulesOf } from './rules.ts'
import bashWalk from './walk.bash' with { type: 'text' }
import fishWalk from './walk.fish' with { type: 'text' }
import zshWalk from './walk.zsh' with { type: 'text' }

export function bashScript(root: Command): string {
  // Nothing but names can be shown, so the long ones do.
  const rules = rulesOf(root, {
    command: ({ name }) => name,
    option: ({ name }) => [`--${name}`],
  })
  return `# Completions of tracker for bash, made by: tracker completions bash\n\n${forBashAndZsh(rules)}${bashWalk}`
}

export function zshScript(root: Command): string {
  // An entry of zsh's _describe is NAME:EXPLANATION, with backslashes doubled.
  const entry = (name: string, help: string) => `${name}:${help.replaceAll('\\', '\\\\')}`
  const rules = rulesOf(root, {
    command: ({ name, help }) => entry(name, help),
    option: (option) => dashed(option).map((name) => entry(name, option.help)),
  })
  return `#compdef tracker\n# Completions of tracker for zsh, made by: tracker completions zsh\n\n${forBashAndZsh(rules)}${zshWalk}`
}

export function fishScript(root: Command): string {
  const rules = rulesOf(root, {
    command: ({ name, help }) => `${name}\t${help}`,
    option: (option) => dashed(option).map((name) => `${name}\t${option.help}`),
  })
  return `# Completions of tracker for fish, made by: tracker completions fish\n\n${forFish(rules)}${fishWalk}`
}

const dashed = ({ name, short }: Option): readonly string[] => [
  ...(short ? [`-${short}`] : []),
  `--${name}`,
]

/** A function for each kind of rule; it sets `found`. */
const forBashAndZsh = (rules: Rules): string =>
  functions(rules, (name, list) => {
    const cases = list.map(({ when, rest, found }) => {
      const patterns = when.map((text) => `${quoted(text)}${rest ? '*' : ''}`)
      return `    ${patterns.join(' | ')}) found=(${found.map(quoted).join(' ')}) ;;\n`
    })
    return `_tracker_${name}() {\n  found=()\n  case $1 in\n${cases.join('')}  esac\n}\n\n`
  })

/** A function for each kind of rule; it prints what is found, one a line. */
const forFish = (rules: Rules): string =>
  functions(rules, (name, list) => {
    const cases = list.map(({ when, rest, found }) => {
      const patterns = when.map((text) => fishQuoted(rest ? `${text}*` : text))
      const words = found.map(fishQuoted).join(' ')
      return `        case ${patterns.join(' ')}\n            printf '%s\\n' ${words}\n`
    })
    return `function __tracker_${name}\n    switch $argv[1]\n${cases.join('')}    end\nend\n\n`
  })

const functions = (rules: Rules, print: (name: string, list: readonly Rule[]) => string): string =>
  Object.entries(rules)
    .map(([name, list]) => print(name, list))
    .join('')

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

const fishQuoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
