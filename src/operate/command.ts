/** What the commands for the operator of a running tracker have in common. */
import { EXIT, type Host } from '../cli/host.ts'
import type { Invocation } from '../cli/invocation.ts'
import { wantsText } from '../cli/output.ts'
import { escaped } from '../text/printable.ts'
import { Api, type Reply } from './api.ts'
import { OperateFailure } from './failure.ts'
import { findTracker } from './place.ts'

/** What a command works with. */
export interface Call {
  readonly api: Api
  readonly invocation: Invocation
  readonly host: Host
}

/** Runs `act` for the running tracker; what it resolves with is the exit code, by default success. */
export async function operate(
  name: string,
  invocation: Invocation,
  host: Host,
  act: (call: Call) => Promise<number | undefined>,
): Promise<number> {
  try {
    const place = findTracker(invocation, host)
    if (place === undefined) {
      host.complain(
        `tracker ${name}: the running tracker was not asked: --url URL needs no configuration\n`,
      )
      return EXIT.misconfigured
    }
    return (await act({ api: new Api(place), invocation, host })) ?? EXIT.success
  } catch (error) {
    if (!(error instanceof OperateFailure)) throw error
    host.complain(`tracker ${name}: ${error.message}\n`)
    return EXIT.failure
  }
}

/** Prints an answer as text for people, or as the API sent it. `text` makes the lines, each with its newline. */
export function printReply({ host, invocation }: Call, reply: Reply, text: () => string): void {
  if (wantsText(host, invocation)) host.print(text())
  else host.print(forTerminal(host, `${reply.text}\n`))
}

/** JSON that nobody made readable may hold characters that a terminal obeys. */
const forTerminal = (host: Host, json: string): string =>
  host.outIsTerminal ? escaped(json) : json

/** Items asked for at once. */
const PAGE = 40_000

/**
 * Prints a list of the API, page by page: at most `limit` items. `text` makes the lines of some items, each with its
 * newline; `none` stands for no items at all.
 */
export async function printList(
  { api, host, invocation }: Call,
  path: string,
  { limit = Number.POSITIVE_INFINITY, none }: { readonly limit?: number; readonly none: string },
  text: (items: readonly unknown[]) => string,
): Promise<void> {
  const isText = wantsText(host, invocation)
  const mark = path.includes('?') ? '&' : '?'
  let offset = 0
  let before = '['
  while (offset < limit && !host.readerGone.aborted) {
    const size = Math.min(PAGE, limit - offset)
    const reply = await api.ask({ path: `${path}${mark}offset=${offset}&limit=${size}` })
    if (!Array.isArray(reply.value)) throw new OperateFailure(`${api.place.base}: not a list`)
    const { length } = reply.value
    if (length > 0 && isText) host.print(text(reply.value))
    if (length > 0 && !isText) {
      host.print(forTerminal(host, before + reply.text.trim().slice(1, -1)))
      before = ','
    }
    offset += length
    if (length < size) break
  }
  if (!isText) host.print(before === '[' ? '[]\n' : ']\n')
  else if (offset === 0) host.print(`${none}\n`)
}
