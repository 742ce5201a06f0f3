/**
 * What changed in accounting, page by page, for those who copy it: event streams and the webhook. A page has absolute
 * figures of whole writes, so one that is read again does no harm.
 */
import type { Report } from '../log/report.ts'
import type { AccountingEvent, AccountingStore } from '../storage/accounting.ts'
import { Deadline } from '../time/deadline.ts'
import { printChanges, printRaised } from './accounting-json.ts'
import type { StreamEvent, Subscribe } from './event-stream.ts'
import { isDatabaseFault } from './failures.ts'

/** Rows of a page, about. */
const PAGE = 1_000
/** Time after which the database is asked again: other trackers write to it, and one that failed may work again. */
export const LOOK_MILLISECONDS = 2_000
/** A stream that is further behind goes on from now. */
export const MOST_BEHIND = 10_000

export type FeedPage = {
  /** JSON in one line. */
  readonly text: string
  /** Number of the last write that is in it. */
  readonly next: number
  readonly isLast: boolean
}

/** What was written after write number `after`. Rejects with a `DatabaseError`. */
export async function readPage(accounting: AccountingStore, after: number): Promise<FeedPage> {
  const changes = await accounting.changes(after, PAGE)
  const parts = await Array.fromAsync(printChanges(changes))
  return { text: parts.join(''), next: changes.next, isLast: changes.isLast }
}

/** Rings at most once until it is heard. */
export class Bell {
  #rung = Promise.withResolvers<void>()

  ring(): void {
    this.#rung.resolve()
  }

  /** Resolves when it rang since it was heard last, or after so long. */
  async heard(milliseconds: number): Promise<void> {
    await Deadline.in(milliseconds).waitFor(this.#rung.promise)
    this.#rung = Promise.withResolvers()
  }
}

export class Feed {
  readonly #accounting: AccountingStore
  readonly #report: Report
  /** Pages that are being read, each for all streams that have come equally far. */
  readonly #pages = new Map<string, Promise<FeedPage>>()

  constructor(accounting: AccountingStore, report: Report) {
    this.#accounting = accounting
    this.#report = report
  }

  /**
   * A stream of pages, and of what happens besides; `after`: the last write that the client knows, undefined: it begins
   * now. A client that reads slowly gets its pages later; of the rest it may lose some.
   */
  stream(after = this.#accounting.status().batch): Subscribe {
    return (send) => {
      const bell = new Bell()
      let isOver = false
      const unfollow = this.#accounting.follow((event) => {
        if (event.kind === 'batch') bell.ring()
        else send(shown(event))
      })
      const skip = (at: number, next: number): number => {
        send({ event: 'gap', id: next, data: `{"after":${at},"next":${next}}` })
        return next
      }
      const run = async () => {
        for (let at = after; ; ) {
          // Nothing is read for a client that has not taken what there was.
          await send.taken()
          if (isOver) return
          const { batch } = this.#accounting.status()
          if (batch - at > MOST_BEHIND) at = skip(at, batch)
          const page = await this.#page(at, batch)
          await send.taken()
          if (isOver) return
          // The database was restored to what it was before the client's last page.
          if (page !== undefined && page.next < at) at = skip(at, page.next)
          if (page !== undefined && page.next > at) {
            if (send({ event: 'changes', id: page.next, data: page.text })) at = page.next
          }
          if (page?.isLast !== false) await bell.heard(LOOK_MILLISECONDS)
        }
      }
      void run()
      return () => {
        isOver = true
        unfollow()
        bell.ring()
      }
    }
  }

  /** undefined: the database failed. `batch`: a page that began before that was written is not waited for. */
  async #page(after: number, batch: number): Promise<FeedPage | undefined> {
    const name = `${after} ${batch}`
    const reading = this.#pages.get(name) ?? readPage(this.#accounting, after)
    this.#pages.set(name, reading)
    try {
      return await reading
    } catch (error) {
      if (!isDatabaseFault(error)) this.#report('accounting events', error)
      return undefined
    } finally {
      this.#pages.delete(name)
    }
  }
}

function shown(event: Exclude<AccountingEvent, { readonly kind: 'batch' }>): StreamEvent {
  const { kind, batch } = event
  if (kind === 'flag') return { event: kind, data: printRaised(event.flag, batch) }
  const { account, infoHash, at } = event
  const data = `{"account":${account},"info_hash":"${infoHash.toHex()}","at":${at},"batch":${batch}}`
  return { event: kind, data }
}
