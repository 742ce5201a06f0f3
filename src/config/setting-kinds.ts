/**
 * The kinds of rows in the settings table. A row holds an option's type, default, check, documentation and
 * spelling. Reading, printing, the start-up dump and the annotated example all walk the same rows.
 */

import type { Report } from './mistake.ts'
import type { SchemaVersion } from './model.ts'
import { type TableNode, tomlString } from './tree.ts'
import type { Check } from './value-checks.ts'

/** An option. `initial` is its value when none is written; null = absent. */
interface Value<T> {
  readonly kind: 'value'
  readonly doc: string
  readonly initial: T
  readonly check: Check<NonNullable<T>>
  /** The value as TOML. */
  toml(value: NonNullable<T>): string
  /** The value as the start-up dump shows it. */
  json(value: NonNullable<T>): unknown
  /** Shown as `***` wherever a configuration is printed, never in a message. */
  readonly secret?: true
  /** The message when the table is written without this option. */
  readonly needed?: string
  /** TOML of an option, for the annotated example. */
  readonly example?: string
}

export interface TableOf<T> {
  readonly kind: 'table'
  readonly doc: string
  readonly rows: { readonly [K in keyof T]-?: Entry<T[K]> }
  /** The table may be absent: null. */
  readonly optional?: true
}

/** A table whose options depend on each other: `finish` makes a `T` of the values that its rows read. */
export interface ChoiceOf<T, Values = Readonly<Record<string, unknown>>> {
  readonly kind: 'choice'
  readonly doc: string
  readonly rows: { readonly [K in keyof Values]: Entry<Values[K]> }
  readonly optional?: true
  /** It reports mistakes and returns a value nevertheless: reading goes on to find the others. */
  finish(values: Values, node: TableNode, context: Context): T
}

export interface Context {
  readonly schema: SchemaVersion
  readonly report: Report
}

/** `[[name]]`, absent = null. */
export interface ListOf<T> {
  readonly kind: 'list'
  readonly doc: string
  readonly each: TableOf<T>
}

/** A table with arbitrary keys. */
export interface MapOf {
  readonly kind: 'map'
  readonly doc: string
  readonly each: Value<string>
}

type Entry<T> =
  | Value<T>
  | (NonNullable<T> extends object ? TableOf<NonNullable<T>> | ChoiceOf<NonNullable<T>> : never)
  | (NonNullable<T> extends readonly (infer Element)[] ? ListOf<Element> : never)
  | (NonNullable<T> extends Readonly<Record<string, string>> ? MapOf : never)

/** Any row, for code that walks the table and does not know the model. */
export type AnyValue = Value<unknown>
export interface AnyTable {
  readonly kind: 'table' | 'choice'
  readonly doc: string
  readonly rows: Readonly<Record<string, AnyEntry>>
  readonly optional?: true
  finish?(values: Readonly<Record<string, unknown>>, node: TableNode, context: Context): unknown
}
export interface AnyList {
  readonly kind: 'list'
  readonly doc: string
  readonly each: AnyTable
}
export type AnyEntry = AnyValue | AnyTable | AnyList | MapOf

const literal = (value: unknown): string =>
  typeof value === 'string' ? tomlString(value) : String(value)

type Rest<T> = Partial<Omit<Value<T>, 'kind' | 'doc' | 'initial' | 'check'>>

/** An option with a default. */
export const value = <T extends {}>(
  initial: NoInfer<T>,
  check: Check<T>,
  doc: string,
  rest?: Rest<NoInfer<T>>,
): Value<T> => ({
  kind: 'value',
  doc,
  initial,
  check: check as Check<NonNullable<T>>,
  toml: literal,
  json: (written) => written,
  ...rest,
})

/** An option that is absent unless written. */
export const optional = <T extends {}>(
  check: Check<T>,
  doc: string,
  rest?: Rest<NoInfer<T>>,
): Value<T | null> => ({
  kind: 'value',
  doc,
  initial: null,
  check: check as Check<NonNullable<T | null>>,
  toml: literal,
  json: (written) => written,
  ...rest,
})
