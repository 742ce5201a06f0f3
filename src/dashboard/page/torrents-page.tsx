/** The torrents: found by info hash, or listed with the largest first. */
import { useRef, useState } from 'preact/hooks'
import { ask } from './api.ts'
import { count, several } from './format.ts'
import { readInfoHash } from './info-hash.ts'
import { Empty, Mistake, Page, Pager, Panel, Table } from './parts.tsx'
import { go, linkTo, usePlace } from './router.ts'
import { useAnswer, useShared } from './state.ts'

type Summary = {
  readonly info_hash: string
  readonly seeders: number
  readonly completed: number
  readonly leechers: number
}

const SORTS: readonly (readonly [sort: string, label: string])[] = [
  ['peers', 'Largest'],
  ['seeders', 'Most seeders'],
  ['leechers', 'Most leechers'],
  ['completed', 'Most completed'],
  ['info_hash', 'By info hash'],
]
const ROWS = 50

export function TorrentsPage() {
  const { overview } = useShared()
  const { query } = usePlace()
  const sort = SORTS.find(([name]) => name === query.get('sort'))?.[0] ?? 'peers'
  const offset = Number(query.get('offset')) || 0
  const { value, failure, isWaiting, again } = useAnswer(
    (signal) =>
      ask<readonly Summary[]>(`api/v1/torrents?sort=${sort}&offset=${offset}&limit=${ROWS}`, {
        signal,
      }),
    [sort, offset],
  )
  return (
    <Page title="Torrents">
      <Search />
      <Panel
        title={overview === undefined ? 'Torrents' : several(overview.torrents, 'torrent')}
        aside={
          <div class="tools">
            <label>
              Order{' '}
              <select
                value={sort}
                onChange={(event) => go(linkTo('torrents', { sort: event.currentTarget.value }))}
              >
                {SORTS.map(([name, label]) => (
                  <option key={name} value={name}>
                    {label}
                  </option>
                ))}
              </select>
            </label>
            <button type="button" onClick={again} disabled={isWaiting}>
              Refresh
            </button>
          </div>
        }
      >
        {failure !== undefined && <Mistake>{failure}</Mistake>}
        {value?.length === 0 && <Empty>No torrent: no client has announced one yet.</Empty>}
        {value !== undefined && value.length > 0 && (
          <Table label="Torrents" head={['Info hash', '#Seeders', '#Leechers', '#Completed']}>
            {value.map((one) => (
              <tr key={one.info_hash}>
                <td class="code">
                  <a href={linkTo(`torrents/${one.info_hash}`)}>{one.info_hash}</a>
                </td>
                <td class="figure">{count(one.seeders)}</td>
                <td class="figure">{count(one.leechers)}</td>
                <td class="figure">{count(one.completed)}</td>
              </tr>
            ))}
          </Table>
        )}
        {value !== undefined && (
          <Pager
            offset={offset}
            shown={value.length}
            size={ROWS}
            total={overview?.torrents}
            link={(to) => linkTo('torrents', { sort, offset: to })}
          />
        )}
      </Panel>
    </Page>
  )
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
