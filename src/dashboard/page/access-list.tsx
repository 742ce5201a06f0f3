/** A list that says who is served: searched by how its entries begin, each with a button that removes it. */
import type { ComponentChildren } from 'preact'
import { useRef } from 'preact/hooks'
import { count } from './format.ts'
import { Empty, Mistake, Pager, Panel, Table } from './parts.tsx'
import { go, linkTo, usePlace } from './router.ts'
import { type Answer, useShared } from './state.ts'

export const ROWS = 50

/** What of the list the address asks for. */
export function useWanted(): { readonly start: string; readonly offset: number } {
  const { query } = usePlace()
  return { start: query.get('start') ?? '', offset: Number(query.get('offset')) || 0 }
}

type AccessListProps<T> = {
  /** Of the address. */
  readonly path: string
  readonly noun: string
  readonly total: number | null | undefined
  readonly head: readonly string[]
  readonly answer: Answer<readonly T[]>
  readonly row: (entry: T) => ComponentChildren
  /** What stands in the field is made the beginning of a name by this. */
  readonly normal: (text: string) => string
  readonly tools?: ComponentChildren
}

export function AccessList<T>(props: AccessListProps<T>) {
  const { path, noun, total, head, answer, row, normal, tools } = props
  const { mayChange } = useShared()
  const { start, offset } = useWanted()
  const field = useRef<HTMLInputElement>(null)
  const { value, failure } = answer
  const search = (event: Event) => {
    event.preventDefault()
    go(linkTo(path, { start: normal(field.current?.value ?? '') }))
  }
  return (
    <Panel
      title={total === null || total === undefined ? `All ${noun}` : `${count(total)} ${noun}`}
      aside={
        <div class="tools">
          <search>
            <form class="line" onSubmit={search}>
              <label for="start">Begins with</label>
              <input
                id="start"
                key={start}
                ref={field}
                class="code"
                defaultValue={start}
                spellcheck={false}
                autocomplete="off"
              />
              <button type="submit">Find</button>
            </form>
          </search>
          {tools}
        </div>
      }
    >
      {failure !== undefined && <Mistake>{failure}</Mistake>}
      {value?.length === 0 && (
        <Empty>{start === '' ? `There are no ${noun}.` : `No entry begins with ${start}.`}</Empty>
      )}
      {value !== undefined && value.length > 0 && (
        <Table label={`List of ${noun}`} head={mayChange ? [...head, '!Change'] : head}>
          {value.map(row)}
        </Table>
      )}
      {value !== undefined && (
        <Pager
          offset={offset}
          shown={value.length}
          size={ROWS}
          total={start === '' ? (total ?? undefined) : undefined}
          link={(to) => linkTo(path, { start, offset: to })}
        />
      )}
    </Panel>
  )
}
