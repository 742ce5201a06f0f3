/** `tracker log`: the last lines of the running tracker, and those to come. */
import { numberValue, optionValue } from '../cli/invocation.ts'
import { wantsText } from '../cli/output.ts'
import { stopSignal } from '../cli/stop-signal.ts'
import { openHttp } from '../client/http.ts'
import { several } from '../text/figures.ts'
import { escaped } from '../text/printable.ts'
import { type Api, listOf, membersOf, numberOf } from './api.ts'
import { type Call, printReply } from './command.ts'
import { EventStream, type ServerEvent } from './event-stream.ts'
import { OperateFailure } from './failure.ts'

const DEFAULT_LINES = 20
const MOST_LINES = 10_000
/** A tracker that sends nothing for that long, no comment either, is gone without a word. */
const SILENCE_MILLISECONDS = 30_000
const AGAIN_MILLISECONDS = 1_000
/** Bytes of an answer that refuses. */
const MOST_REFUSAL = 64 * 1024

export async function log(call: Call): Promise<undefined> {
  const { api, invocation } = call
  const lines = numberValue(invocation, 'lines', { min: 0, max: MOST_LINES }, DEFAULT_LINES)
  const level = optionValue(invocation, 'level')
  const path = `/api/v1/log?lines=${lines}${level === undefined ? '' : `&level=${level}`}`
  if (invocation.options.has('follow')) return await follow(call, `${path}&follow=true`)
  const reply = await api.ask({ path })
  printReply(call, reply, () => listOf(reply.value).map(eventText).join(''))
}

/** Until Ctrl-C, or until nothing reads the output any more. A tracker that restarts is waited for. */
async function follow({ api, invocation, host }: Call, path: string): Promise<undefined> {
  const stop = new AbortController()
  const leave = () => stop.abort()
  const signals = stopSignal(host)
  signals.promise.then(leave)
  host.readerGone.addEventListener('abort', leave)
  const isText = wantsText(host, invocation)
  /** Of the last event: the tracker goes on behind it, also after a restart. */
  let last: string | undefined
  const connection: { state: 'new' | 'open' | 'lost' } = { state: 'new' }
  const opened = () => {
    if (connection.state === 'lost') host.complain('tracker log: connected again\n')
    connection.state = 'open'
  }
  try {
    while (!stop.signal.aborted) {
      let why = 'the tracker ended the connection'
      try {
        for await (const { id, name, data } of events(api, path, last, stop.signal, opened)) {
          last = id
          if (name === 'lost') host.complain(`tracker log: ${lostText(data)}\n`)
          else if (isText) host.print(eventText(parse(data)))
          else host.print(`${host.outIsTerminal ? escaped(data) : data}\n`)
        }
      } catch (error) {
        if (stop.signal.aborted) break
        const failure = error instanceof OperateFailure ? error : api.unanswered(error, {})
        if (connection.state === 'new') throw failure
        why = failure.message
      }
      if (connection.state === 'open' && !stop.signal.aborted)
        host.complain(`tracker log: ${why}; trying again\n`)
      connection.state = 'lost'
      await pause(AGAIN_MILLISECONDS, stop.signal)
    }
  } finally {
    signals.forget()
  }
}

/** What the tracker sends as events, those behind the event `last`. `opened` is called when it begins. */
async function* events(
  api: Api,
  path: string,
  last: string | undefined,
  stop: AbortSignal,
  opened: () => void,
): AsyncGenerator<ServerEvent, void, void> {
  const { url, request } = api.requestOf({ path })
  const { status, parts } = await openHttp(
    url,
    {
      ...request,
      headers: { ...request.headers, ...(last !== undefined && { 'Last-Event-ID': last }) },
      milliseconds: SILENCE_MILLISECONDS,
    },
    stop,
  )
  if (status !== 200) throw api.refused({ status, body: await beginning(parts) }, { path })
  opened()
  const stream = new EventStream()
  for await (const part of parts) yield* stream.take(part)
}

async function beginning(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const taken: Uint8Array[] = []
  let length = 0
  for await (const part of parts) {
    taken.push(part)
    length += part.length
    if (length > MOST_REFUSAL) break
  }
  return Buffer.concat(taken)
}

const pause = (milliseconds: number, stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    const leave = () => {
      clearTimeout(timer)
      resolve()
    }
    stop.addEventListener('abort', leave, { once: true })
    if (stop.aborted) leave()
  })

/** undefined: not JSON. */
function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}

/** The tracker keeps no more for a reader that is slower than its log. */
const lostText = (data: string): string =>
  `${several(numberOf(membersOf(parse(data)).lost), 'line')} lost: they came faster than they were printed`

/** As the tracker's own log in the style `full`: one line. */
function eventText(event: unknown): string {
  const { timestamp, level, target, fields } = membersOf(event)
  const { message, ...others } = membersOf(fields)
  const pairs = Object.entries(others).map(([name, value]) => `${name}=${value}`)
  const words = [timestamp, String(level).padStart(5), `${target}:`, message, ...pairs]
  return `${escaped(words.join(' ')).replaceAll('\n', '\\x0a')}\n`
}
