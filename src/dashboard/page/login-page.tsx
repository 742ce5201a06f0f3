/** Asks for a token. The tracker gives a cookie for it, so that the page never keeps it. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { ask, type Session, textOf } from './api.ts'
import { Logo } from './parts.tsx'

type LoginProps = { readonly enter: (session: Session) => void }

export function LoginPage({ enter }: LoginProps) {
  useEffect(() => {
    document.title = 'Log in · Tracker'
  }, [])
  return (
    <main class="login">
      <h1 class="brand">
        <Logo /> Tracker
      </h1>
      <LoginForm enter={enter} />
    </main>
  )
}

/** Above the page that was open: nothing on it is lost. */
export function LoginDialog({ enter }: LoginProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog
      ref={dialog}
      class="login"
      aria-labelledby="over"
      onCancel={(event) => event.preventDefault()}
      // The browser closes it all the same when it is asked twice.
      onClose={() => dialog.current?.showModal()}
    >
      <h2 id="over">The session has ended</h2>
      <p>
        The tracker was restarted, or the token is not valid any more. Log in to go on where you
        were.
      </p>
      <LoginForm enter={enter} />
    </dialog>
  )
}

function LoginForm({ enter }: LoginProps) {
  const field = useRef<HTMLInputElement>(null)
  const [failure, setFailure] = useState('')
  const [isBusy, setIsBusy] = useState(false)
  useEffect(() => field.current?.focus(), [])
  const send = async (event: Event) => {
    event.preventDefault()
    const token = field.current?.value ?? ''
    if (token === '') return setFailure('Type a token.')
    setIsBusy(true)
    try {
      enter(await ask<Session>('session', { method: 'POST', body: { token } }))
    } catch (error) {
      const reason = textOf(error)
      setFailure(reason === 'token not valid' ? 'This token is not valid.' : reason)
      setIsBusy(false)
      field.current?.select()
    }
  }
  return (
    <form onSubmit={send}>
      {/* Password managers keep a token only with a name. */}
      <input type="text" autocomplete="username" value="tracker" readOnly hidden />
      <label for="token">Access token</label>
      <input
        id="token"
        ref={field}
        type="password"
        autocomplete="current-password"
        spellcheck={false}
        aria-describedby="token-help"
        aria-invalid={failure !== ''}
      />
      {failure !== '' && (
        <p class="mistake" role="alert">
          {failure}
        </p>
      )}
      <button type="submit" class="primary" disabled={isBusy}>
        Log in
      </button>
      <p id="token-help" class="note">
        One of <code>[http_api.access_tokens]</code> in the configuration. A token with the scope{' '}
        <code>read</code> sees everything and changes nothing.
      </p>
    </form>
  )
}
