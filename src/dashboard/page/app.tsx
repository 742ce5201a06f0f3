/** Who is logged in, what the tracker says, and what the reader is asked and told: above all pages. */
import { useEffect, useErrorBoundary, useMemo, useReducer, useRef, useState } from 'preact/hooks'
import { ask, faultOf, onUnknownSession, type Session, textOf } from './api.ts'
import { type Asked, Confirmation, type KeptNotice, Notices } from './dialogs.tsx'
import { follow } from './follow.ts'
import { Frame } from './frame.tsx'
import { LoginDialog, LoginPage } from './login-page.tsx'
import { type Notice, type Question, reduce, SharedProvider, START } from './state.ts'

const MOST_NOTICES = 3

export function App() {
  const [state, tell] = useReducer(reduce, START)
  const [asked, setAsked] = useState<Asked>()
  const [notices, setNotices] = useState<readonly KeptNotice[]>([])
  const nextId = useRef(0)
  const [failure] = useErrorBoundary()
  const { session, isOver } = state

  useEffect(() => {
    onUnknownSession(() => tell({ kind: 'over' }))
    return findSession((found) => tell({ kind: 'session', session: found }))
  }, [])
  useEffect(() => {
    if (session && session.scope !== 'metrics' && !isOver) return follow(tell)
  }, [session, isOver])

  const confirm = (question: Question): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const answer = (isYes: boolean) => {
      setAsked(undefined)
      resolve(isYes)
    }
    setAsked({ ...question, answer })
    return promise
  }
  const notify = (notice: Notice) => {
    const id = nextId.current++
    setNotices((last) => [...last, { ...notice, id }].slice(-MOST_NOTICES))
  }
  const leave = async () => {
    try {
      await ask('session', { method: 'DELETE' })
      tell({ kind: 'session', session: null })
    } catch (error) {
      notify({ text: `You are still logged in: ${textOf(error)}`, isMistake: true })
    }
  }
  // What else is in it never changes its meaning.
  const shared = useMemo(
    () => ({
      ...state,
      overview: state.recent.at(-1),
      mayChange: session?.scope === 'all',
      confirm,
      notify,
    }),
    [state],
  )
  if (failure !== undefined) return <Failed why={textOf(failure)} />
  if (session === undefined) return <p class="opening">Opening…</p>
  const enter = (one: Session) => tell({ kind: 'session', session: one })
  if (session === null) return <LoginPage enter={enter} />
  return (
    <SharedProvider value={shared}>
      <Frame session={session} leave={leave} />
      <Confirmation asked={asked} />
      {isOver && <LoginDialog enter={enter} />}
      <Notices
        notices={notices}
        drop={(id) => setNotices((last) => last.filter((one) => one.id !== id))}
      />
    </SharedProvider>
  )
}

/** The tracker may be newer than the page. */
function Failed({ why }: { readonly why: string }) {
  return (
    <main class="login">
      <h1>The page failed</h1>
      <p>
        This is a mistake in the dashboard, or the tracker was updated: load the page again. The
        tracker itself is not affected.
      </p>
      <p class="code">{why}</p>
      <button type="button" class="primary" onClick={() => location.reload()}>
        Load it again
      </button>
    </main>
  )
}

/** Asks whose session the browser has, until the tracker answers. */
function findSession(found: (session: Session | null) => void): () => void {
  let timer = 0
  const attempt = () =>
    ask<Session>('session').then(found, (error) => {
      if (faultOf(error) === 'unreachable') timer = window.setTimeout(attempt, 2_000)
      else found(null)
    })
  void attempt()
  return () => clearTimeout(timer)
}
