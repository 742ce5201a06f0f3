/**
 * The page (docs/behaviours.md H19) that an HTTP tracker shows to people who open its address in a browser, if its configuration wants that:
 * how to announce, how many share, and how many did in the last day. It loads nothing and runs nothing. The server
 * puts the host that a visitor asked for in place of HOST.
 */
import { count } from '../text/figures.ts'
import type { Live } from './live.ts'

const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:44rem;margin:3rem auto;padding:0 1rem}h1{font-size:1.4rem}dl{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:1.5rem 0}dt{opacity:.7}dd{margin:0;font-size:1.6rem;font-variant-numeric:tabular-nums}code{overflow-wrap:anywhere}svg{width:100%;height:8rem}polyline{fill:none;stroke:#2f6fde;stroke-width:2;vector-effect:non-scaling-stroke}.base{stroke:currentColor;opacity:.3}small{opacity:.7}`
const STYLE_HASH = new Bun.CryptoHasher('sha256').update(STYLE).digest('base64')

const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'`

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (one) => ESCAPES[one]!)

export function printPublicPage(live: Pick<Live, 'overview' | 'history'>): string {
  const { listeners, torrents, seeders, leechers } = live.overview()
  const urls = listeners.map(({ announce_url: url }) => `<li><code>${escaped(url)}</code></li>`)
  const figures = Object.entries({ Torrents: torrents, Seeders: seeders, Leechers: leechers })
  const shown = figures.map(
    ([name, value]) => `<div><dt>${name}</dt><dd>${count(value)}</dd></div>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>BitTorrent tracker</title><style>${STYLE}</style></head><body><main>
<h1>This is a BitTorrent tracker</h1>
<p>It tells clients who else shares a torrent. To announce here, give your client one of these addresses:</p>
<ul>${urls.join('')}</ul>
<dl>${shown.join('')}</dl>
${chart(live)}</main></body></html>
`
}

/** Peers over the last day; nothing until there is something to see. */
function chart(live: Pick<Live, 'history'>): string {
  const { series } = live.history('day')
  const peers = series.seeders.map((seeders, i) => (seeders ?? 0) + (series.leechers[i] ?? 0))
  if (peers.length < 2) return ''
  const most = Math.max(1, ...peers)
  const points = peers.map((value, i) => `${i},${Math.round(1_000 - (value / most) * 960)}`)
  const title = `Peers in the last ${peers.length < 90 ? `${peers.length} minutes` : `${Math.round(peers.length / 60)} hours`}, at most ${count(most)}`
  return `<svg viewBox="0 0 ${peers.length - 1} 1000" preserveAspectRatio="none" role="img" aria-label="${title}"><polyline class="base" points="0,1000 ${peers.length - 1},1000"/><polyline points="${points.join(' ')}"/></svg>
<small>${title}</small>
`
}
