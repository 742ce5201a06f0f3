/** What an operator decides about an account: its settings, gifts and fines. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Account, Settings } from './accounts.ts'
import { ask, textOf } from './api.ts'
import { exactTime, size } from './format.ts'
import { Mistake, Panel } from './parts.tsx'
import { useShared } from './state.ts'

type Props = { readonly account: Account; readonly changed: () => void }

const MOST_LIMIT = 2 ** 31 - 1
const MOST_PERCENT = 1_000

function settingsOf(form: HTMLFormElement): Settings {
  const data = new FormData(form)
  const text = (name: keyof Settings) => String(data.get(name) ?? '')
  const limit = (name: keyof Settings) => (text(name) === '' ? null : Number(text(name)))
  const free = text('free_until')
  return {
    enabled: data.has('enabled'),
    can_download: data.has('can_download'),
    hidden: data.has('hidden'),
    max_downloads: limit('max_downloads'),
    max_peers: limit('max_peers'),
    up_percent: Number(text('up_percent')),
    down_percent: Number(text('down_percent')),
    free_until: free === '' ? null : Math.floor(new Date(free).getTime() / 1000),
  }
}

export function SettingsPanel({ account, changed }: Props) {
  const { notify } = useShared()
  const form = useRef<HTMLFormElement>(null)
  const shown = useRef<Settings | undefined>(undefined)
  const [failure, setFailure] = useState('')
  // As the fields hold it, which may be less than what is set.
  useEffect(() => {
    if (form.current) shown.current = settingsOf(form.current)
  }, [])
  const save = async (event: Event) => {
    event.preventDefault()
    if (form.current === null) return
    // What was not touched may have been changed by others meanwhile.
    const touched = Object.entries(settingsOf(form.current)).filter(
      ([name, value]) => value !== shown.current?.[name as keyof Settings],
    )
    try {
      const body = Object.fromEntries(touched)
      await ask(`api/v1/account/${account.id}`, { method: 'PATCH', body })
      setFailure('')
      notify({ text: `Account ${account.id} was changed.` })
      changed()
    } catch (error) {
      setFailure(textOf(error))
    }
  }
  const { free_until } = account
  return (
    <Panel title="Settings">
      <form ref={form} class="fields" onSubmit={save}>
        <Check name="enabled" account={account}>
          Its keys are served
        </Check>
        <Check name="can_download" account={account}>
          It may download
        </Check>
        <Check name="hidden" account={account}>
          Left out of lists of a torrent
        </Check>
        <Amount name="max_downloads" account={account} most={MOST_LIMIT}>
          Downloads at once
        </Amount>
        <Amount name="max_peers" account={account} most={MOST_LIMIT}>
          Clients on one torrent
        </Amount>
        <p class="note">Empty: as configured. 0: no limit.</p>
        <Amount name="up_percent" account={account} most={MOST_PERCENT} isNeeded>
          Upload credited, %
        </Amount>
        <Amount name="down_percent" account={account} most={MOST_PERCENT} isNeeded>
          Download credited, %
        </Amount>
        <label>
          Freeleech until
          <input
            type="datetime-local"
            name="free_until"
            step={1}
            defaultValue={free_until === null ? '' : exactTime(free_until).replace(' ', 'T')}
          />
        </label>
        {failure !== '' && <Mistake>Nothing was changed: {failure}</Mistake>}
        <button type="submit" class="primary">
          Save
        </button>
      </form>
    </Panel>
  )
}

type FieldProps<Value> = {
  readonly name: { [K in keyof Settings]: Settings[K] extends Value ? K : never }[keyof Settings]
  readonly account: Account
  readonly children: ComponentChildren
}

function Check({ name, account, children }: FieldProps<boolean>) {
  return (
    <label class="check">
      <input type="checkbox" name={name} defaultChecked={account[name]} />
      {children}
    </label>
  )
}

function Amount({ name, account, most, isNeeded, children }: AmountProps) {
  return (
    <label>
      {children}
      <input
        type="number"
        name={name}
        min={0}
        max={most}
        required={isNeeded}
        defaultValue={account[name] ?? ''}
      />
    </label>
  )
}
type AmountProps = FieldProps<number | null> & { readonly most: number; readonly isNeeded?: true }

/** The first is that of an empty form. */
const UNITS: readonly (readonly [label: string, bytes: number])[] = [
  ['GiB', 2 ** 30],
  ['TiB', 2 ** 40],
  ['MiB', 2 ** 20],
]
const MOST_REASON = 200

export function AdjustPanel({ account: { id }, changed }: Props) {
  const { notify } = useShared()
  const [failure, setFailure] = useState('')
  const adjust = async (event: Event) => {
    event.preventDefault()
    const form = event.currentTarget
    if (!(form instanceof HTMLFormElement)) return
    const data = new FormData(form)
    const amount = Math.round(Number(data.get('amount')) * Number(data.get('unit')))
    const sum = String(data.get('sum'))
    try {
      await ask(`api/v1/account/${id}/adjust`, {
        method: 'POST',
        body: { [sum]: amount, reason: data.get('reason') },
      })
      setFailure('')
      form.reset()
      notify({ text: `${amount < 0 ? '−' : '+'}${size(Math.abs(amount))} for account ${id}.` })
      changed()
    } catch (error) {
      setFailure(textOf(error))
    }
  }
  return (
    <Panel title="Gift or fine">
      <form class="fields" onSubmit={adjust}>
        <p class="note">
          Added to what is credited, or taken from it if it is negative. What was really moved
          stays.
        </p>
        <label>
          Of
          <select name="sum">
            <option value="credited_uploaded">upload</option>
            <option value="credited_downloaded">download</option>
          </select>
        </label>
        <label>
          Amount
          <span class="line">
            <input type="number" name="amount" step="any" required />
            <select name="unit" aria-label="Unit">
              {UNITS.map(([label, bytes]) => (
                <option key={label} value={bytes}>
                  {label}
                </option>
              ))}
            </select>
          </span>
        </label>
        <label>
          Reason
          <input name="reason" required maxLength={MOST_REASON} autocomplete="off" />
        </label>
        <p class="note">The log of the tracker keeps it.</p>
        {failure !== '' && <Mistake>Nothing was changed: {failure}</Mistake>}
        <button type="submit" class="primary">
          Adjust
        </button>
      </form>
    </Panel>
  )
}
