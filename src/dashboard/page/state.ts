/** What all pages share: who is logged in, what the tracker said last, and how to ask and tell the reader. */
import { createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import type { Overview } from '../../view/overview.ts'
import { type Session, textOf } from './api.ts'
import type { News } from './follow.ts'

export type State = {
  /** undefined: not known yet; null: nobody is logged in. */
  readonly session: Session | null | undefined
  /** Whether the tracker does not know the session any more: all stays where it is until there is another. */
  readonly isOver: boolean
  /** The newest last: enough to see what grew within the last seconds. */
  readonly recent: readonly Overview[]
  /** Why nothing is heard from the tracker; undefined: it is. */
  readonly lost: string | undefined
  /** How often the tracker came back: what pages show is then asked for again. */
  readonly returns: number
}

type Action =
  | { readonly kind: 'session'; readonly session: Session | null }
  | { readonly kind: 'over' }
  | News

const RECENT = 6
export const START: State = {
  session: undefined,
  isOver: false,
  recent: [],
  lost: undefined,
  returns: 0,
}

export function reduce(state: State, action: Action): State {
  switch (action.kind) {
    case 'session':
      return { ...START, session: action.session, returns: state.returns + 1 }
    case 'over':
      return { ...state, isOver: true, lost: undefined }
    case 'lost':
      return { ...state, lost: action.reason }
    case 'overview': {
      const { overview } = action
      const newest = state.recent.at(-1)
      // Another run of the tracker, or a clock that was set back: nothing can be compared with what was before.
      const goesOn =
        newest !== undefined && newest.started === overview.started && newest.now <= overview.now
      return {
        ...state,
        recent: goesOn ? [...state.recent.slice(1 - RECENT), overview] : [overview],
        lost: undefined,
        returns: state.returns + (state.lost === undefined ? 0 : 1),
      }
    }
  }
}

export type Question = {
  readonly title: string
  readonly text: string
  /** On the button that does it. */
  readonly action: string
}
export type Notice = {
  readonly text: string
  readonly isMistake?: boolean
  /** Takes back what was done. */
  readonly undo?: () => Promise<void>
}

export type Shared = State & {
  readonly overview: Overview | undefined
  /** Whether the token may change something. */
  readonly mayChange: boolean
  /** Asks in a dialog. */
  readonly confirm: (question: Question) => Promise<boolean>
  readonly notify: (notice: Notice) => void
}

const SharedContext = createContext<Shared | undefined>(undefined)
export const SharedProvider = SharedContext.Provider

export function useShared(): Shared {
  const shared = useContext(SharedContext)
  if (shared === undefined) throw new Error('outside of the application')
  return shared
}

export type Answer<T> = {
  /** The last one, also while the next is awaited. */
  readonly value: T | undefined
  readonly failure: string | undefined
  readonly isWaiting: boolean
  readonly again: () => void
}

/** What `load` resolves with, asked for again whenever `inputs` change and when the tracker comes back. */
export function useAnswer<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[],
): Answer<T> {
  const { returns } = useShared()
  const [turn, setTurn] = useState(0)
  const [answer, setAnswer] = useState<Omit<Answer<T>, 'again'>>({
    value: undefined,
    failure: undefined,
    isWaiting: true,
  })
  // The caller says what `load` depends on.
  useEffect(() => {
    const stop = new AbortController()
    setAnswer((last) => ({ ...last, isWaiting: true }))
    load(stop.signal).then(
      (value) => {
        if (!stop.signal.aborted) setAnswer({ value, failure: undefined, isWaiting: false })
      },
      (error) => {
        if (stop.signal.aborted) return
        setAnswer(({ value }) => ({ value, failure: textOf(error), isWaiting: false }))
      },
    )
    return () => stop.abort()
  }, [...inputs, turn, returns])
  return { ...answer, again: () => setTurn((last) => last + 1) }
}
