/**
 * Where the checker's configuration comes from: a path goes before content, the command line before the
 * environment (spec/torrust-console-tools §3.1). Targets alone on the command line leave the environment aside.
 */
import { resolve } from 'node:path'
import { fileReason } from '../text/system-errors.ts'
import { type Configuration, readConfiguration } from './checker-configuration.ts'

const PATH = 'TORRUST_CHECKER_CONFIG_PATH'
const CONTENT = 'TORRUST_CHECKER_CONFIG'

export interface SourceInput {
  /** Of `--config-path`. */
  readonly path: string | undefined
  /** JSON on the command line. */
  readonly content: string | undefined
  /** Whether targets are named on the command line. */
  readonly named: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Throws like `readFileSync`. */
  readFile(path: string): string
}

export interface Sourced extends Configuration {
  /** What mistakes are told of: a path, a variable, the argument. */
  readonly name: string
  /** What was given besides and is not used. */
  readonly ignored: string | undefined
}

/** undefined: none is given. */
export function findConfiguration(input: SourceInput): Sourced | undefined {
  const { path, content, named, env } = input
  const fromEnvironment = (name: string) =>
    named && content === undefined && path === undefined ? undefined : env[name] || undefined
  const file = path ?? fromEnvironment(PATH)
  if (file !== undefined)
    return {
      ...readFile(input, file),
      ignored:
        content === undefined
          ? undefined
          : `the JSON argument is ignored: ${path === undefined ? PATH : '--config-path'} names a file`,
    }
  const text = content ?? fromEnvironment(CONTENT)
  if (text === undefined) return undefined
  const name = content === undefined ? CONTENT : 'the JSON argument'
  return { ...readConfiguration(text, named), name, ignored: undefined }
}

function readFile({ cwd, named, path, readFile: read }: SourceInput, file: string) {
  const name = /\p{C}/u.test(file) || file === '' ? JSON.stringify(file) : file
  let text: string
  try {
    text = read(resolve(cwd, file))
  } catch (error) {
    const given = path === undefined ? `, given by ${PATH}` : ''
    return {
      name,
      targets: [],
      mistakes: [`${fileReason(error)}${given}`],
    }
  }
  return { name, ...readConfiguration(text, named) }
}
