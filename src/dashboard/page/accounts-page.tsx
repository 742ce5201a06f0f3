/** The accounts of users: found by number, or listed in several orders. Flags that wait for a reader. */
import { useRef, useState } from 'preact/hooks'
import { type Account, ratioText } from './accounts.ts'
import { ask, textOf } from './api.ts'
import { FlagsPanel } from './flags-panel.tsx'
import { duration, size } from './format.ts'
import { ListTools, type Sorts } from './list-tools.tsx'
import { Empty, Mistake, NoAccounts, Page, Pager, Panel, Status, Table, Time } from './parts.tsx'
import { go, linkTo, usePlace } from './router.ts'
import { useAnswer, useShared } from './state.ts'

const SORTS: Sorts = [
  ['id', 'By number'],
  ['uploaded', 'Most uploaded'],
  ['downloaded', 'Most downloaded'],
  ['ratio', 'Highest ratio'],
  ['last_seen', 'Seen last'],
]
const ROWS = 50

export function AccountsPage() {
  const { overview } = useShared()
  if (overview !== undefined && overview.accounting?.level !== 'users')
    return <NoAccounts title="Accounts" />
  return (
    <Page title="Accounts">
      <FindAccount />
      <ListPanel />
      <FlagsPanel />
    </Page>
  )
}

function ListPanel() {
  const { query } = usePlace()
  const sort = SORTS.find(([name]) => name === query.get('sort'))?.[0] ?? 'id'
  const offset = Number(query.get('offset')) || 0
  const { value, failure, isWaiting, again } = useAnswer(
    (signal) =>
      ask<readonly Account[]>(`api/v1/accounts?sort=${sort}&offset=${offset}&limit=${ROWS}`, {
        signal,
      }),
    [sort, offset],
  )
  return (
    <Panel
      title="All accounts"
      aside={
        <ListTools path="accounts" sorts={SORTS} sort={sort} isWaiting={isWaiting} again={again} />
      }
    >
      {failure !== undefined && <Mistake>{failure}</Mistake>}
      {value?.length === 0 && (
        <Empty>{offset === 0 ? 'No account: the first key makes one.' : 'No more accounts.'}</Empty>
      )}
      {value !== undefined && value.length > 0 && (
        <Table
          label="Accounts"
          head={[
            'Account',
            'User id',
            '#Uploaded',
            '#Downloaded',
            '#Ratio',
            '#Seeded',
            'Seen',
            'State',
          ]}
        >
          {value.map((one) => (
            <tr key={one.id}>
              <td>
                <a href={linkTo(`accounts/${one.id}`)}>{one.id}</a>
              </td>
              <td>{one.user_id ?? <span class="note">none</span>}</td>
              <td class="figure">{size(one.credited_uploaded)}</td>
              <td class="figure">{size(one.credited_downloaded)}</td>
              <td class="figure">{ratioText(one.ratio)}</td>
              <td class="figure">{duration(one.seed_seconds)}</td>
              <td>
                {one.last_seen === null ? (
                  <span class="note">never</span>
                ) : (
                  <Time seconds={one.last_seen} />
                )}
              </td>
              <td>
                <AccountState account={one} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {value !== undefined && (
        <Pager
          offset={offset}
          shown={value.length}
          size={ROWS}
          link={(to) => linkTo('accounts', { sort, offset: to })}
        />
      )}
    </Panel>
  )
}

export function AccountState({ account }: { readonly account: Account }) {
  const { enabled, can_download } = account
  if (!enabled) return <Status kind="critical">refused</Status>
  return (
    <Status kind={can_download ? 'ok' : 'warning'}>
      {can_download ? 'served' : 'may not download'}
    </Status>
  )
}

export function FindAccount() {
  const field = useRef<HTMLInputElement>(null)
  const [by, setBy] = useState<'user' | 'account'>('user')
  const [mistake, setMistake] = useState('')
  const search = async (event: Event) => {
    event.preventDefault()
    const wanted = field.current?.value.trim() ?? ''
    if (!/^\d{1,19}$/.test(wanted)) {
      setMistake('This is no number.')
      return
    }
    try {
      const { id } = await ask<Account>(`api/v1/${by}/${wanted}`)
      setMistake('')
      go(linkTo(`accounts/${id}`))
    } catch (error) {
      setMistake(textOf(error))
    }
  }
  return (
    <search>
      <form class="line" onSubmit={search}>
        <label for="account">Find by</label>
        <select
          aria-label="What the number is"
          value={by}
          onChange={(event) => setBy(event.currentTarget.value === 'user' ? 'user' : 'account')}
        >
          <option value="user">user id</option>
          <option value="account">account</option>
        </select>
        <input
          id="account"
          ref={field}
          class="code"
          inputMode="numeric"
          autocomplete="off"
          aria-invalid={mistake !== ''}
          onInput={() => setMistake('')}
        />
        <button type="submit" class="primary">
          Find
        </button>
      </form>
      {mistake !== '' && <Mistake>{mistake}</Mistake>}
    </search>
  )
}
