/** What the database's thread and the thread that asks it say to each other. Types only. */
import type { DatabaseConfig } from '../config/model.ts'
import type { Database, Fault } from './contract.ts'

/** What is asked by message. */
export type Method = Exclude<keyof Database, 'about' | 'close'>

export type ToDatabase =
  | { readonly kind: 'open'; readonly config: DatabaseConfig }
  | {
      readonly kind: 'call'
      readonly id: number
      readonly method: Method
      readonly args: readonly unknown[]
      /** Memory of its `Errand`. */
      readonly errand: SharedArrayBuffer
    }
  | { readonly kind: 'close' }

export type Failure = {
  readonly fault: Fault
  readonly message: string
  /** Something else than a `DatabaseError` was thrown: a bug, in words that may hold anything. */
  readonly bug?: string
}

export type FromDatabase =
  | { readonly kind: 'opened' }
  | ({ readonly kind: 'failed' } & Failure)
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | ({ readonly kind: 'rejected'; readonly id: number } & Failure)
  | { readonly kind: 'closed' }
