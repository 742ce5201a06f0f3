/**
 * Request bodies about keys and whitelist: from JSON to values, or the answer that refuses them
 * (docs/behaviours.md A18, A19, A28). The single key is the reference's form. The bulk forms are ours: every
 * mistake in them is named, and one mistake is enough for nothing to be done.
 */
import { isAuthKey, KEY_CHARACTERS } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { LAST_EXPIRY_SECOND, type NewKey } from '../storage/permissions.ts'
import { type Answer, badUrl, echo, text } from './answers.ts'
import { JsonFault, JsonReader } from './json-reader.ts'

type Read<T> = { readonly value: T } | { readonly fault: Answer }

/** Mistakes of a bulk request that its answer names. */
const MOST_MISTAKES = 100
/** Most elements of a bulk request, by the name of its list. */
const MOST = { keys: LIMITS.bulkKeys, info_hashes: LIMITS.bulkInfoHashes } as const
type ListName = keyof typeof MOST
const FORM = 'struct AddKeyForm'

/** Not validated yet: `key` null = generate one, `secondsValid` null = permanent. */
export const readKeyForm = (bytes: Uint8Array): Read<NewKey> => readBody(bytes, keyForm)

/** `{"keys":[{"key":…,"seconds_valid":…},…]}`. */
export const readKeyForms = (bytes: Uint8Array): Read<readonly NewKey[]> =>
  readBody(bytes, (reader) => listIn(reader, 'keys', () => keyForm(reader)))

/** `{"<name>":["…",…]}`. */
export const readTexts = (bytes: Uint8Array, name: ListName): Read<readonly string[]> =>
  readBody(bytes, (reader) => listIn(reader, name, () => reader.string('a string')))

function readBody<T>(bytes: Uint8Array, read: (reader: JsonReader) => T): Read<T> {
  const reader = new JsonReader(bytes)
  try {
    return { value: read(reader) }
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error
    if (error.kind === 'excess') return { fault: badUrl(`nothing was done: ${error.message}`) }
    const detail = reader.place + error.message
    return {
      fault:
        error.kind === 'syntax'
          ? text(400, `Failed to parse the request body as JSON: ${detail}`)
          : text(422, `Failed to deserialize the JSON body into the target type: ${detail}`),
    }
  }
}

/** An object, or a list of its two values in the order of the fields. */
function keyForm(reader: JsonReader): NewKey {
  let key: string | null | undefined
  let secondsValid: bigint | null | undefined
  const readKey = () => (reader.null() ? null : reader.string('a string'))
  const readSeconds = () => (reader.null() ? null : reader.unsigned('u64'))
  const isObject = reader.object(FORM, (name) => {
    if (name === 'key') key = reader.member(name, key, readKey)
    else if (name === 'seconds_valid') secondsValid = reader.member(name, secondsValid, readSeconds)
    else return false
    return true
  })
  if (!isObject) return keyTuple(reader, readKey, readSeconds)
  if (key === undefined) reader.data('missing field `key`')
  if (secondsValid === undefined) reader.data('missing field `seconds_valid`')
  return { key, secondsValid }
}

function keyTuple(
  reader: JsonReader,
  readKey: () => string | null,
  readSeconds: () => bigint | null,
): NewKey {
  let key: string | null = null
  let secondsValid: bigint | null = null
  const count = reader.list(FORM, (index) => {
    if (index === 0) key = readKey()
    else if (index === 1) secondsValid = readSeconds()
    else reader.trailing()
  })
  if (count < 2) reader.data(`invalid length ${count}, expected ${FORM} with 2 elements`)
  return { key, secondsValid }
}

/** The list that is the only known member of an object. Reading stops at the limit of its elements. */
function listIn<T>(reader: JsonReader, name: ListName, element: () => T): readonly T[] {
  let elements: T[] | undefined
  const isObject = reader.object('a map', (found) => {
    if (found !== name) return false
    elements = reader.member(name, elements, () => {
      const read: T[] = []
      reader.list('a sequence', (index) => {
        if (index >= MOST[name])
          throw new JsonFault('excess', `${name} has more than ${MOST[name]} elements`)
        read.push(element())
      })
      return read
    })
    return true
  })
  if (!isObject) reader.data('invalid type: sequence, expected a map')
  return elements ?? reader.data(`missing field \`${name}\``)
}

/** The elements as values; or every mistake that `read` finds in them, by index. */
export function readEach<T, V>(
  name: string,
  elements: readonly T[],
  read: (element: T) => { readonly value: V } | { readonly mistake: string },
): Read<readonly V[]> {
  const values: V[] = []
  const mistakes: string[] = []
  let count = 0
  elements.forEach((element, index) => {
    const result = read(element)
    if ('value' in result) values.push(result.value)
    else if (++count <= MOST_MISTAKES) mistakes.push(`${name}[${index}]: ${result.mistake}`)
  })
  if (count === 0) return { value: values }
  if (count > MOST_MISTAKES) mistakes.push(`and ${count - MOST_MISTAKES} more`)
  return { fault: badUrl(`nothing was done: ${mistakes.join('; ')}`) }
}

/** What is wrong with a key that a client chose; undefined = nothing. */
export function keyMistake(key: string): string | undefined {
  if (isAuthKey(key)) return undefined
  const reason =
    Buffer.byteLength(key) === KEY_CHARACTERS
      ? 'Invalid chars for key. Key can only alphanumeric chars (0-9, a-z, A-Z)'
      : 'Invalid key length. Key must be have 32 chars'
  return `invalid auth key: string "${echo(key)}", ${reason}`
}

/** What is wrong with the time for which a key is to be valid, from second `now` on; undefined = nothing. */
export const durationMistake = (secondsValid: bigint | null, now: number): string | undefined =>
  secondsValid !== null && BigInt(now) + secondsValid > LAST_EXPIRY_SECOND
    ? `invalid auth key duration: "${secondsValid}"`
    : undefined
