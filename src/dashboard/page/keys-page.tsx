/** The auth keys of clients: listed, generated, added and removed. */
import { useMemo, useState } from 'preact/hooks'
import { AccessList, ROWS, useWanted } from './access-list.tsx'
import { type UserId, userName } from './accounts.ts'
import { ask, textOf } from './api.ts'
import { BulkPanel, type Change } from './bulk-panel.tsx'
import { now, plural, several } from './format.ts'
import { type KeyDefaults, keyLine, type NewKey, readUserId } from './key-line.ts'
import { partOf } from './ordered-list.ts'
import { Copy, Jump, Mistake, NoDatabase, Page, Panel, ReadOnly, Status, Time } from './parts.tsx'
import { linkTo } from './router.ts'
import { useAnswer, useShared } from './state.ts'

type Key = {
  readonly key: string
  /** Seconds since the epoch; null: for ever. */
  readonly valid_until: number | null
  /** Whose it is, where users have accounts. */
  readonly account?: number
  readonly user_id?: UserId
}
const PATH = 'api/v1/keys'
const BULK = `${PATH}/bulk`
/** A request may have ten times as many, but smaller ones show how far it is. */
const MOST_KEYS = 1_000

const CHANGES: readonly Change<NewKey>[] = [
  {
    verb: 'Add',
    done: 'added',
    asks: false,
    send: async (keys) => {
      await ask(BULK, { method: 'POST', body: { keys } })
    },
  },
  {
    verb: 'Remove',
    done: 'removed',
    asks: true,
    send: async (keys) => {
      await ask(BULK, { method: 'DELETE', body: { keys: keys.map(({ key }) => key) } })
    },
  },
]

const WRONG_USER = 'waits for a user id that is a number'

const TIMES: readonly (readonly [seconds: number | null, label: string])[] = [
  [null, 'for ever'],
  [86_400, '1 day'],
  [604_800, '1 week'],
  [2_592_000, '30 days'],
  [31_536_000, '1 year'],
]

export function KeysPage() {
  const { overview, mayChange, confirm, notify } = useShared()
  const hasAccounts = overview?.accounting?.level === 'users'
  const wanted = useWanted()
  const [secondsValid, setSecondsValid] = useState<number | null>(null)
  const [user, setUser] = useState('')
  const userId = user === '' ? null : readUserId(user)
  const defaults = useMemo<KeyDefaults>(
    () => ({ seconds_valid: secondsValid, ...(hasAccounts && { user_id: userId ?? null }) }),
    [secondsValid, hasAccounts, userId],
  )
  const read = useMemo(
    () => (userId === undefined ? () => ({ mistake: WRONG_USER }) : keyLine(defaults)),
    [defaults, userId],
  )
  const answer = useAnswer(
    (signal) => partOf<Key>(PATH, { ...wanted, size: ROWS }, ({ key }) => key, signal),
    [wanted.start, wanted.offset],
  )
  const { again } = answer
  const remove = async (removed: Key) => {
    const { key, account, user_id } = removed
    // No other key can be given to such an account.
    const isLast = account !== undefined && user_id === null
    const isSure = await confirm({
      title: 'Remove this key?',
      text: [
        overview?.keys === null ? key : `Clients that use it will be refused: ${key}`,
        isLast
          ? `. Account ${account} stays, but has no user id, so no new key can be its own.`
          : '',
      ].join(''),
      action: 'Remove',
    })
    if (!isSure) return
    try {
      await ask(`api/v1/key/${key}`, { method: 'DELETE' })
      const undo = () => addAgain(removed)
      notify({ text: `Key ${key} was removed.`, ...(!isLast && { undo }) })
    } catch (error) {
      notify({ text: `Not removed: ${textOf(error)}`, isMistake: true })
    }
    again()
  }
  /** With the time that it had left. */
  const addAgain = async ({ key, valid_until: until, user_id }: Key) => {
    const left = until === null ? null : Math.max(0, Math.round(until - now()))
    await ask(PATH, { method: 'POST', body: { key, seconds_valid: left, user_id } })
    again()
  }
  const replace = async ({ key }: Key) => {
    const isSure = await confirm({
      title: 'Replace this key?',
      text: `Its account gets a new one, and clients that use the old one will be refused: ${key}`,
      action: 'Replace',
    })
    if (!isSure) return
    try {
      const made = await ask<Key>(`api/v1/key/${key}`, { method: 'PUT', body: { new_key: null } })
      notify({ text: `The new key is ${made.key}` })
    } catch (error) {
      notify({ text: `Not replaced: ${textOf(error)}`, isMistake: true })
    }
    again()
  }
  if (overview !== undefined && !overview.database) return <NoDatabase title="Keys" />
  return (
    <Page title="Keys" aside={mayChange && <Jump to="wanted">Add keys</Jump>}>
      {overview?.keys === null && (
        <p class="note">
          Clients of this tracker need no key: <code>core.private</code> is off, and keys are only
          kept.
        </p>
      )}
      <div class="beside">
        <AccessList
          path="keys"
          noun="keys"
          total={overview?.keys}
          head={['Key', 'Valid', ...(hasAccounts ? ['User'] : [])]}
          answer={answer}
          normal={(text) => text.trim()}
          row={(one) => (
            <tr key={one.key}>
              <td class="code">
                {one.key} <Copy text={one.key} label={`key ${one.key}`} />
              </td>
              <td>
                <Validity until={one.valid_until} />
              </td>
              {hasAccounts && <td>{one.account !== undefined && <User of={one} />}</td>}
              {mayChange && (
                <td class="figure">
                  {hasAccounts && (
                    <>
                      <button type="button" class="small" onClick={() => replace(one)}>
                        Replace<span class="hidden"> {one.key}</span>
                      </button>{' '}
                    </>
                  )}
                  <button type="button" class="small" onClick={() => remove(one)}>
                    Remove<span class="hidden"> {one.key}</span>
                  </button>
                </td>
              )}
            </tr>
          )}
        />
        {mayChange ? (
          <div>
            <ValidFor seconds={secondsValid} choose={setSecondsValid} />
            {hasAccounts && (
              <UserField user={user} isWrong={userId === undefined} choose={setUser} />
            )}
            <GeneratePanel defaults={userId === undefined ? undefined : defaults} changed={again} />
            <BulkPanel
              title="Add or remove keys of your own"
              help={`One a line: 32 letters and digits, and if you like how long it is valid (12h, 30d)${hasAccounts ? ' and whose it is (user=17)' : ''}`}
              noun="key"
              read={read}
              changes={CHANGES}
              most={MOST_KEYS}
              readFile={(file) => file.text()}
              files=".txt,text/plain"
              changed={again}
            />
          </div>
        ) : (
          <ReadOnly what="change keys" />
        )}
      </div>
    </Page>
  )
}

