/** One account: what it moved, its limits, its torrents and its flags. */

import { AdjustPanel, SettingsPanel } from './account-settings.tsx'
import { type Account, type Figures, ratioText, settingsKey, userName } from './accounts.ts'
import { AccountState, FindAccount } from './accounts-page.tsx'
import { ask } from './api.ts'
import { FlagsPanel } from './flags-panel.tsx'
import { count, duration, size } from './format.ts'
import {
  Empty,
  Figure,
  Mistake,
  NoAccounts,
  Page,
  Pager,
  Panel,
  ReadOnly,
  Status,
  Table,
  Time,
} from './parts.tsx'
import { linkTo, usePlace } from './router.ts'
import { useAnswer, useShared } from './state.ts'

/** What the account moved of one torrent. */
type Moved = Figures & {
  readonly info_hash: string
  readonly active: boolean
  readonly seeder: boolean
  readonly completed: number | null
  readonly last_seen: number
  readonly client: string | null
}
const ROWS = 50

export function AccountPage({ id }: { readonly id: string }) {
  const { overview, mayChange } = useShared()
  const isNumber = /^\d{1,15}$/.test(id)
  const { value, failure, again } = useAnswer(
    async (signal) => (isNumber ? await ask<Account>(`api/v1/account/${id}`, { signal }) : null),
    [id],
  )
  if (overview !== undefined && overview.accounting?.level !== 'users')
    return <NoAccounts title="Account" />
  return (
    <Page
      title="Account"
      aside={
        <a class="button" href={linkTo('accounts')}>
          All accounts
        </a>
      }
    >
      <FindAccount />
      {failure !== undefined && <Mistake>{failure}</Mistake>}
      {value === null && <Empty>This is no account: accounts are numbers.</Empty>}
      {value && (
        <>
          <Totals account={value} />
          <div class="beside">
            <div>
              <RecordsPanel id={value.id} />
              <FlagsPanel account={value.id} />
            </div>
            {mayChange ? (
              <div>
                <SettingsPanel key={settingsKey(value)} account={value} changed={again} />
                <AdjustPanel account={value} changed={again} />
              </div>
            ) : (
              <ReadOnly what="change accounts" />
            )}
          </div>
        </>
      )}
    </Page>
  )
}

function Totals({ account }: { readonly account: Account }) {
  const { id, user_id, uploaded, downloaded, credited_uploaded, credited_downloaded } = account
  return (
    <>
      <p class="line subject">
        <b>
          Account {id}
          {user_id !== null && `, ${userName(id, user_id)}`}
        </b>
        <AccountState account={account} />
        {account.hidden && <span class="note">hidden in lists of torrents</span>}
        <span class="note">
          made <Time seconds={account.created} />
          {account.last_seen !== null && (
            <>
              , seen <Time seconds={account.last_seen} />
            </>
          )}
        </span>
      </p>
      <dl class="stats" aria-label="Figures">
        <Figure label="Ratio" value={ratioText(account.ratio)} />
        <Figure
          label="Uploaded"
          value={size(credited_uploaded)}
          note={`moved: ${size(uploaded)}`}
        />
        <Figure
          label="Downloaded"
          value={size(credited_downloaded)}
          note={`moved: ${size(downloaded)}`}
        />
        <Figure label="Seeded for" value={duration(account.seed_seconds)} />
        <Figure label="Completed" value={count(account.snatches)} note="torrents" />
        <Figure
          label="Now"
          value={count(account.seeding + account.leeching)}
          note={`${count(account.seeding)} seeding, ${count(account.leeching)} leeching`}
        />
      </dl>
    </>
  )
}

function RecordsPanel({ id }: { readonly id: number }) {
  const { query } = usePlace()
  const offset = Number(query.get('offset')) || 0
  const { value, failure, isWaiting, again } = useAnswer(
    (signal) =>
      ask<readonly Moved[]>(`api/v1/account/${id}/records?offset=${offset}&limit=${ROWS}`, {
        signal,
      }),
    [id, offset],
  )
  return (
    <Panel
      title="Torrents"
      aside={
        <button type="button" onClick={again} disabled={isWaiting}>
          Refresh
        </button>
      }
    >
      {failure !== undefined && <Mistake>{failure}</Mistake>}
      {value?.length === 0 && <Empty>No torrent{offset > 0 && ' more'}.</Empty>}
      {value !== undefined && value.length > 0 && (
        <Table
          label="Torrents of the account"
          head={[
            'Torrent',
            '#Uploaded',
            '#Downloaded',
            '#Seeded',
            'State',
            'Completed',
            'Seen',
            'Client',
          ]}
        >
          {value.map((one) => (
            <tr key={one.info_hash}>
              <td class="code">
                <a href={linkTo(`torrents/${one.info_hash}`)} title={one.info_hash}>
                  {one.info_hash.slice(0, 12)}…
                </a>
              </td>
              <td class="figure" title={`credited: ${size(one.credited_uploaded)}`}>
                {size(one.uploaded)}
              </td>
              <td class="figure" title={`credited: ${size(one.credited_downloaded)}`}>
                {size(one.downloaded)}
              </td>
              <td class="figure">{duration(one.seed_seconds)}</td>
              <td>
                <Status kind={one.active ? 'ok' : 'off'}>
                  {one.active ? (one.seeder ? 'seeds' : 'leeches') : 'away'}
                </Status>
              </td>
              <td>
                {one.completed === null ? (
                  <span class="note">no</span>
                ) : (
                  <Time seconds={one.completed} />
                )}
              </td>
              <td>
                <Time seconds={one.last_seen} />
              </td>
              <td class="code">{one.client ?? <span class="note">unknown</span>}</td>
            </tr>
          ))}
        </Table>
      )}
      {value !== undefined && (
        <Pager
          offset={offset}
          shown={value.length}
          size={ROWS}
          link={(to) => linkTo(`accounts/${id}`, { offset: to })}
        />
      )}
    </Panel>
  )
}
