/** The page that an HTTP tracker shows to people. */
import { expect, test } from 'bun:test'
import { Live } from '../../src/view/live.ts'
import { printPublicPage } from '../../src/view/public-page.ts'
import { meteredListener, metricSources } from '../support/view/metric-sources.ts'

function live(announceUrl = 'udp://HOST:6969/announce') {
  let milliseconds = 1_800_000_000_000
  const listener = { ...meteredListener(1), url: 'udp://0.0.0.0:6969', announceUrl }
  const shown = new Live(
    () => metricSources({ milliseconds, listeners: [listener] }),
    () => [listener],
  )
  return {
    shown,
    pass(minutes: number) {
      for (let second = 0; second < minutes * 60 + 1; second++) {
        milliseconds += 1_000
        shown.tick()
      }
    },
  }
}

test('it has the announce URLs and the numbers, and loads nothing', () => {
  const page = printPublicPage(live().shown)
  expect(page).toContain('<li><code>udp://HOST:6969/announce</code></li>')
  for (const [name, value] of Object.entries({ Torrents: 3, Seeders: 25, Leechers: 47 }))
    expect(page).toContain(`<dt>${name}</dt><dd>${value}</dd>`)
  expect(page).not.toMatch(/<script|src=|href=|url\(|<svg/)
  const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(page)!
  const [, style] = /<style>(.*?)<\/style>/s.exec(page)!
  const hash = new Bun.CryptoHasher('sha256').update(style!).digest('base64')
  expect(policy).toBe(
    `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`,
  )
})

test('it has a chart once there is something to see', () => {
  const { shown, pass } = live()
  pass(3)
  const page = printPublicPage(shown)
  expect(page).toContain('aria-label="Peers in the last 3 minutes, at most 72"')
  expect(page).toContain('points="0,40 1,40 2,40"')
  pass(120)
  expect(printPublicPage(shown)).toContain('in the last 2 hours')
})

test('what the operator wrote into a URL stays text', () => {
  expect(printPublicPage(live('http://a/"><b>&').shown)).toContain(
    '<code>http://a/&quot;&gt;&lt;b&gt;&amp;</code>',
  )
})
