/** What a command may know of the process it runs in. `main.ts` makes the real one. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Absolute. */
  readonly cwd: string
  /** The standard output is a terminal that wants colours. */
  readonly colour: boolean
  readonly outIsTerminal: boolean
  /** Width of that terminal; absent: there is none, or it does not say. */
  readonly columns?: number | undefined
  readonly errIsTerminal: boolean
  /** Aborts when the reader of the standard output has gone; a long-running command may then end. */
  readonly readerGone: AbortSignal
  /** Writes to the standard output. */
  print(text: string): void
  /** Writes to the standard error. */
  complain(text: string): void
  /** Ends the process at once, unfinished work or not. */
  exit(code: number): never
}

/** Exit codes of every command. */
export const EXIT = {
  success: 0,
  /** Something failed, or is not healthy. */
  failure: 1,
  /** Wrong usage. */
  misuse: 2,
  /** EX_CONFIG of sysexits.h: the configuration has mistakes. A restart does not help, so systemd must not try. */
  misconfigured: 78,
} as const
