/** What the tracker follows, where each value comes from, and what changes without a restart. */
import { useMemo, useState } from 'preact/hooks'
import type { ShownOption } from '../../config/shown-options.ts'
import { ask, textOf } from './api.ts'
import { Empty, Mistake, Page, Panel, ReadOnly, Status, Table } from './parts.tsx'
import { useAnswer, useShared } from './state.ts'

/** The origin of options that are not set. */
const DEFAULT = 'default'

type Reloaded = { readonly applied: readonly string[]; readonly restart: readonly string[] }

export function ConfigurationPage() {
  const { mayChange } = useShared()
  const [filter, setFilter] = useState('')
  const [isBrief, setIsBrief] = useState(false)
  const { value, failure, again } = useAnswer(
    (signal) => ask<readonly ShownOption[]>('api/v1/config', { signal }),
    [],
  )
  const shown = useMemo(() => {
    const wanted = filter.toLowerCase()
    return value?.filter(
      ({ path, value: set, origin }) =>
        !(isBrief && origin === DEFAULT) &&
        [path, set ?? '', origin].some((text) => text.toLowerCase().includes(wanted)),
    )
  }, [value, filter, isBrief])
  return (
    <Page title="Configuration">
      {mayChange ? <ReloadPanel changed={again} /> : <ReadOnly what="reload the configuration" />}
      <Panel
        title="Effective values"
        aside={
          <div class="tools">
            <label>
              <input
                type="checkbox"
                checked={isBrief}
                onChange={(event) => setIsBrief(event.currentTarget.checked)}
              />{' '}
              Only what is set
            </label>
            <label>
              Filter{' '}
              <input
                type="search"
                value={filter}
                onInput={(event) => setFilter(event.currentTarget.value)}
              />
            </label>
          </div>
        }
      >
        {failure !== undefined && <Mistake>{failure}</Mistake>}
        {shown?.length === 0 && <Empty>No option fits the filter.</Empty>}
        {shown !== undefined && shown.length > 0 && (
          <Table label="Options" head={['Option', 'Value', 'From', 'A change is applied']}>
            {shown.map((one) => (
              <tr key={one.path}>
                <th scope="row" class="code">
                  {one.path}
                </th>
                <td class="code">{one.value ?? <span class="note">not set</span>}</td>
                <td class={one.origin === DEFAULT ? 'note' : ''}>{one.origin}</td>
                <td>
                  <Status kind={one.live ? 'ok' : 'off'}>
                    {one.live ? 'by a reload' : 'by a restart'}
                  </Status>
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Panel>
    </Page>
  )
}

function ReloadPanel({ changed }: { readonly changed: () => void }) {
  const { confirm } = useShared()
  const [reloaded, setReloaded] = useState<Reloaded>()
  const [failure, setFailure] = useState<string>()
  const [isBusy, setIsBusy] = useState(false)
  const reload = async () => {
    const isSure = await confirm({
      title: 'Reload the configuration?',
      text: 'The tracker reads it again and checks all of it. With one mistake nothing changes; otherwise it is followed at once, and no client notices.',
      action: 'Reload',
    })
    if (!isSure) return
    setIsBusy(true)
    setReloaded(undefined)
    setFailure(undefined)
    try {
      setReloaded(await ask<Reloaded>('api/v1/reload', { method: 'POST', milliseconds: 60_000 }))
      changed()
    } catch (error) {
      setFailure(textOf(error))
    }
    setIsBusy(false)
  }
  return (
    <Panel
      title="Reload"
      aside={
        <button type="button" class="primary" disabled={isBusy} onClick={reload}>
          {isBusy ? 'Reloading…' : 'Reload'}
        </button>
      }
    >
      <div role="status" class="reloaded">
        {reloaded === undefined && failure === undefined && (
          <p class="note">After a change of the file, have the tracker follow it.</p>
        )}
        {reloaded && <Outcome reloaded={reloaded} />}
        {failure !== undefined && (
          <>
            <p>
              <Status kind="critical">Nothing was changed</Status>
            </p>
            <ul class="lines">
              {failure.split('\n').map((one) => (
                <li key={one}>{one}</li>
              ))}
            </ul>
          </>
        )}
      </div>
    </Panel>
  )
}

function Outcome({ reloaded: { applied, restart } }: { readonly reloaded: Reloaded }) {
  if (applied.length + restart.length === 0)
    return (
      <p>
        <Status kind="ok">Nothing is different.</Status>
      </p>
    )
  return (
    <>
      {applied.length > 0 && (
        <>
          <p>
            <Status kind="ok">Applied</Status>
          </p>
          <ul class="lines">
            {applied.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        </>
      )}
      {restart.length > 0 && (
        <>
          <p>
            <Status kind="warning">Needs a restart</Status>
          </p>
          <ul class="lines">
            {restart.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}
