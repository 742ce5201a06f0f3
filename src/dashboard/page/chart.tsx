/** Figures over time, with what they are now, or where the pointer is, in words below. */
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { clockTime, UNKNOWN } from './format.ts'
import { THEME_EVENT } from './theme.tsx'

export type Line = {
  readonly label: string
  readonly values: readonly (number | null)[]
  /** Number of its colour. */
  readonly colour: number
  /** Lines that belong together have one colour. */
  readonly isDashed?: boolean
}
type ChartProps = {
  readonly title: string
  /** Seconds since the epoch, ascending. */
  readonly times: readonly number[]
  readonly lines: readonly Line[]
  /** What a figure is called on the axis and in words. */
  readonly format: (value: number) => string
  /** Whether the axis has steps of powers of two. */
  readonly isBytes?: boolean
  /** A line across, such as a limit. */
  readonly limit?: { readonly label: string; readonly value: number }
}

const POWERS_OF_TWO = Array.from({ length: 50 }, (_, power) => 2 ** power)
const HEIGHT = 150
const AXIS_WIDTH = 62
/** Shorter times are not worth a whole width. */
const LEAST_SECONDS = 300

export function Chart({ title, times, lines, format, isBytes, limit }: ChartProps) {
  const frame = useRef<HTMLElement>(null)
  const canvas = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const [at, setAt] = useState<number | null>(null)

  // Made once; the figures follow below.
  useEffect(() => {
    const place = canvas.current
    if (place === null) return
    const colourOf = (name: string) => () => {
      const sample = frame.current?.querySelector(name)
      return sample ? getComputedStyle(sample).color : 'gray'
    }
    const axis = {
      stroke: colourOf('.axis'),
      grid: { stroke: colourOf('.grid'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, sans-serif',
    }
    const made = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        padding: [8, 18, 0, 0],
        cursor: { sync: { key: 'time' }, drag: { x: false, y: false }, points: { size: 5 } },
        scales: {
          x: { time: true, range: (_plot, min, max) => [Math.min(min, max - LEAST_SECONDS), max] },
          y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
        },
        axes: [
          {
            ...axis,
            size: 24,
            values: (_plot, splits) => splits.map((value) => clockTime(value).slice(0, 5)),
          },
          {
            ...axis,
            size: AXIS_WIDTH,
            space: 40,
            ...(isBytes && { incrs: POWERS_OF_TWO }),
            values: (_plot, splits) => splits.map((value) => format(value)),
          },
        ],
        series: [
          {},
          ...lines.map(({ label, colour, isDashed }) => ({
            label,
            stroke: colourOf(`.c${colour}`),
            width: 1.5,
            ...(isDashed && { dash: [5, 3] }),
            points: { show: false },
          })),
        ],
        hooks: { setCursor: [({ cursor }) => setAt(cursor.idx ?? null)] },
      },
      dataOf(times, lines),
      place,
    )
    plot.current = made
    const resized = new ResizeObserver(() =>
      made.setSize({ width: place.clientWidth, height: HEIGHT }),
    )
    resized.observe(place)
    const themed = () => made.redraw(false)
    addEventListener(THEME_EVENT, themed)
    return () => {
      resized.disconnect()
      removeEventListener(THEME_EVENT, themed)
      made.destroy()
    }
  }, [])
  useEffect(() => plot.current?.setData(dataOf(times, lines)), [times, lines])

  const shown = at !== null && at < times.length ? at : times.length - 1
  return (
    <figure class="chart" ref={frame} aria-label={title}>
      <figcaption>
        <b>{title}</b>
        <span>{at === null || shown < 0 ? '' : clockTime(times[shown]!)}</span>
      </figcaption>
      <div class="plot" ref={canvas} aria-hidden="true">
        <i class="axis" />
        <i class="grid" />
      </div>
      <dl>
        {lines.map(({ label, values, colour, isDashed }) => {
          const value = values[shown]
          return (
            <div key={label}>
              <dt>
                <i class={`line c${colour} ${isDashed ? 'dashed' : ''}`} aria-hidden="true" />
                {label}
              </dt>
              <dd>{value === null || value === undefined ? UNKNOWN : format(value)}</dd>
            </div>
          )
        })}
        {limit && (
          <div>
            <dt>{limit.label}</dt>
            <dd>{format(limit.value)}</dd>
          </div>
        )}
      </dl>
    </figure>
  )
}

const dataOf = (times: readonly number[], lines: readonly Line[]): uPlot.AlignedData => [
  [...times],
  ...lines.map(({ values }) => [...values]),
]
