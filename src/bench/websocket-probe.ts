/** One question to a WebTorrent tracker. */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import { ClientFailure, type FailureKind, noAnswerWithin } from '../client/failure.ts'
import { MOST_HEADER_BYTES, OPCODE, putHeader } from './websocket-frames.ts'
import { type LinkEvents, type LinkOptions, WebSocketLink } from './websocket-link.ts'
import { WebSocketReply } from './websocket-reply.ts'

const SCRAPE = JSON.stringify({ action: 'scrape', info_hash: '\0'.repeat(INFO_HASH_BYTES) })

const FAILURES: Readonly<Record<Parameters<LinkEvents['ended']>[0], FailureKind>> = {
  unreachable: 'connect',
  refused: 'status',
  closed: 'garbage',
  garbage: 'garbage',
}

/** Asks for counts, whatever they are. `place`: for messages. Rejects with `ClientFailure` and nothing else. */
export function askOnce(
  options: LinkOptions,
  path: string,
  place: string,
  milliseconds: number,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const fail = (kind: FailureKind, why: string) =>
    reject(new ClientFailure(kind, kind === 'refusal' ? why : `${place}: ${why}`))
  const reply = new WebSocketReply()
  const link = new WebSocketLink(options, path, {
    opened: () => link.send(scrape()),
    received() {},
    take(bytes, from, to) {
      const kind = reply.read(bytes, from, to, true)
      if (kind === 'scraped') resolve()
      else if (kind === 'failure') fail('refusal', reply.failure)
      else fail('garbage', 'its answer to a scrape is none')
    },
    ended: (cause, why) => fail(FAILURES[cause], why),
  })
  const timer = setTimeout(() => fail('timeout', noAnswerWithin(milliseconds)), milliseconds)
  return promise.finally(() => {
    clearTimeout(timer)
    link.close()
  })
}

function scrape(): Uint8Array {
  const frame = Buffer.concat([Buffer.alloc(MOST_HEADER_BYTES), Buffer.from(SCRAPE)])
  return frame.subarray(putHeader(frame, MOST_HEADER_BYTES, OPCODE.text, SCRAPE.length))
}
