/** What looked like cheating, newest first: those of all accounts that were not reviewed yet, or all of one account. */
import { useState } from 'preact/hooks'
import { ask, textOf } from './api.ts'
import { count, duration, several, size } from './format.ts'
import { Empty, Mistake, Panel, Status, Table, Time } from './parts.tsx'
import { linkTo } from './router.ts'
import { useAnswer, useShared } from './state.ts'

type Flag = {
  readonly id: number
  readonly kind: string
  readonly at: number
  readonly account: number
  readonly info_hash: string
  readonly bytes: number
  readonly seconds: number
  readonly times: number
  /** Seconds since the epoch; null: not yet. */
  readonly reviewed: number | null
}
const WORDS: Readonly<Record<string, string>> = {
  speed: 'faster than allowed',
  no_leechers: 'upload without leechers',
  shared_id: 'one peer id, two clients',
}
/** So many of the newest are looked through. */
const MOST = 1_000
const ROWS = 50

export function FlagsPanel({ account }: { readonly account?: number }) {
  const { mayChange, notify } = useShared()
  const [shown, setShown] = useState(ROWS)
  const { value, failure, again } = useAnswer(
    (signal) => ask<readonly Flag[]>(`api/v1/accounting/flags?limit=${MOST}`, { signal }),
    [],
  )
  const found = value?.filter((one) =>
    account === undefined ? one.reviewed === null : one.account === account,
  )
  const review = async ({ id }: Flag, reviewed: boolean) => {
    const send = async (to: boolean) => {
      await ask(`api/v1/accounting/flag/${id}`, { method: 'PATCH', body: { reviewed: to } })
      again()
    }
    try {
      await send(reviewed)
      notify({
        text: `Flag ${id} is ${reviewed ? '' : 'not '}reviewed.`,
        undo: () => send(!reviewed),
      })
    } catch (error) {
      notify({ text: `Not done: ${textOf(error)}`, isMistake: true })
    }
  }
  return (
    <Panel title={account === undefined ? 'Flags to review' : 'Flags'}>
      <p class="note">
        What looked like cheating. The tracker only tells of it: what follows is yours to decide.
        {value?.length === MOST && ` Only the newest ${count(MOST)} are looked through.`}
      </p>
      {failure !== undefined && <Mistake>{failure}</Mistake>}
      {found?.length === 0 && (
        <Empty>No flag{account === undefined && ' waits for a review'}.</Empty>
      )}
      {found !== undefined && found.length > 0 && (
        <Table
          label="Flags"
          head={[
            'Flag',
            'Seen',
            ...(account === undefined ? ['Account'] : []),
            'Torrent',
            '#Claimed',
            ...(account === undefined ? [] : ['State']),
            ...(mayChange ? ['!Change'] : []),
          ]}
        >
          {found.slice(0, shown).map((flag) => (
            <tr key={flag.id}>
              <td>
                {WORDS[flag.kind] ?? flag.kind}
                {flag.times > 1 && ` × ${count(flag.times)}`}
              </td>
              <td>
                <Time seconds={flag.at} />
              </td>
              {account === undefined && (
                <td>
                  <a href={linkTo(`accounts/${flag.account}`)}>{flag.account}</a>
                </td>
              )}
              <td class="code">
                <a href={linkTo(`torrents/${flag.info_hash}`)} title={flag.info_hash}>
                  {flag.info_hash.slice(0, 12)}…
                </a>
              </td>
              <td class="figure">
                {size(flag.bytes)} in {duration(flag.seconds)}
              </td>
              {account !== undefined && (
                <td>
                  <Status kind={flag.reviewed === null ? 'warning' : 'off'}>
                    {flag.reviewed === null ? 'new' : 'reviewed'}
                  </Status>
                </td>
              )}
              {mayChange && (
                <td class="figure">
                  <button
                    type="button"
                    class="small"
                    onClick={() => review(flag, flag.reviewed === null)}
                  >
                    {flag.reviewed === null ? 'Reviewed' : 'Not reviewed'}
                    <span class="hidden"> flag {flag.id}</span>
                  </button>
                </td>
              )}
            </tr>
          ))}
        </Table>
      )}
      {found !== undefined && found.length > shown && (
        <p class="more">
          {count(shown)} of {several(found.length, 'flag')} are shown.{' '}
          <button type="button" onClick={() => setShown(shown + ROWS)}>
            Show {count(Math.min(ROWS, found.length - shown))} more
          </button>
        </p>
      )}
    </Panel>
  )
}
