/** The torrents: found by info hash, or listed with the largest first. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { ask } from './api.ts'
import { clockTime, count, several } from './format.ts'
import { beginGrowth, fastestGrowing, type Listed, type Summary } from './growth.ts'
import { readInfoHash } from './info-hash.ts'
import { ListTools, type Sorts } from './list-tools.tsx'
import { Empty, Mistake, Page, Pager, Panel, Table } from './parts.tsx'
import { go, linkTo, usePlace } from './router.ts'
import { useAnswer, useShared } from './state.ts'

const SORTS: Sorts = [
  ['peers', 'Largest'],
  ['seeders', 'Most seeders'],
  ['leechers', 'Most leechers'],
  ['completed', 'Most completed'],
  ['growth', 'Fastest growing'],
  ['info_hash', 'By info hash'],
]
const ROWS = 50

export function TorrentsPage() {
  const { overview } = useShared()
  const { query } = usePlace()
  const sort = SORTS.find(([name]) => name === query.get('sort'))?.[0] ?? 'peers'
  const offset = Number(query.get('offset')) || 0
  const { value, failure, isWaiting, again } = useAnswer(
    (signal): Promise<Listed> =>
      sort === 'growth' ? fastestGrowing(signal) : listed(sort, offset, signal),
    [sort, offset],
  )
  const torrents = value?.torrents
  const since = sort === 'growth' ? value?.since : undefined
  useEffect(() => {
    // Growth that is asked for later is that since now.
    beginGrowth().catch(() => undefined)
  }, [])
  return (
    <Page title="Torrents">
      <Search />
      <Panel
        title={overview === undefined ? 'Torrents' : several(overview.torrents, 'torrent')}
        aside={
          <ListTools
            path="torrents"
            sorts={SORTS}
            sort={sort}
            isWaiting={isWaiting}
            again={again}
          />
        }
      >
        {failure !== undefined && <Mistake>{failure}</Mistake>}
        {since !== undefined && (
          <p class="note">
            Of the 2,000 largest, since this browser first looked at {clockTime(since)}. Refresh to
            look again.
          </p>
        )}
        {torrents?.length === 0 && (
          <Empty>
            {since === undefined
              ? 'No torrent: no client has announced one yet.'
              : 'None has grown since then.'}
          </Empty>
        )}
        {torrents !== undefined && torrents.length > 0 && (
          <Table
            label="Torrents"
            head={[
              'Info hash',
              ...(since === undefined ? [] : ['#Grown by']),
              '#Seeders',
              '#Leechers',
              '#Completed',
            ]}
          >
            {torrents.map((one) => (
              <tr key={one.info_hash}>
                <td class="code">
                  <a href={linkTo(`torrents/${one.info_hash}`)}>{one.info_hash}</a>
                </td>
                {since !== undefined && <td class="figure">+{count(one.growth)}</td>}
                <td class="figure">{count(one.seeders)}</td>
                <td class="figure">{count(one.leechers)}</td>
                <td class="figure">{count(one.completed)}</td>
              </tr>
            ))}
          </Table>
        )}
        {torrents !== undefined && since === undefined && (
          <Pager
            offset={offset}
            shown={torrents.length}
            size={ROWS}
            total={overview?.torrents}
            link={(to) => linkTo('torrents', { sort, offset: to })}
          />
        )}
      </Panel>
    </Page>
  )
}

async function listed(sort: string, offset: number, signal: AbortSignal): Promise<Listed> {
  const query = `sort=${sort}&offset=${offset}&limit=${ROWS}`
  const found = await ask<readonly Summary[]>(`api/v1/torrents?${query}`, { signal })
  return { since: undefined, torrents: found.map((one) => ({ ...one, growth: 0 })) }
}

export function Search() {
  const field = useRef<HTMLInputElement>(null)
  const [mistake, setMistake] = useState('')
  const search = (event: Event) => {
    event.preventDefault()
    const found = readInfoHash(field.current?.value ?? '')
    if ('hash' in found) go(linkTo(`torrents/${found.hash}`))
    else setMistake(`This ${found.mistake}.`)
  }
  return (
    <search>
      <form class="line" onSubmit={search}>
        <label for="hash">Find a torrent</label>
        <input
          id="hash"
          ref={field}
          class="code"
          placeholder="Info hash or magnet link"
          spellcheck={false}
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
