/** Figures of the last hour or day: asked for once, then continued by what the tracker tells every second. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Moment, Range, Series } from '../../view/history.ts'
import type { Overview } from '../../view/overview.ts'
import { ask } from './api.ts'
import { useAnswer, useShared } from './state.ts'

export type Figures = {
  readonly stepSeconds: number
  readonly times: readonly number[]
  readonly series: Readonly<Record<Series, readonly (number | null)[]>>
}
export type { Range, Series } from '../../view/history.ts'

/** Steps without a figure after which all of them are asked for again. */
const MOST_MISSED = 4
const WINDOW_SECONDS: Readonly<Record<Range, number>> = { hour: 3_600, day: 86_400 }

export function useHistory(range: Range): Figures | undefined {
  const { recent } = useShared()
  const { value, again } = useAnswer(
    async (signal) => ({
      range,
      figures: await ask<Figures>(`api/v1/history?range=${range}`, { signal }),
    }),
    [range],
  )
  const [figures, setFigures] = useState<Figures>()
  useEffect(() => setFigures(value?.figures), [value])
  const asked = useRef(0)
  useEffect(() => {
    const newest = recent.at(-1)?.now ?? 0
    const last = figures?.times.at(-1)
    if (
      figures === undefined ||
      last === undefined ||
      newest - last < figures.stepSeconds * MOST_MISSED
    )
      setFigures((all) => all && continued(all, recent, WINDOW_SECONDS[range]))
    else if (newest - asked.current >= figures.stepSeconds * MOST_MISSED) {
      // The page was not looked at: the tracker knows what happened meanwhile.
      asked.current = newest
      again()
    }
  }, [recent, range])
  return value?.range === range ? figures : undefined
}

/** With one more moment behind it when it is time for one: the mean of the last seconds. */
function continued(figures: Figures, recent: readonly Overview[], window: number): Figures {
  const { times, series, stepSeconds } = figures
  const newest = recent.at(-1)
  if (newest === undefined) return figures
  const last = times.at(-1)
  if (last !== undefined && newest.now - last < stepSeconds) return figures
  const moments = recent.flatMap(({ moment }) => (moment === null ? [] : [moment]))
  if (moments.length === 0) return figures
  const first = times.findIndex((time) => time > newest.now - window)
  const from = Math.max(0, first)
  const added = Object.entries(series).map(([name, values]) => [
    name,
    [...values.slice(from), mean(moments, name as Series)],
  ])
  return {
    stepSeconds,
    times: [...times.slice(from), Math.round(newest.now)],
    series: Object.fromEntries(added),
  }
}

function mean(moments: readonly Moment[], name: Series): number | null {
  const values = moments.flatMap((moment) => moment[name] ?? [])
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
}
