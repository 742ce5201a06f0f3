/**
 * The kinds of rows in the settings table. A row holds an option's type, default, check and documentation.
 * Reading, printing, the dump of the log, the annotated example and the types of the model all follow the rows.
 */
import type { Report } from './mistake.ts'
import type { SecretFiles } from './secret-files.ts'
import type { TableNode } from './tree.ts'
import type { Check, JsonSchema } from './value-checks.ts'

export type SchemaVersion = '2.0.0' | '3.0.0'

/** An option. */
export interface Value<T, Absent = never> {
  readonly kind: 'value'
  /** When none is written. */
  readonly initial: T | Absent
  readonly check: Check<T>
  readonly doc: string
  /** The value as strings, numbers and booleans that `check` reads back; absent: it is that already. */
  plain?(value: T): unknown
  /** Shown as `***` wherever a configuration is printed, never in a message. */
  readonly secret?: true
  /** The message when the table is written without this option. */
  readonly needed?: string
  /** TOML of an option, for the annotated example. */
  readonly example?: string
  /** Keywords of JSON Schema besides those of the check. */
  readonly schema?: JsonSchema
  /** A tracker that runs does not follow a change. */
  readonly restart?: true
}

export interface Table {
  readonly kind: 'table'
  readonly doc: string
  readonly rows: Readonly<Record<string, Entry>>
  /** What every other key holds; absent: other keys are mistakes. */
  readonly others?: Table
  /** TOML of one of `others`, for the annotated example. */
  readonly example?: string
  /**
   * The member that a bare value in place of the table stands for; absent: a bare value is a mistake. Such a table
   * is printed in one line. It is our own extension: in either schema an unknown member is a mistake.
   */
  readonly short?: string
  /** The table may be absent: null. */
  readonly optional?: true
  /** The rules of `finish` for schema 3.0.0 as keywords of JSON Schema. */
  readonly schema?: JsonSchema
  /** A tracker that runs follows no change in it. */
  readonly restart?: true
  /**
   * For options that depend on each other: makes the value of the table of what its rows read. It reports
   * mistakes and returns a value nevertheless: reading goes on to find the others.
   */
  finish?(rows: Readonly<Record<string, unknown>>, node: TableNode, context: Context): unknown
}

export interface Context {
  readonly schema: SchemaVersion
  readonly report: Report
  readonly files: SecretFiles
}

/** `[[name]]`, absent = null. */
export interface List {
  readonly kind: 'list'
  readonly each: Table
}

export type AnyValue = Value<unknown>
export type Entry = AnyValue | Table | List

/** The type of what a row reads. */
export type ValueOf<E> = E extends { kind: 'value'; initial: infer T }
  ? T
  : E extends { kind: 'list'; each: infer Each }
    ? readonly ValueOf<Each>[] | null
    : E extends { others: infer Other }
      ? Readonly<Record<string, ValueOf<Other>>>
      : E extends { rows: infer Rows }
        ? TableOf<E, Rows> | (E extends { optional: true } ? null : never)
        : never

type TableOf<E, Rows> = E extends { finish(...input: never[]): infer T }
  ? T
  : { readonly [K in keyof Rows]: ValueOf<Rows[K]> }

/** The rows of a table in which `keys` are written. */
export const rowsOf = ({ rows, others }: Table, keys: Iterable<string>): Table['rows'] =>
  others ? Object.fromEntries(Array.from(keys, (key) => [key, others])) : rows

type Rest<T> = Partial<Omit<Value<T>, 'kind' | 'initial' | 'check' | 'doc'>>

/** An option with a default. */
export const value = <T>(
  initial: NoInfer<T>,
  check: Check<T>,
  doc: string,
  rest?: Rest<NoInfer<T>>,
): Value<T> => ({ kind: 'value', initial, check, doc, ...rest })

/** An option that is absent unless written: null. */
export const optional = <T>(
  check: Check<T>,
  doc: string,
  rest?: Rest<NoInfer<T>>,
): Value<T, null> => ({ kind: 'value', initial: null, check, doc, ...rest })

type Rows = Table['rows']

/** A table that is always there. */
export const section = <R extends Rows>(doc: string, rows: R) =>
  ({ kind: 'table', doc, rows }) as const

/** A table that is absent unless written: null. */
export const optionalSection = <R extends Rows>(doc: string, rows: R) =>
  ({ ...section(doc, rows), optional: true }) as const

export const list = <T extends Table>(each: T) => ({ kind: 'list', each }) as const