function Validity({ until }: { readonly until: number | null }) {
  if (until === null) return <Status kind="ok">for ever</Status>
  const isOver = until <= now()
  return (
    <Status kind={isOver ? 'off' : 'ok'}>
      {isOver ? 'ended ' : 'ends '}
      <Time seconds={until} />
    </Status>
  )
}

function User({ of: { account = 0, user_id = null } }: { readonly of: Key }) {
  return <a href={linkTo(`accounts/${account}`)}>{user_id ?? userName(account, null)}</a>
}

function UserField({ user, isWrong, choose }: UserFieldProps) {
  return (
    <p class="line">
      <label for="user">New keys are of user</label>
      <input
        id="user"
        inputMode="numeric"
        class="code"
        placeholder="Id, or none"
        autocomplete="off"
        aria-invalid={isWrong}
        value={user}
        onInput={(event) => choose(event.currentTarget.value.trim())}
      />
      {isWrong && <Mistake>This is no number.</Mistake>}
    </p>
  )
}
type UserFieldProps = {
  readonly user: string
  readonly isWrong: boolean
  readonly choose: (user: string) => void
}

function ValidFor({ seconds, choose }: ValidForProps) {
  return (
    <p class="line">
      <label for="valid">New keys are valid</label>
      <select
        id="valid"
        value={String(seconds)}
        onChange={(event) => {
          const chosen = event.currentTarget.value
          choose(TIMES.find(([known]) => String(known) === chosen)?.[0] ?? null)
        }}
      >
        {TIMES.map(([known, label]) => (
          <option key={label} value={String(known)}>
            {label}
          </option>
        ))}
      </select>
    </p>
  )
}
type ValidForProps = {
  readonly seconds: number | null
  readonly choose: (seconds: number | null) => void
}

function GeneratePanel({ defaults, changed }: GenerateProps) {
  const [wanted, setWanted] = useState(1)
  const [made, setMade] = useState<readonly string[]>([])
  const [failure, setFailure] = useState('')
  const [isBusy, setIsBusy] = useState(false)
  const generate = async (event: Event) => {
    event.preventDefault()
    setIsBusy(true)
    try {
      const key = { key: null, ...defaults }
      const keys = Array.from({ length: wanted }, () => key)
      const added = await ask<readonly Key[]>(BULK, { method: 'POST', body: { keys } })
      setMade(added.map(({ key }) => key))
      setFailure('')
    } catch (error) {
      setFailure(textOf(error))
    }
    setIsBusy(false)
    changed()
  }
  return (
    <Panel title="Generate keys">
      <form class="line" onSubmit={generate}>
        <label for="wanted">How many</label>
        <input
          id="wanted"
          type="number"
          min={1}
          max={MOST_KEYS}
          required
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.valueAsNumber || 1)}
        />
        <button type="submit" class="primary" disabled={isBusy || defaults === undefined}>
          Generate {several(wanted, 'key')}
        </button>
      </form>
      {failure !== '' && (
        <p class="mistake" role="alert">
          Nothing was generated: {failure}
        </p>
      )}
      {made.length > 0 && (
        <div class="made" role="status">
          <p>
            {several(made.length, 'new key')} <Copy text={made.join('\n')} label="the new keys" />
          </p>
          <textarea
            class="code"
            readOnly
            rows={Math.min(8, made.length)}
            value={made.join('\n')}
            aria-label={`New ${plural(made.length, 'key')}`}
          />
        </div>
      )}
    </Panel>
  )
}
type GenerateProps = {
  /** undefined: not known yet. */
  readonly defaults: KeyDefaults | undefined
  readonly changed: () => void
}
