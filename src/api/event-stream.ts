/**
 * Server-sent events (WHATWG HTML §9.2): answers that go on for as long as the client listens. What a client does not
 * take is bounded, and so is the number of clients; a stream ends when its client is gone or the tracker stops.
 */
import { Answer, EVENTS_TYPE } from './answers.ts'
import { Failure } from './failures.ts'

export type StreamEvent = {
  /** One line. */
  readonly data: string
  /** What the client names in `Last-Event-ID` when it connects again. */
  readonly id?: number
  /** Name of the kind; absent: `message`. */
  readonly event?: string
}
/** Of a stream to one client. */
export type Sender = {
  /** false: too much waits for the client, and the event is lost. */
  (event: StreamEvent): boolean
  /** Resolves when nothing waits for the client, or the stream is over: then `send` takes an event of any length. */
  readonly taken: () => Promise<void>
}
/** Sends events until the function that it returns is called, which may be at once. */
export type Subscribe = (send: Sender) => () => void

/** Open streams of all clients, and of one. */
export const MOST_STREAMS = 64
export const MOST_STREAMS_EACH = 16
/** Characters that wait for a client; later events are lost, and the client is told how many. */
export const MOST_WAITING = 64 * 1024
/** Bun closes a connection without a byte after 8 to 12 seconds (api.ts), and thereby that of a client that takes nothing. */
const KEEP_ALIVE_MILLISECONDS = 5_000
const KEEP_ALIVE = ':\n\n'
/** Time after which a client connects again. */
const BEGINNING = 'retry: 2000\n\n'

const HEADERS = { 'cache-control': 'no-store', 'x-accel-buffering': 'no' }

const print = ({ data, id, event }: StreamEvent): string =>
  `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}data: ${data}\n\n`

export class EventStreams {
  readonly #open = new Map<Stream, string>()
  #isStopping = false

  get size(): number {
    return this.#open.size
  }

  /**
   * A stream of the events of `subscribe`. `client`: whom the request comes from. Throws when too many are open. What
   * `subscribe` sends before it returns is never lost.
   */
  open(request: Request, client: string, subscribe: Subscribe): Answer {
    const own = [...this.#open.values()].filter((other) => other === client).length
    if (this.#isStopping || this.#open.size >= MOST_STREAMS || own >= MOST_STREAMS_EACH)
      throw new Failure(503, 'too many event streams are open', { 'retry-after': '10' })
    const stream = new Stream(subscribe, () => this.#open.delete(stream))
    this.#open.set(stream, client)
    if (request.signal.aborted) stream.end()
    // Bun does not ask for the rest of a body whose client is gone.
    else request.signal.addEventListener('abort', () => stream.end())
    const parts = stream.parts()
    // A generator that was never begun does not hear that it is ended.
    void parts.next()
    return new Answer(200, EVENTS_TYPE, parts, HEADERS)
  }

  /** Ends all streams, and opens no more. */
  stop(): void {
    this.#isStopping = true
    this.end()
  }

  /** Ends all streams: their clients may open others. */
  end(): void {
    for (const stream of this.#open.keys()) stream.end()
  }
}

/** The stream of one client. */
class Stream {
  readonly #unsubscribe: () => void
  readonly #timer: Timer
  readonly #onEnd: () => void
  #waiting = BEGINNING
  #most = Number.POSITIVE_INFINITY
  #lost = 0
  #arrived = Promise.withResolvers<void>()
  /** Resolved when the client has taken all there was. */
  #taken = Promise.withResolvers<void>()
  #isTaken = false
  #isOver = false

  constructor(subscribe: Subscribe, onEnd: () => void) {
    this.#onEnd = onEnd
    const taken = () => this.#taken.promise
    this.#unsubscribe = subscribe(
      Object.assign((event: StreamEvent) => this.#send(event), { taken }),
    )
    this.#most = MOST_WAITING
    this.#timer = setInterval(() => {
      if (this.#waiting === '') this.#add(KEEP_ALIVE)
    }, KEEP_ALIVE_MILLISECONDS)
  }

  #send(event: StreamEvent): boolean {
    if (this.#isOver) return false
    const hasRoom = this.#waiting.length < this.#most
    if (hasRoom) this.#add(print(event))
    else this.#lost++
    return hasRoom
  }

  #add(text: string): void {
    if (this.#isTaken) this.#taken = Promise.withResolvers()
    this.#isTaken = false
    this.#waiting += text
    this.#arrived.resolve()
  }

  /** Nothing, then what there is to send, each part when the client has taken the one before. */
  async *parts(): AsyncGenerator<string> {
    try {
      yield ''
      for (;;) {
        if (this.#waiting !== '') yield this.#take()
        else if (this.#isOver) return
        else {
          this.#isTaken = true
          this.#taken.resolve()
          await this.#arrived.promise
        }
      }
    } finally {
      this.end()
    }
  }

  #take(): string {
    if (this.#lost > 0) this.#waiting += print({ event: 'lost', data: `{"lost":${this.#lost}}` })
    const taken = this.#waiting
    this.#waiting = ''
    this.#lost = 0
    this.#arrived = Promise.withResolvers()
    return taken
  }

  /** Nothing comes to what waits already. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    this.#unsubscribe()
    this.#arrived.resolve()
    this.#taken.resolve()
    this.#onEnd()
  }
}
