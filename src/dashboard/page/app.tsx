/** The frame around every page: navigation, connection, theme, and who is logged in. */
import type { FunctionComponent } from 'preact'
import { useEffect, useErrorBoundary, useMemo, useReducer, useRef, useState } from 'preact/hooks'
import { ask, faultOf, onUnknownSession, type Session, textOf } from './api.ts'
import { BansPage } from './bans-page.tsx'
import { ConfigurationPage } from './configuration-page.tsx'
import { type Asked, Confirmation, type KeptNotice, Notices } from './dialogs.tsx'
import { follow } from './follow.ts'
import { several } from './format.ts'
import { KeysPage } from './keys-page.tsx'
import { LogPage } from './log-page.tsx'
import { LoginDialog, LoginPage } from './login-page.tsx'
import { NowPage } from './now-page.tsx'
import { Logo, Page, Status } from './parts.tsx'
import { usePlace } from './router.ts'
import { type Notice, type Question, reduce, SharedProvider, START, useShared } from './state.ts'
import { ThemeChoice } from './theme.tsx'
import { TorrentPage } from './torrent-page.tsx'
import { TorrentsPage } from './torrents-page.tsx'
import { WhitelistPage } from './whitelist-page.tsx'

const PAGES: readonly (readonly [path: string, title: string, page: FunctionComponent])[] = [
  ['', 'Now', NowPage],
  ['torrents', 'Torrents', TorrentsPage],
  ['keys', 'Keys', KeysPage],
  ['whitelist', 'Whitelist', WhitelistPage],
  ['bans', 'Bans', BansPage],
  ['log', 'Log', LogPage],
  ['configuration', 'Configuration', ConfigurationPage],
]
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

function Frame({ session, leave }: { readonly session: Session; readonly leave: () => void }) {
  const { path } = usePlace()
  const [isOpen, setIsOpen] = useState(false)
  const main = useRef<HTMLElement>(null)
  const place = path.join('/')
  // The menu closes when the place changes.
  useEffect(() => setIsOpen(false), [place])
  const [section = ''] = path
  return (
    <div class="frame">
      {/* No link: the part of the address behind # names the page. */}
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="bar">
        <p class="brand">
          <Logo />
          Tracker
        </p>
        <ConnectionState />
        <button
          type="button"
          class="menu"
          aria-expanded={isOpen}
          aria-controls="menu"
          onClick={() => setIsOpen(!isOpen)}
        >
          Menu
        </button>
        <div id="menu" class={isOpen ? 'open' : ''}>
          <nav aria-label="Pages of the dashboard">
            <ul>
              {PAGES.map(([name, title]) => (
                <li key={name}>
                  <a href={`#/${name}`} aria-current={name === section ? 'page' : undefined}>
                    {title}
                    {name === '' && <AlertCount />}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
          <div class="who">
            <ThemeChoice />
            <p>
              <b>{session.name}</b>
              <br />
              {session.scope === 'all' ? 'may change everything' : `scope: ${session.scope}`}
            </p>
            <button type="button" onClick={leave}>
              Log out
            </button>
          </div>
        </div>
      </header>
      <main ref={main} id="main" tabIndex={-1}>
        <AlertVoice />
        <LostBanner />
        {session.scope === 'metrics' ? <OnlyMetrics /> : <Content path={path} />}
      </main>
    </div>
  )
}

function Content({ path }: { readonly path: readonly string[] }) {
  const [section = '', name] = path
  if (section === 'torrents' && name !== undefined) return <TorrentPage key={name} hash={name} />
  const found = PAGES.find(([known]) => known === section)
  if (found === undefined)
    return (
      <Page title="No such page">
        <p>
          <a href="#/">Back to Now</a>
        </p>
      </Page>
    )
  const [, , Shown] = found
  return <Shown key={section} />
}

function OnlyMetrics() {
  return (
    <Page title="Only metrics">
      <p>
        The scope of this token is <code>metrics</code>: it opens <a href="metrics">the metrics</a>{' '}
        and nothing else. Log in with another one to see the dashboard.
      </p>
    </Page>
  )
}

function ConnectionState() {
  const { lost, overview, session, isOver } = useShared()
  if (session?.scope === 'metrics') return null
  if (isOver) return <Status kind="off">Logged out</Status>
  if (lost !== undefined) return <Status kind="critical">No connection</Status>
  if (overview === undefined) return <Status kind="off">Connecting</Status>
  return <Status kind="ok">Live</Status>
}

function AlertCount() {
  const { overview } = useShared()
  const count = overview?.alerts.length ?? 0
  if (count === 0) return null
  return (
    <span class="count" title={several(count, 'alert')}>
      {count}
      <span class="hidden"> {count === 1 ? 'alert' : 'alerts'}</span>
    </span>
  )
}

/** Says which alerts are new to those who do not see them. Figures in them change every second, and are not said. */
function AlertVoice() {
  const { overview } = useShared()
  const [said, setSaid] = useState('')
  const known = useRef<string>(undefined)
  const alerts = overview?.alerts
  useEffect(() => {
    if (alerts === undefined) return
    const names = alerts.map(({ name }) => name).join()
    if (known.current !== undefined && known.current !== names)
      setSaid(alerts.length === 0 ? 'All is well' : alerts.map(({ text }) => text).join(' '))
    known.current = names
  }, [alerts])
  return (
    <p class="hidden" role="status">
      {said}
    </p>
  )
}

/** What is on the screen is old: that must not be overlooked. */
function LostBanner() {
  const { lost, recent } = useShared()
  return (
    <div role="alert">
      {lost !== undefined && (
        <p class="banner">
          <Status kind="critical">Connection lost</Status> {lost}{' '}
          {recent.length > 0 && 'What you see is from before. '}
          The page keeps trying and goes on by itself.
        </p>
      )}
    </div>
  )
}
