/** What the command line asks for, the same for every job. */
export type Plan = {
  readonly rounds: number
  readonly seconds: number
  /** Command lines of this tracker, one for each build. */
  readonly trackers: readonly string[]
  /** undefined = those that the job is about. */
  readonly mixes: readonly string[] | undefined
  /** Options for the load generators, as given. */
  readonly load: Readonly<Record<string, string>>
  /** Entries of the whitelist, and keys, where there are any. */
  readonly whitelist: number
  readonly keys: number
  /** Requests to the management API of each kind. */
  readonly requests: number
  /** Whether `--only` has it, or there is none. */
  chooses(name: string): boolean
  /** For the heading of a table. */
  readonly heading: string
}

export type Transport = 'udp' | 'http'

/** What a contender may know when it is started. */
export type Setting = {
  port: number
  /** A free port for services that cannot be switched off. */
  sparePort: number
  /** A free port for the management API. */
  apiPort: number
  /** An empty directory of its own; the working directory. */
  room: string
  /** Info hashes that will be announced, as lines of hex. */
  hashes: () => string
}

/** Writes its files and returns its command line; `undefined` when it is not on this machine. */
export type Start = (setting: Setting) => Promise<string[] | undefined>
