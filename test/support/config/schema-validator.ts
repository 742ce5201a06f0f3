/** A validator of JSON Schema that is not ours, with the schema that `tracker config schema` prints. */
import { Ajv2020 } from 'ajv/dist/2020'
import { parse } from 'smol-toml'
import { jsonSchema } from '../../../src/config/json-schema.ts'

// Strict: an unknown keyword is an error. Fragments of conditions need not repeat the type of what they are about.
const ajv = new Ajv2020({
  allErrors: true,
  strict: true,
  strictTypes: false,
  strictRequired: false,
})
const validate = ajv.compile(jsonSchema())

/** What a file with this text does not keep; empty: it is valid. */
export function schemaFaults(toml: string): string[] {
  validate(parse(toml))
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}
