/**
 * `bun bench/plot.ts RESULTS.json PLOT.svg`: draws what `--results` of a side-by-side run wrote: a bar for each server
 * in each table. Readable on a light and on a dark page.
 */
import type { Panel } from './side-by-side.ts'

const [from, to] = process.argv.slice(2)
if (from === undefined || to === undefined)
  throw new Error('usage: bun bench/plot.ts FROM.json TO.svg')
const results: { readonly machine: string; readonly panels: readonly Panel[] } =
  await Bun.file(from).json()

const WIDTH = 760
const LABEL = 110
const VALUE = 70
const BAR = { height: 16, step: 22 }
const PANEL = { head: 34, gap: 14 }

/** Not servers that track anything, but what a transport could do at most. */
const LIMITS = ['echo', 'elysia']

const lines: string[] = []
const text = (x: number, y: number, kind: string, words: string) =>
  lines.push(`<text x="${Math.round(x)}" y="${y}" class="${kind}">${Bun.escapeHTML(words)}</text>`)

let y = 0
for (const { transport, mix, servers } of results.panels) {
  const bars = Object.entries(servers)
    .map(([name, { perSecond }]) => ({ name, perSecond }))
    .sort((one, other) => other.perSecond - one.perSecond)
  const scale = (WIDTH - LABEL - VALUE) / bars[0]!.perSecond
  text(0, y + 20, 'head', `${transport.toUpperCase()}, ${mix}: answers per second on one core`)
  y += PANEL.head
  for (const { name, perSecond } of bars) {
    const kind = name.startsWith('tracker') ? 'ours' : LIMITS.includes(name) ? 'limit' : 'other'
    const width = Math.max(1, perSecond * scale)
    text(0, y + 12, 'name', kind === 'limit' ? `${name} (limit)` : name)
    lines.push(
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR.height}" class="${kind}"/>`,
    )
    text(LABEL + width + 6, y + 12, 'name', `${(perSecond / 1000).toFixed(1)}k`)
    y += BAR.step
  }
  y += PANEL.gap
}
text(0, y + 10, 'note', results.machine)

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 20}" width="${WIDTH}" height="${y + 20}" role="img">
<title>Answers per second of trackers on one core</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #6e7781 }
.head { font-weight: 600 }
.note { font-size: 11px }
.ours { fill: #2f81f7 }
.other { fill: #8c959f }
.limit { fill: none; stroke: #8c959f; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) { text { fill: #adbac7 } }
</style>
${lines.join('\n')}
</svg>
`
await Bun.write(to, svg)
