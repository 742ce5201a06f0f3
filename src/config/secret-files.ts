/**
 * Secrets in files of their own (docs/behaviours.md C17): `password_file` in place of `password`. No message says
 * what such a file holds. The disk is an argument.
 */
import { resolve } from 'node:path'
import { quotedPath } from '../text/printable.ts'
import { shellWord } from '../text/shell.ts'
import { remedyForFile, systemReason } from '../text/system-errors.ts'
import type { Report } from './mistake.ts'
import { type Environment, isOverride } from './overrides.ts'
import type { Node, TableNode } from './tree.ts'
import type { JsonSchema } from './value-checks.ts'

/** A file as the disk has it. */
export interface SecretFile {
  readonly text: string
  /** Other users of the machine may read it. */
  readonly isOpen: boolean
}

export interface SecretFiles {
  readonly env: Environment
  /** Absolute; relative paths begin here. */
  readonly cwd: string
  /** The file at an absolute path. Throws like `readFileSync`. */
  readSecret(path: string): SecretFile
}

interface Reading {
  readonly report: Report
  readonly files: SecretFiles
}

/** Longer than any token or password. */
export const MOST_SECRET_CHARACTERS = 4096

/** A member of a table that may stand in a file. */
interface Secret {
  /** Empty where a mistake was reported. */
  readonly value: string
  /** Where it stands, as it was written; undefined: in the configuration itself. */
  readonly file: string | undefined
}

/** Keywords of JSON Schema: the table has the secret in one of its two forms. */
export const eitherForm = (name: string): JsonSchema => ({
  oneOf: [{ required: [name] }, { required: [`${name}_file`] }],
})

/**
 * The secret that a table has as `name` or as `name_file`; undefined: as neither. `rows`: what was read of the
 * table.
 */
export function secretOf(
  name: string,
  rows: Readonly<Record<string, unknown>>,
  { entries }: TableNode,
  reading: Reading,
): Secret | undefined {
  const fileOption = `${name}_file`
  const [own, file] = [entries.get(name), entries.get(fileOption)]
  if (own && file && isOverride(own.at) === isOverride(file.at))
    reading.report.mistake(file.at, `only one of \`${name}\` and \`${fileOption}\` may be given`)
  // A variable replaces what the file says, in either form.
  else if (file && !(own && isOverride(own.at))) return secretIn(file, rows[fileOption], reading)
  return own && { value: String(rows[name] ?? ''), file: undefined }
}

/** `path`: the value of the option at `node`, unless it has a mistake. */
function secretIn({ at }: Node, path: unknown, { report, files }: Reading): Secret {
  if (typeof path !== 'string') return { value: '', file: undefined }
  const wrong = (message: string): Secret => {
    report.mistake(at, message)
    return { value: '', file: path }
  }
  const there = placeOf(path, files)
  if (there === undefined)
    return wrong(
      `$${CREDENTIALS} is not set: systemd sets it for a service that has ` +
        `\`LoadCredential=${path.slice(CREDENTIAL.length)}:/path/of/the/file\``,
    )
  const name = quotedPath(there)
  try {
    const { text, isOpen } = files.readSecret(there)
    const value = text.replace(/\r?\n$/, '')
    const fault = faultOf(value)
    if (fault !== undefined) return wrong(`${name} ${fault}`)
    if (isOpen)
      report.warn(at, `other users may read ${name}: \`chmod o= ${shellWord(there)}\` forbids it`)
    return { value, file: path }
  } catch (error) {
    return wrong(`${name}: ${systemReason(error)}: ${remedyForFile(error, there)}`)
  }
}

const CREDENTIALS = 'CREDENTIALS_DIRECTORY'
const CREDENTIAL = `$${CREDENTIALS}/`

/** The absolute path; undefined: it is that of a credential, and there are none. */
function placeOf(path: string, { env, cwd }: SecretFiles): string | undefined {
  if (!path.startsWith(CREDENTIAL)) return resolve(cwd, path)
  const directory = env[CREDENTIALS]
  return directory ? resolve(cwd, directory, path.slice(CREDENTIAL.length)) : undefined
}

/** What a file with such a text cannot be, and what it should be instead. */
function faultOf(value: string): string | undefined {
  if (value.trim() === '') return 'is empty: it must hold the secret and nothing else'
  if (value.length > MOST_SECRET_CHARACTERS)
    return `is longer than ${MOST_SECRET_CHARACTERS} characters: it must hold the secret and nothing else`
  if (/[\r\n]/.test(value)) return 'has several lines: it must hold the secret in a single line'
  // What is not UTF-8 was read as the replacement character.
  if (/[\0\uFFFD]/.test(value)) return 'is not text: it must hold the secret in UTF-8'
  return undefined
}
