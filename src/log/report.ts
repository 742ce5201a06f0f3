/** Errors that no code foresaw, each kind of them once. */

/** Receives an error that no code foresaw: a bug of ours. `what` names where it was caught. */
export type Report = (what: string, error: unknown) => void

const MOST_KINDS = 100

/**
 * Passes the first error of each kind on to `report`, and no more than 100 kinds: a client that finds
 * a bug must not be able to fill the log. A kind is `what` and the name of the error, for instance
 * `announce: TypeError`; `report` receives it in place of `what`.
 */
export function onceEach(report: Report): Report {
  const reported = new Set<string>()
  return (what, error) => {
    const kind = `${what}: ${error instanceof Error ? error.name : typeof error}`
    if (reported.has(kind) || reported.size >= MOST_KINDS) return
    reported.add(kind)
    report(kind, error)
  }
}
