/**
 * The kinds of panels that the dashboards of share/grafana are made of, so that all of one kind look alike: a tile says
 * one figure, a chart shows how figures went, bars compare those of one moment. Grafana's own types check their form.
 */
import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge'
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import * as common from '@grafana/grafana-foundation-sdk/common'
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus'
import * as stat from '@grafana/grafana-foundation-sdk/stat'
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries'

/** The Prometheus that is asked is chosen in the dashboard. */
const DATASOURCE: common.DataSourceRef = { type: 'prometheus', uid: '$datasource' }
const HEIGHT = { tile: 4, chart: 8 }

export type Panel = Builder<dashboard.Panel>
/** A metric of what the dashboard shows, as it is or by the second; `labels` as in a selector. */
export type Select = (metric: string, ...labels: string[]) => string

type Colour = 'green' | 'orange' | 'red' | 'blue'
/** From which value on a figure has a colour; the first has none. */
type Steps = readonly [Colour, ...(readonly [from: number, Colour])[]]

type PanelOptions = {
  /** What the figures are, and what to do when they are not as they should be. */
  readonly description: string
  readonly unit: string
  /** Of 24 columns. */
  readonly width: number
  /** Expressions by legend, which may contain labels as `{{label}}`. */
  readonly queries: Readonly<Record<string, string>>
  readonly steps?: Steps
  /** Shown where there is nothing to measure. */
  readonly nothing?: string
}

const targets = (
  queries: PanelOptions['queries'],
  adapt: (query: prometheus.DataqueryBuilder) => prometheus.DataqueryBuilder = (query) => query,
): prometheus.DataqueryBuilder[] =>
  Object.entries(queries).map(([legend, expr], i) =>
    adapt(
      new prometheus.DataqueryBuilder()
        .datasource(DATASOURCE)
        .refId(String.fromCharCode(65 + i))
        .expr(expr)
        .legendFormat(legend),
    ),
  )

const thresholds = ([first, ...more]: Steps): dashboard.ThresholdsConfigBuilder =>
  new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([
      { value: null, color: first },
      ...more.map(([value, color]): dashboard.Threshold => ({ value, color })),
    ])

const lastValue = (): common.ReduceDataOptionsBuilder =>
  new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false)

/** One figure, large. `words` say what single values mean; `text`: the legend is what to read, not the value. */
export function tile(
  title: string,
  {
    words = {},
    text = false,
    graph = false,
    ...options
  }: PanelOptions & {
    readonly words?: Readonly<Record<number, readonly [string, Colour]>>
    readonly text?: boolean
    readonly graph?: boolean
  },
): Panel {
  const mappings: dashboard.ValueMap = {
    type: dashboard.MappingType.ValueToText,
    options: Object.fromEntries(
      Object.entries(words).map(([value, [said, color]], index) => [
        value,
        { text: said, color, index },
      ]),
    ),
  }
  return new stat.PanelBuilder()
    .title(title)
    .description(options.description)
    .datasource(DATASOURCE)
    .span(options.width)
    .height(HEIGHT.tile)
    .unit(options.unit)
    .noValue(options.nothing ?? 'no data')
    .mappings(Object.keys(words).length === 0 ? [] : [mappings])
    .thresholds(thresholds(options.steps ?? ['blue']))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .reduceOptions(lastValue())
    .textMode(text ? common.BigValueTextMode.Name : common.BigValueTextMode.Value)
    .colorMode(
      Object.keys(words).length > 0 || text
        ? common.BigValueColorMode.Background
        : common.BigValueColorMode.Value,
    )
    .graphMode(graph ? common.BigValueGraphMode.Area : common.BigValueGraphMode.None)
    .targets(targets(options.queries, (query) => (graph ? query.range() : query.instant())))
}

/** Lines over time. `max`: the scale ends there at least. */
export function chart(
  title: string,
  {
    stacked = false,
    max,
    ...options
  }: PanelOptions & { readonly stacked?: boolean; readonly max?: number },
): Panel {
  const panel = new timeseries.PanelBuilder()
    .title(title)
    .description(options.description)
    .datasource(DATASOURCE)
    .span(options.width)
    .height(HEIGHT.chart)
    .unit(options.unit)
    .noValue(options.nothing ?? 'no data')
    .min(0)
    .lineWidth(1)
    .fillOpacity(stacked ? 40 : 10)
    .showPoints(common.VisibilityMode.Never)
    .stacking(
      new common.StackingConfigBuilder().mode(
        stacked ? common.StackingMode.Normal : common.StackingMode.None,
      ),
    )
    .thresholds(thresholds(options.steps ?? ['green']))
    .thresholdsStyle(
      new common.GraphThresholdsStyleConfigBuilder().mode(
        options.steps === undefined
          ? common.GraphThresholdsStyleMode.Off
          : common.GraphThresholdsStyleMode.Dashed,
      ),
    )
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.Table)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder()
        .mode(common.TooltipDisplayMode.Multi)
        .sort(common.SortOrder.Descending),
    )
    .targets(targets(options.queries, (query) => query.range()))
  return max === undefined ? panel : panel.axisSoftMax(max)
}

/** A bar for each series, or for each bucket of a histogram. */
export function bars(
  title: string,
  { buckets = false, ...options }: PanelOptions & { readonly buckets?: boolean },
): Panel {
  const format = buckets
    ? prometheus.PromQueryFormat.Heatmap
    : prometheus.PromQueryFormat.TimeSeries
  return new bargauge.PanelBuilder()
    .title(title)
    .description(options.description)
    .datasource(DATASOURCE)
    .span(options.width)
    .height(HEIGHT.chart)
    .unit(options.unit)
    .noValue(options.nothing ?? 'no data')
    .min(0)
    .thresholds(thresholds(options.steps ?? ['blue']))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .displayMode(common.BarGaugeDisplayMode.Basic)
    .orientation(common.VizOrientation.Horizontal)
    .reduceOptions(lastValue())
    .targets(targets(options.queries, (query) => query.instant().format(format)))
}

/** A variable whose values Prometheus knows. */
const variable = (name: string, label: string, query: string): dashboard.QueryVariableBuilder =>
  new dashboard.QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query(query)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.NaturalAsc)

/** A dashboard of one tracker; `variables` choose what of it. Sections have a title, except for the first. */
export function board(
  uid: string,
  title: string,
  {
    description,
    variables = [],
    sections,
  }: {
    readonly description: string
    readonly variables?: readonly (readonly [name: string, label: string, query: string])[]
    readonly sections: Readonly<Record<string, readonly Panel[]>>
  },
): dashboard.Dashboard {
  const whole = new dashboard.DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['tracker'])
    .timezone('browser')
    .time({ from: 'now-3h', to: 'now' })
    .refresh('30s')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .link(
      new dashboard.DashboardLinkBuilder('Tracker')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(['tracker'])
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(
      new dashboard.DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    )
  whole.withVariable(variable('tracker', 'Tracker', 'label_values(tracker_build_info, instance)'))
  for (const each of variables) whole.withVariable(variable(...each))
  for (const [i, [name, panels]] of Object.entries(sections).entries()) {
    if (i > 0) whole.withRow(new dashboard.RowBuilder(name))
    for (const panel of panels) whole.withPanel(panel)
  }
  const built = whole.build()
  const { panels = [] } = built
  // Links to a panel name its number.
  return { ...built, panels: panels.map((panel, i) => ({ ...panel, id: i + 1 })) }
}
