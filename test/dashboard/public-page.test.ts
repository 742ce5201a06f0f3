/** H19: the page that an HTTP tracker shows to people, in a browser. */
import { expect, test } from 'bun:test'
import axe from 'axe-core'
import { CHROMIUM, seen, startBrowser, visit } from '../support/dashboard/browser.ts'
import { startTracker } from '../support/started-tracker.ts'
import { hashOf, udpPeer } from '../support/udp-client.ts'

const REST = (port: number, shown: boolean) => `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[[http_trackers]]
bind_address = "127.0.0.1:${port}"
public_page = ${shown}
[health_check_api]
bind_address = "127.0.0.1:0"
`

test.skipIf(CHROMIUM === null)('H19: tells how to announce and how many share', async () => {
  await using tracker = await startTracker({ rest: REST(0, false) })
  const port = tracker.ports.http[0]!
  const url = `http://127.0.0.1:${port}`
  expect((await fetch(url)).status).toBe(404)
  using peer = await udpPeer(tracker.ports.udp[0]!)
  await peer.announce(hashOf(1))
  // A reload is enough; the page that is made then knows the peer.
  tracker.toml = tracker.toml.replace('public_page = false', 'public_page = true')
  expect((await tracker.reload('test')).mistakes).toEqual([])
  await using browser = await startBrowser()
  for (const theme of ['light', 'dark'] as const)
    for (const width of [390, 1440] as const) {
      await using visited = await visit(browser, url, { theme, width })
      const { page, complaints, foreign } = visited
      const text = await seen(page.locator('body'))
      expect(text).toContain('This is a BitTorrent tracker')
      expect(text).toContain(`udp://127.0.0.1:${tracker.ports.udp[0]}/announce`)
      expect(text).toContain(`http://127.0.0.1:${port}/announce`)
      expect(text).toMatch(/Torrents\s+1\s+Seeders\s+1\s+Leechers\s+0/)
      await page.evaluate(axe.source)
      const violations = await page.evaluate(
        'axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))',
      )
      expect(violations).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth > innerWidth')).toBe(false)
      expect([complaints, foreign]).toEqual([[], []])
    }
})
