/** Results on the standard output: one JSON document for programs, or text for people. */
import { type Host, type Invocation, optionValue } from './host.ts'

/** `text` makes the lines for people, each with its newline; it is called only if they are wanted. */
export function printResult(
  host: Host,
  invocation: Invocation,
  result: unknown,
  text: () => string,
): void {
  if (optionValue(invocation, 'format') === 'text') host.print(text())
  // A document is one line for who pipes it, as the reference's tools print it, and indented to look at.
  else host.print(`${JSON.stringify(result, null, host.outIsTerminal ? 2 : 0)}\n`)
}
