/** Signs that are seen, and heard, on every page: the connection and the alerts. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { several } from './format.ts'
import { Status } from './parts.tsx'
import { useShared } from './state.ts'

export function ConnectionState() {
  const { lost, overview, session, isOver } = useShared()
  if (session?.scope === 'metrics') return null
  if (isOver) return <Status kind="off">Logged out</Status>
  if (lost !== undefined) return <Status kind="critical">No connection</Status>
  if (overview === undefined) return <Status kind="off">Connecting</Status>
  return <Status kind="ok">Live</Status>
}

export function AlertCount() {
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
export function AlertVoice() {
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
export function LostBanner() {
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
