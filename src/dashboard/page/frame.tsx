/** The frame around every page: navigation, connection, theme, and who is logged in. */
import type { FunctionComponent } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { AccountPage } from './account-page.tsx'
import { AccountsPage } from './accounts-page.tsx'
import type { Session } from './api.ts'
import { BansPage } from './bans-page.tsx'
import { ConfigurationPage } from './configuration-page.tsx'
import { KeysPage } from './keys-page.tsx'
import { LogPage } from './log-page.tsx'
import { NowPage } from './now-page.tsx'
import { Logo, Page } from './parts.tsx'
import { usePlace } from './router.ts'
import { AlertCount, AlertVoice, ConnectionState, LostBanner } from './signs.tsx'
import { useShared } from './state.ts'
import { ThemeChoice } from './theme.tsx'
import { TorrentPage } from './torrent-page.tsx'
import { TorrentsPage } from './torrents-page.tsx'
import { WhitelistPage } from './whitelist-page.tsx'

const PAGES: readonly (readonly [path: string, title: string, page: FunctionComponent])[] = [
  ['', 'Now', NowPage],
  ['torrents', 'Torrents', TorrentsPage],
  ['accounts', 'Accounts', AccountsPage],
  ['keys', 'Keys', KeysPage],
  ['whitelist', 'Whitelist', WhitelistPage],
  ['bans', 'Bans', BansPage],
  ['log', 'Log', LogPage],
  ['configuration', 'Configuration', ConfigurationPage],
]

export function Frame({
  session,
  leave,
}: {
  readonly session: Session
  readonly leave: () => void
}) {
  const { path } = usePlace()
  const { overview } = useShared()
  const hasAccounts = overview?.accounting?.level === 'users'
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
              {PAGES.filter(([name]) => name !== 'accounts' || hasAccounts).map(([name, title]) => (
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
  if (section === 'accounts' && name !== undefined) return <AccountPage key={name} id={name} />
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
