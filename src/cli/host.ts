/** What a command may know of the process it runs in. `main.ts` makes the real one. */
export interface Host {
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute. */
  readonly cwd: string
  /** The standard output is a terminal that wants colours. */
  readonly colour: boolean
  /** The standard output is a terminal. */
  readonly outIsTerminal: boolean
  /** The standard error is a terminal: somebody looks on. */
  readonly errIsTerminal: boolean
  /** Whoever read our output is gone; what goes on for long may as well end. */
  readonly readerGone: AbortSignal
  /** To the standard output. */
  print(text: string): void
  /** To the standard error. */
  complain(text: string): void
  /** Ends the process now, whatever is unfinished. */
  exit(code: number): never
}

/** The words of a command line, understood. */
export interface Invocation {
  /** By long name; `true` for one without a value. */
  readonly options: ReadonlyMap<string, string | true>
  readonly arguments: readonly string[]
}

/** The value of an option that takes one. */
export const optionValue = (invocation: Invocation, name: string): string | undefined => {
  const value = invocation.options.get(name)
  return typeof value === 'string' ? value : undefined
}
