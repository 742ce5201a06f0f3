/**
 * The last lines of the log, for those who ask the running tracker for them, and new ones as they come. Bounded:
 * what may be written often has a share of its own, so that it cannot push out what matters.
 */
import { type Level, RANKS } from './level.ts'

/** A line as an object in JSON, the same as in the style `json`; a copy can be posted to another thread. */
export type LogEvent = { readonly level: Level; readonly json: string }
/** Numbers grow from event to event, also over a restart of the program. */
export type KeptEvent = LogEvent & { readonly number: number }

/** Of each share. */
export const MOST_EVENTS = 1_000
export const MOST_CHARACTERS = 256 * 1024

class Share {
  readonly events: KeptEvent[] = []
  #characters = 0

  add(event: KeptEvent, most: number): void {
    this.events.push(event)
    this.#characters += event.json.length
    while (this.events.length > most || this.#characters > MOST_CHARACTERS)
      this.#characters -= this.events.shift()!.json.length
  }
}

export class LogHistory {
  readonly #important = new Share()
  readonly #detailed = new Share()
  readonly #followers = new Set<(event: KeptEvent) => void>()
  readonly #most: number
  #next: number

  /** `first`: number of the first event. `most`: events that are kept of each share; 0: it only passes them on. */
  constructor(first: number, most = MOST_EVENTS) {
    this.#next = first
    this.#most = most
  }

  add({ level, json }: LogEvent): void {
    const event = { level, json, number: this.#next++ }
    const share = RANKS[level] <= RANKS.info ? this.#important : this.#detailed
    share.add(event, this.#most)
    for (const follower of this.#followers) follower(event)
  }

  /** The last `count` events that are as important as `least`, oldest first. */
  last(count: number, least: Level): readonly KeptEvent[] {
    return [...this.#important.events, ...this.#detailed.events]
      .filter(({ level }) => RANKS[level] <= RANKS[least])
      .sort((a, b) => a.number - b.number)
      .slice(count === 0 ? Infinity : -count)
  }

  /** Calls `follower`, which must neither throw nor wait nor log, with every new event. Returns how to end that. */
  follow(follower: (event: KeptEvent) => void): () => void {
    this.#followers.add(follower)
    return () => void this.#followers.delete(follower)
  }
}
