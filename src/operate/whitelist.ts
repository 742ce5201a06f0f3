/** `tracker whitelist`. */
import { resolve } from 'node:path'
import type { Host } from '../cli/host.ts'
import { Misuse } from '../cli/invocation.ts'
import { readInput, readSmallFile } from '../cli/small-file.ts'
import { readInfoHash } from '../client/torrent-file.ts'
import { several } from '../text/figures.ts'
import { systemReason } from '../text/system-errors.ts'
import { textOf } from './api.ts'
import { type Call, printList, printReply } from './command.ts'
import { OperateFailure } from './failure.ts'

/** Info hashes of one request: a body of the API has 2 MiB at most. */
const AT_ONCE = 40_000
/** Mistakes that are named. */
const MOST_NAMED = 20

export async function listWhitelist(call: Call): Promise<undefined> {
  await printList(call, '/api/v1/whitelist', { none: 'The whitelist is empty.' }, (items) =>
    items.map((item) => `${textOf(item)}\n`).join(''),
  )
}

export const addToWhitelist = (call: Call): Promise<undefined> => change(call, 'POST', 'added')
export const removeFromWhitelist = (call: Call): Promise<undefined> =>
  change(call, 'DELETE', 'removed')

async function change(call: Call, method: 'POST' | 'DELETE', done: string): Promise<undefined> {
  const hashes = await readHashes(call.invocation.arguments, call.host)
  let sent = 0
  while (sent < hashes.length) {
    const body = { info_hashes: hashes.slice(sent, sent + AT_ONCE) }
    await call.api.ask({ method, path: '/api/v1/whitelist/bulk', body }).catch((error: unknown) => {
      if (!(error instanceof OperateFailure) || sent === 0) throw error
      // Each request is done as a whole or not at all; doing it again is no mistake.
      throw new OperateFailure(
        `${error.message}; ${sent} of ${hashes.length} were ${done}, repeat the command for the others`,
      )
    })
    sent += body.info_hashes.length
  }
  const value = { status: 'ok', count: sent }
  printReply(
    call,
    { text: JSON.stringify(value), value },
    () => `${several(sent, 'torrent')} ${done}.\n`,
  )
}

/** Each once, in the order given, as hexadecimal digits. Throws `Misuse` and `OperateFailure`. */
async function readHashes(words: readonly string[], host: Host): Promise<readonly string[]> {
  const hashes = new Set<string>()
  const read = (word: string): string | undefined => {
    const hash = readInfoHash(word, (path) => readSmallFile(resolve(host.cwd, path)))
    if (typeof hash === 'string') return hash
    hashes.add(hash.toHex())
    return undefined
  }
  for (const word of words) {
    const mistake = word === '-' ? await readLines(read) : read(word)
    if (mistake !== undefined) throw new Misuse(mistake)
  }
  return [...hashes]
}

/** One on each line of the standard input; what follows a # is a comment. */
async function readLines(read: (word: string) => string | undefined): Promise<undefined> {
  const text = await readInput().catch((error: unknown) => {
    throw new OperateFailure(`the standard input ${systemReason(error)}`)
  })
  const mistakes: string[] = []
  for (const [i, line] of text.split('\n').entries()) {
    const word = line.replace(/(^|\s)#.*/, '').trim()
    if (word === '') continue
    const mistake = read(word)
    if (mistake !== undefined) mistakes.push(`line ${i + 1}: ${mistake}`)
  }
  if (mistakes.length === 0) return
  const more = mistakes.length - MOST_NAMED
  throw new OperateFailure(
    [
      `nothing was done: ${several(mistakes.length, 'mistake')} in the standard input`,
      ...mistakes.slice(0, MOST_NAMED),
      ...(more > 0 ? [`and ${more} more`] : []),
    ].join('\n  '),
  )
}
