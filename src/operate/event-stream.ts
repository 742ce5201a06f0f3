/** Server-sent events (HTML Living Standard, section 9.2) from the bytes of an answer. Knows no connection. */
import { OperateFailure } from './failure.ts'

/** Characters of an event: no line of a log is that long. */
const MOST_CHARACTERS = 1024 * 1024

export interface ServerEvent {
  /** That of this event, or of the last one before it that had one. */
  readonly id: string | undefined
  /** Its kind. */
  readonly name: string
  readonly data: string
}

export class EventStream {
  readonly #decoder = new TextDecoder()
  /** The line that has not ended yet, and the data of the event that has not. */
  #line = ''
  #data: string[] = []
  #length = 0
  #id: string | undefined
  #name = 'message';

  /** The events that end in these bytes. Throws `OperateFailure` if one never ends. */
  *take(bytes: Uint8Array): Generator<ServerEvent> {
    const text = this.#line + this.#decoder.decode(bytes, { stream: true })
    // A carriage return at the end may be the first half of a line end.
    const lines = text.split(/\r\n|\n|\r(?!$)/)
    this.#line = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '' && this.#data.length > 0) {
        yield { id: this.#id, name: this.#name, data: this.#data.join('\n') }
        this.#name = 'message'
        this.#data = []
        this.#length = 0
      }
      // Other fields, and comments that keep the connection open, mean nothing here.
      const [, field, value = ''] = /^(data|event|id)(?:: ?(.*))?$/s.exec(line) ?? []
      if (field === 'id') this.#id = value
      if (field === 'event') this.#name = value
      if (field !== 'data') continue
      this.#data.push(value)
      this.#length += value.length
    }
    if (this.#line.length + this.#length > MOST_CHARACTERS)
      throw new OperateFailure('the tracker sends a line of the log that never ends')
  }
}
