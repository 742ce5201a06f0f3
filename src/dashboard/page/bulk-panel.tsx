/** Adds or removes many entries that are pasted, or dropped as files. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { faultOf, textOf } from './api.ts'
import { count, several } from './format.ts'
import { type Checked, checkLines, type Line, sendInParts } from './lines.ts'
import { Panel } from './parts.tsx'
import { useShared } from './state.ts'

export type Change<T> = {
  /** `Add`, `Remove` */
  readonly verb: string
  /** `added`, `removed` */
  readonly done: string
  /** Whether it asks first. */
  readonly asks: boolean
  readonly send: (entries: readonly T[]) => Promise<void>
}
type BulkProps<T> = {
  readonly title: string
  readonly help: string
  /** `torrent` */
  readonly noun: string
  readonly read: (line: string) => Line<T>
  readonly changes: readonly Change<T>[]
  /** Entries that one request may have. */
  readonly most: number
  /** What a dropped file says, as lines. Throws what is wrong with it. */
  readonly readFile: (file: File) => Promise<string>
  /** Kinds of files that the dialog offers. */
  readonly files: string
  /** Something has changed. */
  readonly changed: () => void
}

/** A field with more text is slow in every browser: it is kept beside it. */
const MOST_CHARACTERS = 50_000
const CHECK_MILLISECONDS = 150

type Progress = { readonly done: number; readonly all: number; readonly failure?: string }

