/**
 * Keeps up with the tracker: its overview every second, as events or, where those do not arrive, by asking. It tries
 * again for as long as the page is open.
 */
import type { Overview } from '../../view/overview.ts'
import { ask, faultOf, textOf } from './api.ts'

export type News =
  | { readonly kind: 'overview'; readonly overview: Overview }
  /** Nothing is heard any more. */
  | { readonly kind: 'lost'; readonly reason: string }

const ASK_MILLISECONDS = 1_000
/** A tracker that tells nothing for so long is asked whether it still is there. */
const SILENCE_MILLISECONDS = 5_000
const [FIRST_PAUSE, LONGEST_PAUSE] = [500, 10_000]
/**
 * A browser has six connections for all tabs of a tracker: a tab that is not looked at keeps none, and only asks so often.
 */
const HIDDEN_MILLISECONDS = 15_000

/** Tells until the function that is returned is called, or the session ends. */
export function follow(tell: (news: News) => void): () => void {
  const stop = new AbortController()
  void run(stop.signal, tell)
  return () => stop.abort()
}

async function run(stop: AbortSignal, tell: (news: News) => void): Promise<void> {
  let failures = 0
  let hasEvents = true
  while (!stop.aborted) {
    try {
      const overview = await ask<Overview>('api/v1/overview', {
        signal: stop,
        milliseconds: SILENCE_MILLISECONDS,
      })
      tell({ kind: 'overview', overview })
      failures = 0
    } catch (error) {
      if (stop.aborted || faultOf(error) === 'unknown') return
      tell({ kind: 'lost', reason: textOf(error) })
      await pause(Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures++), stop)
      continue
    }
    if (document.hidden) await pause(HIDDEN_MILLISECONDS, stop)
    else if (hasEvents) hasEvents = await listen(stop, tell)
    else await pause(ASK_MILLISECONDS, stop)
  }
}

/** Until the events end, or the page is not looked at any more. Whether it is worth to try again. */
function listen(stop: AbortSignal, tell: (news: News) => void): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const events = new EventSource('api/v1/live')
  let heard = false
  const end = () => {
    clearTimeout(silence)
    events.close()
    stop.removeEventListener('abort', end)
    document.removeEventListener('visibilitychange', end)
    resolve(heard || document.hidden)
  }
  let silence = setTimeout(end, SILENCE_MILLISECONDS)
  const take = ({ data }: MessageEvent<string>) => {
    heard = true
    clearTimeout(silence)
    silence = setTimeout(end, SILENCE_MILLISECONDS)
    tell({ kind: 'overview', overview: JSON.parse(data) })
  }
  events.onmessage = take
  events.addEventListener('overview', take)
  events.onerror = end
  stop.addEventListener('abort', end)
  document.addEventListener('visibilitychange', end)
  return promise
}

/** Ends early when the reader comes back. */
function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = () => {
    clearTimeout(timer)
    stop.removeEventListener('abort', end)
    document.removeEventListener('visibilitychange', end)
    resolve()
  }
  const timer = setTimeout(end, milliseconds)
  stop.addEventListener('abort', end)
  document.addEventListener('visibilitychange', end)
  return promise
}
