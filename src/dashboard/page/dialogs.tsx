/** The question before something is done, and what was done, with the way back where there is one. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { textOf } from './api.ts'
import type { Notice, Question } from './state.ts'

export type Asked = Question & { readonly answer: (isYes: boolean) => void }

export function Confirmation({ asked }: { readonly asked: Asked | undefined }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    if (asked !== undefined) dialog.current?.showModal()
  }, [asked])
  if (asked === undefined) return null
  const { title, text, action, answer } = asked
  return (
    <dialog ref={dialog} aria-labelledby="question" onClose={() => answer(false)}>
      <h2 id="question">{title}</h2>
      <p>{text}</p>
      <div class="buttons">
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
        <button type="button" class="danger" onClick={() => answer(true)}>
          {action}
        </button>
      </div>
    </dialog>
  )
}

export type KeptNotice = Notice & { readonly id: number }

export function Notices({ notices, drop }: NoticesProps) {
  return (
    <div class="notices" role="status">
      {notices.map((notice) => (
        <OneNotice key={notice.id} notice={notice} drop={() => drop(notice.id)} />
      ))}
    </div>
  )
}
type NoticesProps = {
  readonly notices: readonly KeptNotice[]
  readonly drop: (id: number) => void
}

/** Long enough to read it and to reach its button by keyboard. */
const SHOWN_MILLISECONDS = 30_000

function OneNotice({ notice, drop }: { readonly notice: KeptNotice; readonly drop: () => void }) {
  const { text, undo, isMistake } = notice
  const button = useRef<HTMLButtonElement>(null)
  const [state, setState] = useState<'new' | 'undoing' | string>('new')
  // Counted from when it appeared.
  useEffect(() => {
    const timer = setTimeout(drop, SHOWN_MILLISECONDS)
    return () => clearTimeout(timer)
  }, [])
  // What was removed had the focus.
  useEffect(() => button.current?.focus(), [])
  const takeBack = () => {
    setState('undoing')
    undo?.().then(drop, (error) => setState(textOf(error)))
  }
  const failure = state === 'new' || state === 'undoing' ? '' : ` Not undone: ${state}`
  return (
    <p class={isMistake ? 'bad' : ''}>
      <span class="message">
        {text}
        {failure}
      </span>
      {undo && (
        <button ref={button} type="button" disabled={state === 'undoing'} onClick={takeBack}>
          Undo
        </button>
      )}
      <button type="button" aria-label="Close this message" onClick={drop}>
        ×
      </button>
    </p>
  )
}