export function BulkPanel<T>(props: BulkProps<T>) {
  const { title, help, noun, read, changes, most, readFile, files, changed } = props
  const { confirm, notify } = useShared()
  const [text, setText] = useState('')
  const [checked, setChecked] = useState<Checked<T>>()
  const [progress, setProgress] = useState<Progress>()
  const [isOver, setIsOver] = useState(false)
  const picker = useRef<HTMLInputElement>(null)
  const isLarge = text.length > MOST_CHARACTERS
  const isBusy = progress !== undefined && progress.failure === undefined

  useEffect(() => {
    const stop = new AbortController()
    setChecked(undefined)
    setProgress(undefined)
    if (text.trim() === '') return
    const timer = setTimeout(
      () => checkLines(text, read, stop.signal).then((all) => all && setChecked(all)),
      CHECK_MILLISECONDS,
    )
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [text, read])

  const append = (more: string) =>
    setText((last) => (last.trim() === '' ? more : `${last}\n${more}`))
  const take = async (taken: Iterable<File>) => {
    for (const file of taken)
      try {
        append(await readFile(file))
      } catch (error) {
        notify({ text: `${file.name}: ${textOf(error)}`, isMistake: true })
      }
  }
  useDrop((dropped) => void take(dropped), setIsOver)

  const begin = async (change: Change<T>, entries: readonly T[]) => {
    const what = several(entries.length, noun)
    if (change.asks) {
      const isSure = await confirm({
        title: `${change.verb} ${what}?`,
        text: 'This cannot be undone here: keep the list to add them again.',
        action: `${change.verb} ${what}`,
      })
      if (!isSure) return
    }
    let done = 0
    setProgress({ done, all: entries.length })
    try {
      await sendInParts(entries, most, change.send, (more) => {
        done = more
        setProgress({ done, all: entries.length })
      })
      notify({ text: `${what} ${entries.length === 1 ? 'was' : 'were'} ${change.done}.` })
      setText('')
    } catch (error) {
      const isUnknown = faultOf(error) === 'unreachable'
      const failure = `${textOf(error)}${isUnknown ? ' Whether the next part was done is not known.' : ''}`
      setProgress({ done, all: entries.length, failure })
      // What is left to do, so that the same button goes on.
      setChecked((last) => last && { ...last, entries: entries.slice(done), repeated: 0 })
    }
    changed()
  }

  return (
    <Panel title={title} class={isOver ? 'over' : ''}>
      <div class="bulk">
        <label for="bulk">{help}</label>
        {isLarge ? (
          <p class="large">
            <span>
              {several(text.split('\n').length, 'line')}, {count(text.length)} characters
            </span>
            <button type="button" disabled={isBusy} onClick={() => setText('')}>
              Discard
            </button>
          </p>
        ) : (
          <textarea
            id="bulk"
            class="code"
            rows={6}
            spellcheck={false}
            value={text}
            disabled={isBusy}
            onInput={(event) => setText(event.currentTarget.value)}
            onPaste={(event) => {
              const pasted = event.clipboardData?.getData('text/plain') ?? ''
              if (pasted.length + text.length <= MOST_CHARACTERS) return
              event.preventDefault()
              append(pasted)
            }}
          />
        )}
        <div class="buttons">
          <button type="button" disabled={isBusy} onClick={() => picker.current?.click()}>
            Choose files…
          </button>
          <span class="note">or drop them anywhere on this page</span>
          <input
            ref={picker}
            type="file"
            class="hidden"
            multiple
            accept={files}
            tabIndex={-1}
            aria-label="Files"
            onChange={(event) => {
              const field = event.currentTarget
              void take(Array.from(field.files ?? [])).then(() => {
                field.value = ''
              })
            }}
          />
        </div>
        <div role="status">
          {text.trim() !== '' && checked === undefined && <p>Checking…</p>}
          {checked && <Findings checked={checked} noun={noun} />}
          {progress && (
            <p>
              <progress max={progress.all} value={progress.done} aria-label="Done" />{' '}
              {count(progress.done)} of {several(progress.all, noun)}
            </p>
          )}
        </div>
        {progress?.failure !== undefined && (
          <p class="mistake" role="alert">
            {progress.done === 0
              ? 'Nothing was changed: '
              : `The first ${count(progress.done)} are done, the rest is not: `}
            {progress.failure}
          </p>
        )}
        {checked !== undefined && checked.entries.length > 0 && (
          <div class="buttons">
            {changes.map((change) => (
              <button
                key={change.verb}
                type="button"
                class={change.asks ? 'danger' : 'primary'}
                disabled={isBusy}
                onClick={() => begin(change, checked.entries)}
              >
                {change.verb} {several(checked.entries.length, noun)}
                {checked.mistakes > 0 && ' without the wrong lines'}
              </button>
            ))}
          </div>
        )}
      </div>
    </Panel>
  )
}

function Findings<T>({ checked, noun }: { readonly checked: Checked<T>; readonly noun: string }) {
  const { entries, repeated, mistakes, wrong } = checked
  return (
    <>
      <p>
        {several(entries.length, noun)}
        {repeated > 0 && `, ${several(repeated, 'line')} repeated`}
        {mistakes === 0 ? '. No mistakes.' : `, ${several(mistakes, 'line')} wrong:`}
      </p>
      {mistakes > 0 && (
        <ol class="wrong">
          {wrong.map(({ line, text, mistake }) => (
            <li key={line}>
              Line {count(line)}: <code>{text}</code> {mistake}
            </li>
          ))}
          {mistakes > wrong.length && <li>and {count(mistakes - wrong.length)} more</li>}
        </ol>
      )}
    </>
  )
}

/** Takes files that are dropped anywhere on the page. */
function useDrop(take: (files: readonly File[]) => void, setIsOver: (isOver: boolean) => void) {
  const last = useRef(take)
  last.current = take
  useEffect(() => {
    const over = (event: DragEvent) => {
      event.preventDefault()
      setIsOver(true)
    }
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setIsOver(false)
    }
    const drop = (event: DragEvent) => {
      event.preventDefault()
      setIsOver(false)
      last.current(Array.from(event.dataTransfer?.files ?? []))
    }
    addEventListener('dragover', over)
    addEventListener('dragleave', leave)
    addEventListener('drop', drop)
    return () => {
      removeEventListener('dragover', over)
      removeEventListener('dragleave', leave)
      removeEventListener('drop', drop)
    }
  }, [setIsOver])
}
