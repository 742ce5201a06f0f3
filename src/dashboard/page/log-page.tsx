/** The log as it is written. */
import type { VNode } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { ask, textOf } from './api.ts'
import { clockTime, count, exactTime } from './format.ts'
import { Empty, Mistake, Page, Panel, Status } from './parts.tsx'
import { useShared } from './state.ts'

type Entry = {
  readonly timestamp: string
  readonly level: string
  readonly target: string
  readonly fields: Readonly<Record<string, unknown>>
}
/** What the filter looks at, and what is shown: made once, for thousands of lines are shown again four times a second. */
type Kept = { readonly text: string; readonly line: VNode }

const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const
type Level = (typeof LEVELS)[number]
const FIRST_LINES = 200
/** Older lines are forgotten: a page that is open for weeks must not grow. */
const MOST_LINES = 2_000
/** Lines are shown together, however fast they come. */
const SHOW_MILLISECONDS = 250
const AGAIN_MILLISECONDS = 3_000

export function LogPage() {
  const [level, setLevel] = useState<Level>('info')
  const [filter, setFilter] = useState('')
  const [isPaused, setIsPaused] = useState(false)
  const { kept, failure } = useLog(level, isPaused)
  const shown = useMemo(() => {
    const wanted = filter.toLowerCase()
    return wanted === '' ? kept : kept.filter(({ text }) => text.includes(wanted))
  }, [kept, filter])
  return (
    <Page title="Log">
      <Panel
        title={isPaused ? 'Paused' : 'Live'}
        aside={
          <div class="tools">
            <label>
              Level{' '}
              <select
                value={level}
                onChange={(event) =>
                  setLevel(LEVELS.find((one) => one === event.currentTarget.value) ?? 'info')
                }
              >
                {LEVELS.map((one) => (
                  <option key={one}>{one}</option>
                ))}
              </select>
            </label>
            <label>
              Filter{' '}
              <input
                type="search"
                value={filter}
                onInput={(event) => setFilter(event.currentTarget.value)}
              />
            </label>
            <button type="button" aria-pressed={isPaused} onClick={() => setIsPaused(!isPaused)}>
              {isPaused ? 'Go on' : 'Pause'}
            </button>
          </div>
        }
      >
        {failure !== undefined && <Mistake>{failure}</Mistake>}
        <Lines shown={shown} isPaused={isPaused} />
        <p class="note">
          {count(shown.length)} of {count(kept.length)} lines fit. Details below the level of the
          configuration are never written, and so not shown.
        </p>
      </Panel>
    </Page>
  )
}

/** Stays at the end while the reader is there. */
function Lines({ shown, isPaused }: { readonly shown: readonly Kept[]; isPaused: boolean }) {
  const box = useRef<HTMLDivElement>(null)
  const isAtEnd = useRef(true)
  // New lines move the end.
  useEffect(() => {
    const element = box.current
    if (element && isAtEnd.current && !isPaused) element.scrollTop = element.scrollHeight
  }, [shown, isPaused])
  return (
    <section
      class="log"
      ref={box}
      aria-label="Lines of the log"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse must be able to move it
      tabIndex={0}
      onScroll={({ currentTarget: element }) => {
        isAtEnd.current = element.scrollTop + element.clientHeight > element.scrollHeight - 40
      }}
    >
      {shown.length === 0 && <Empty>No line fits.</Empty>}
      <ol>{shown.map(({ line }) => line)}</ol>
    </section>
  )
}

/** Or how many lines were lost. */
function LogLine({ entry }: { readonly entry: Entry | number }) {
  if (typeof entry === 'number')
    return <li class="warn">{count(entry)} lines came too fast and are missing here.</li>
  const seconds = Date.parse(entry.timestamp) / 1000
  const level = entry.level.toLowerCase()
  return (
    <li class={level}>
      <time class="faint" dateTime={entry.timestamp} title={exactTime(seconds)}>
        {clockTime(seconds)}
      </time>{' '}
      {level === 'error' || level === 'warn' ? (
        <Status kind={level === 'error' ? 'critical' : 'warning'}>{level}</Status>
      ) : (
        <span class="faint">{level}</span>
      )}{' '}
      <b class="target">{entry.target}</b> {String(entry.fields.message ?? '')}
      <span class="faint">{fieldsOf(entry)}</span>
    </li>
  )
}

/** What varies, but for texts that stand in the message. */
const fieldsOf = ({ fields: { message, ...more } }: Entry): string =>
  Object.entries(more)
    .filter(([, value]) => typeof value !== 'string' || !String(message).includes(value))
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('')

/** All that is shown. */
const textOfLine = (entry: Entry | number): string =>
  typeof entry === 'number'
    ? ''
    : `${entry.level} ${entry.target} ${entry.fields.message}${fieldsOf(entry)}`.toLowerCase()

function useLog(level: Level, isPaused: boolean) {
  const { isOver } = useShared()
  const [kept, setKept] = useState<readonly Kept[]>([])
  const [failure, setFailure] = useState<string>()
  const paused = useRef(isPaused)
  paused.current = isPaused
  useEffect(() => {
    if (isOver) return
    let timer = 0
    let number = 0
    let waiting: Kept[] = []
    let events: EventSource | undefined
    const path = `api/v1/log?lines=${FIRST_LINES}&level=${level}`
    const open = () => {
      waiting = []
      setKept([])
      events = new EventSource(`${path}&follow=true`)
      events.onmessage = ({ data }: MessageEvent<string>) => keep(JSON.parse(data))
      events.addEventListener('lost', ({ data }) => keep(JSON.parse(data).lost))
      events.onopen = () => setFailure(undefined)
      events.onerror = () => {
        // A connection that breaks is opened again by the browser, which goes on behind the last line.
        if (events?.readyState !== EventSource.CLOSED) return
        const again = () => {
          timer = window.setTimeout(open, AGAIN_MILLISECONDS)
        }
        // Events do not say why they were refused; an ordinary request does.
        ask(path).then(again, (error) => {
          setFailure(textOf(error))
          again()
        })
      }
    }
    const keep = (entry: Entry | number) => {
      waiting.push({ text: textOfLine(entry), line: <LogLine key={number++} entry={entry} /> })
      if (waiting.length > MOST_LINES) waiting.shift()
    }
    const show = setInterval(() => {
      if (paused.current || waiting.length === 0) return
      const more = waiting
      waiting = []
      setKept((last) => [...last, ...more].slice(-MOST_LINES))
    }, SHOW_MILLISECONDS)
    open()
    return () => {
      events?.close()
      clearTimeout(timer)
      clearInterval(show)
    }
  }, [level, isOver])
  return { kept, failure }
}
