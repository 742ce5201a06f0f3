/**
 * The JSON Schema (draft 2020-12) of a file of schema 3.0.0, made from the settings table, for editors
 * (docs/behaviours.md C18). It refuses nothing that the tracker accepts; rules between sections it does not know.
 */
import { MANDATORY } from './load.ts'
import type { AnyValue, Entry, Table } from './setting-kinds.ts'
import { SETTINGS } from './settings.ts'
import type { JsonSchema } from './value-checks.ts'

export const jsonSchema = (): JsonSchema => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Configuration of the tracker, schema 3.0.0',
  ...schemaOf(SETTINGS, ''),
})

/** `name`: of a section that stands in no other; else undefined. Empty: the whole file. */
function schemaOf(entry: Entry, name?: string): JsonSchema {
  if (entry.kind === 'value') return valueSchema(entry)
  if (entry.kind === 'list') return { type: 'array', items: schemaOf(entry.each) }
  const whole = tableSchema(entry, name)
  const short = entry.short === undefined ? undefined : entry.rows[entry.short]
  return short === undefined ? whole : { anyOf: [schemaOf(short), whole] }
}

function tableSchema(table: Table, name?: string): JsonSchema {
  const rows = Object.entries(table.rows)
  const mandatory = MANDATORY.flatMap(([section, option]) =>
    name === '' ? section : name === section ? option : [],
  )
  const needed = rows.flatMap(([key, row]) => (row.kind === 'value' && row.needed ? key : []))
  const required = [...new Set([...mandatory, ...needed])]
  return {
    type: 'object',
    ...(table.doc !== '' && { description: table.doc }),
    properties: Object.fromEntries(
      rows.map(([key, row]) => [key, schemaOf(row, name === '' ? key : undefined)]),
    ),
    additionalProperties: table.others ? schemaOf(table.others) : false,
    ...(required.length > 0 && { required }),
    ...table.schema,
  }
}

function valueSchema(row: AnyValue): JsonSchema {
  const { initial } = row
  const hasDefault = initial !== null && row.needed === undefined
  return {
    ...row.check.schema,
    ...row.schema,
    description: row.doc,
    ...(hasDefault && { default: row.plain ? row.plain(initial) : initial }),
    ...(row.example !== undefined && { examples: [JSON.parse(row.example)] }),
    ...(row.secret && { writeOnly: true }),
  }
}
