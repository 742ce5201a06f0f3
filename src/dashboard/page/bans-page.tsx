/** Addresses that sent wrong connection ids: those with too many are not answered. */
import { ask, textOf } from './api.ts'
import { count } from './format.ts'
import { Empty, Mistake, Page, Pager, Panel, ReadOnly, Status, Table } from './parts.tsx'
import { linkTo, usePlace } from './router.ts'
import { useAnswer, useShared } from './state.ts'

type Ban = {
  /** An IPv4 address, or the /64 of an IPv6 address. */
  readonly address: string
  readonly errors: number
  readonly banned: boolean
}
const PATH = 'api/v1/bans'
const ROWS = 50

export function BansPage() {
  const { overview, mayChange, confirm, notify } = useShared()
  const { query } = usePlace()
  const offset = Number(query.get('offset')) || 0
  const { value, failure, isWaiting, again } = useAnswer(
    (signal) => ask<readonly Ban[]>(`${PATH}?offset=${offset}&limit=${ROWS}`, { signal }),
    [offset],
  )
  const lift = async (title: string, text: string, path: string, done: string) => {
    if (!(await confirm({ title, text, action: 'Lift' }))) return
    try {
      await ask(path, { method: 'DELETE' })
      notify({ text: done })
    } catch (error) {
      notify({ text: `Not lifted: ${textOf(error)}`, isMistake: true })
    }
    again()
  }
  const liftOne = (address: string) =>
    lift(
      `Lift the ban of ${address}?`,
      'Its wrong connection ids are forgotten. It is banned again if it goes on.',
      `${PATH}/${encodeURIComponent(address)}`,
      `${address} was forgiven.`,
    )
  const liftAll = () =>
    lift(
      'Lift all bans?',
      'The wrong connection ids of all addresses are forgotten.',
      PATH,
      'All addresses were forgiven.',
    )
  return (
    <Page title="Bans">
      <p class="note">
        A UDP client proves its address with a connection id. An address that keeps sending wrong
        ones is not answered for a while; IPv6 addresses are counted by /64.
      </p>
      <Panel
        title={overview === undefined ? 'Addresses' : addresses(overview.bans)}
        aside={
          <div class="tools">
            <button type="button" onClick={again} disabled={isWaiting}>
              Refresh
            </button>
            {mayChange && value !== undefined && value.length > 0 && (
              <button type="button" class="danger" onClick={liftAll}>
                Lift all
              </button>
            )}
          </div>
        }
      >
        {failure !== undefined && <Mistake>{failure}</Mistake>}
        {value?.length === 0 && <Empty>No address has sent a wrong connection id lately.</Empty>}
        {value !== undefined && value.length > 0 && (
          <>
            <Table
              label="Addresses"
              head={['Address', '#Wrong ids', 'State', ...(mayChange ? ['!Change'] : [])]}
            >
              {value.map(({ address, errors, banned }) => (
                <tr key={address}>
                  <td class="code">{address}</td>
                  <td class="figure">{count(errors)}</td>
                  <td>
                    <Status kind={banned ? 'critical' : 'ok'}>
                      {banned ? 'banned' : 'served'}
                    </Status>
                  </td>
                  {mayChange && (
                    <td class="figure">
                      <button type="button" class="small" onClick={() => liftOne(address)}>
                        Lift<span class="hidden"> {address}</span>
                      </button>
                    </td>
                  )}
                </tr>
              ))}
            </Table>
            <Pager
              offset={offset}
              shown={value.length}
              size={ROWS}
              total={overview?.bans}
              link={(to) => linkTo('bans', { offset: to })}
            />
          </>
        )}
      </Panel>
      {!mayChange && <ReadOnly what="lift bans" />}
    </Page>
  )
}

const addresses = (all: number): string => `${count(all)} ${all === 1 ? 'address' : 'addresses'}`
