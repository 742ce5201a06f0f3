/** What stands above a list: its order, and a button that reads it again. */
import { go, linkTo } from './router.ts'

/** Orders of a list, and what they are called. */
export type Sorts = readonly (readonly [sort: string, label: string])[]

export function ListTools(props: {
  /** Path of the page, which takes the order in its query. */
  readonly path: string
  readonly sorts: Sorts
  readonly sort: string
  readonly isWaiting: boolean
  readonly again: () => void
}) {
  const { path, sorts, sort, isWaiting, again } = props
  return (
    <div class="tools">
      <label>
        Order{' '}
        <select
          value={sort}
          onChange={(event) => go(linkTo(path, { sort: event.currentTarget.value }))}
        >
          {sorts.map(([name, label]) => (
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
  )
}
