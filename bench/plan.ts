/** What the command line asks for, and how servers are started: shared by all jobs. */

import type { Mix } from '../src/bench/load.ts'
import type { LoadOptions } from './load.ts'

export type Plan = {
  readonly rounds: number
  readonly seconds: number
  /** Command lines of this tracker, one for each build. */
  readonly trackers: readonly string[]
  /** undefined: the job chooses. */
  readonly mixes: readonly Mix[] | undefined
  /** What differs from the usual load. */
  readonly load: Partial<LoadOptions>
  /** Entries of the whitelist and auth keys, for modes that have them. */
  readonly whitelist: number
  readonly keys: number
  /** Seconds of each run with background work; 0: none. */
  readonly silence: number
  /** Requests of each kind to the management API. */
  readonly requests: number
  /** Whether `--only` names it, or is not given. */
  chooses(name: string): boolean
  /** For the heading of a table. */
  readonly heading: string
}

export type Transport = 'udp' | 'http' | 'ws' | 'wss'

/** What a server is started with. */
export type Setting = {
  port: number
  /** A free port for a service that cannot be switched off. */
  sparePort: number
  /** A free port for the management API. */
  apiPort: number
  /** An empty directory, which is the working directory of the server. */
  room: string
  /** PEM files of a certificate and its key. */
  tls(): { readonly cert: string; readonly key: string }
  /** The info hashes that will be announced, in hexadecimal. */
  hashes: () => string[]
}

/** Writes the files of a server and returns its command line; undefined: it is not installed. */
export type Start = (setting: Setting) => Promise<string[] | undefined>
