/** Small parts that the pages are made of. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { exactTime, isoTime, now, relativeTime } from './format.ts'
import { useShared } from './state.ts'

type Content = { readonly children: ComponentChildren }

/** Its heading takes the focus when the reader navigates, so that a screen reader says where it is. */
export function Page({ title, children, aside }: Content & PageHead) {
  const { overview } = useShared()
  const heading = useRef<HTMLHeadingElement>(null)
  const alerts = overview?.alerts.length ?? 0
  useEffect(() => {
    document.title = `${alerts > 0 ? `(${alerts}) ` : ''}${title} · Tracker`
  }, [title, alerts])
  useEffect(() => {
    if (hasShownPage) heading.current?.focus()
    hasShownPage = true
  }, [title])
  return (
    <>
      <header class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {aside}
      </header>
      {children}
    </>
  )
}
type PageHead = { readonly title: string; readonly aside?: ComponentChildren }
let hasShownPage = false

export const Logo = () => (
  <svg class="logo" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M8 8 3 3M8 8l5-5M8 8v6" />
    <circle cx="8" cy="8" r="2.5" />
    <circle cx="3" cy="3" r="2" />
    <circle cx="13" cy="3" r="2" />
    <circle cx="8" cy="14" r="2" />
  </svg>
)

type PanelHead = { readonly title: string; readonly aside?: ComponentChildren; class?: string }

export function Panel({ title, aside, children, class: more = '' }: Content & PanelHead) {
  return (
    <section class={`panel ${more}`}>
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  )
}

/** A table that is moved sideways where it does not fit. */
export function Table({ label, head, children }: Content & TableHead) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse must be able to move it
    <section class="table" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((name) => {
              const isFigure = name.startsWith('#')
              const text = name.replace('#', '')
              return (
                <th key={name} scope="col" class={isFigure ? 'figure' : ''}>
                  {text.startsWith('!') ? <span class="hidden">{text.slice(1)}</span> : text}
                </th>
              )
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  )
}
/** `#` in front: a column of figures; `!`: a heading that is only heard. */
type TableHead = { readonly label: string; readonly head: readonly string[] }

/** One figure and what it is. */
export function Figure({ label, value, note, title }: FigureProps) {
  return (
    <div class="stat" title={title}>
      <dt>{label}</dt>
      <dd>
        {value}
        {note !== undefined && <small>{note}</small>}
      </dd>
    </div>
  )
}
type FigureProps = {
  readonly label: string
  readonly value: ComponentChildren
  readonly note?: ComponentChildren
  readonly title?: string
}

/** States differ in shape and words, not only in colour. */
export function Status({ kind, children }: Content & { readonly kind: StatusKind }) {
  return (
    <span class={`status ${kind}`}>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <path d={SHAPES[kind]} />
      </svg>
      {children}
    </span>
  )
}
type StatusKind = 'ok' | 'warning' | 'critical' | 'off'
const SHAPES: Readonly<Record<StatusKind, string>> = {
  ok: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Z',
  warning: 'M6 .8 11.6 11H.4Z',
  critical: 'M.9.9h10.2v10.2H.9Z',
  off: 'M1 5h10v2H1Z',
}

export function Time({ seconds, at }: { readonly seconds: number; readonly at?: number }) {
  return (
    <time dateTime={isoTime(seconds)} title={exactTime(seconds)}>
      {relativeTime(seconds, at ?? now())}
    </time>
  )
}

/** Says for a moment that it was done. */
export function Copy({ text, label }: { readonly text: string; readonly label: string }) {
  const { notify } = useShared()
  const [isDone, setIsDone] = useState(false)
  useEffect(() => {
    if (!isDone) return
    const timer = setTimeout(() => setIsDone(false), 2_000)
    return () => clearTimeout(timer)
  }, [isDone])
  const copy = () => {
    // Browsers have no clipboard where the page came over plain HTTP from another machine.
    const done = copyText(text)
    if (done) setIsDone(true)
    else
      notify({ text: 'The browser does not let the page copy: select the text.', isMistake: true })
  }
  return (
    <button type="button" class="small" onClick={copy} aria-label={`Copy ${label}`}>
      {isDone ? 'Copied' : 'Copy'}
    </button>
  )
}

/** Works on every page and in every browser, unlike `navigator.clipboard`. */
function copyText(text: string): boolean {
  const area = document.createElement('textarea')
  const focused = document.activeElement
  area.value = text
  area.className = 'hidden'
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return done
}

export function Empty({ children }: Content) {
  return <p class="empty">{children}</p>
}

/** In place of what is kept in a database. */
export function NoDatabase({ title }: { readonly title: string }) {
  return (
    <Page title={title}>
      <p>
        This is kept in a database, and the tracker has none. Configure <code>[core.database]</code>{' '}
        to have one.
      </p>
    </Page>
  )
}

/** In place of what only trackers have that account users. */
export function NoAccounts({ title }: { readonly title: string }) {
  return (
    <Page title={title}>
      <p>
        This tracker keeps no accounts of users. Configure <code>[core.accounting]</code> with the
        level <code>users</code> to have them.
      </p>
    </Page>
  )
}

export function Mistake({ children }: Content) {
  return (
    <p class="mistake" role="alert">
      {children}
    </p>
  )
}

/** Brings those who came to change something past the list. */
export function Jump({ to, children }: Content & { readonly to: string }) {
  const jump = () => document.getElementById(to)?.focus()
  return (
    <button type="button" onClick={jump}>
      {children}
    </button>
  )
}

/** In place of what changes something, for those who may only read. */
export function ReadOnly({ what }: { readonly what: string }) {
  const { session } = useShared()
  return (
    <p class="note">
      To {what} you need a token with the scope <code>all</code>; the scope of{' '}
      <code>{session?.name}</code> is <code>{session?.scope}</code>.
    </p>
  )
}

/** Steps through a list of which `shown` items behind the first `offset` are shown. */
export function Pager({ offset, shown, size, link, total }: PagerProps) {
  const last = offset + shown
  return (
    <nav class="pager" aria-label="Pages">
      <Step to={offset > 0 ? link(Math.max(0, offset - size)) : undefined}>Previous</Step>
      <span>
        {shown === 0
          ? 'none'
          : `${(offset + 1).toLocaleString('en-US')}–${last.toLocaleString('en-US')}`}
        {total !== undefined && ` of ${total.toLocaleString('en-US')}`}
      </span>
      <Step to={shown === size ? link(offset + size) : undefined}>Next</Step>
    </nav>
  )
}
type PagerProps = {
  readonly offset: number
  readonly shown: number
  readonly size: number
  readonly total?: number | undefined
  readonly link: (offset: number) => string
}
function Step({ to, children }: Content & { readonly to: string | undefined }) {
  if (to === undefined) return <span class="button off">{children}</span>
  const toTheTop = () => document.querySelector('h1')?.focus()
  return (
    <a class="button" href={to} onClick={toTheTop}>
      {children}
    </a>
  )
}
