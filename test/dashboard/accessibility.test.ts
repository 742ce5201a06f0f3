/** A34: what axe-core finds on every page of the dashboard, in both themes, on a phone and on a desk: nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { CHROMIUM, startBrowser, visit } from '../support/dashboard/browser.ts'
import { judge } from '../support/dashboard/judge.ts'
import {
  type DashboardTracker,
  startWithDashboard,
  TOKENS,
} from '../support/dashboard/tracker-with-dashboard.ts'
import { announcePacket, hashOf, udpSocket } from '../support/udp-client.ts'

const HASH = Buffer.from(hashOf(1)).toString('hex')
/** `content`: a text that stands there when all is there. */
const PLACES: readonly (readonly [place: string, title: string, content: string])[] = [
  ['', 'Now', 'Traffic per second'],
  ['torrents', 'Torrents', HASH],
  [`torrents/${HASH}`, 'Torrent', '-TR4050-'],
  ['keys', 'Keys', 'for ever'],
  ['whitelist', 'Whitelist', HASH],
  ['bans', 'Bans', '127.0.0.9'],
  ['log', 'Log', 'lines fit'],
  ['configuration', 'Configuration', 'core.private'],
]

let tracker: DashboardTracker
let browser: Browser

describe.skipIf(CHROMIUM === null)('accessibility', () => {
  beforeAll(async () => {
    ;[tracker, browser] = await Promise.all([startWithDashboard(), startBrowser()])
    await tracker.load([1, 2, 3].map(hashOf), ['-TR4050-'])
    using stranger = await udpSocket(tracker.udpPort, '127.0.0.1', '127.0.0.9')
    await stranger.ask(announcePacket(1n))
    const keys = [60, null].map((seconds_valid) => ({ key: null, seconds_valid }))
    await tracker.call('POST', 'keys/bulk', { keys })
    await tracker.call('POST', `whitelist/${HASH}`)
  })
  afterAll(async () => {
    await browser.close()
    await tracker[Symbol.asyncDispose]()
  })

  for (const theme of ['light', 'dark'] as const)
    for (const width of [390, 1440] as const)
      test(`${theme}, ${width} px`, async () => {
        await using visited = await visit(browser, tracker.url, { theme, width })
        const { page, go } = visited
        await page.getByLabel('Access token').waitFor()
        const found = await judge(visited, 'login')
        await page.getByLabel('Access token').fill(TOKENS.all)
        await page.keyboard.press('Enter')
        for (const [place, title, content] of PLACES) {
          await go(place, title)
          await page.getByRole('main').getByText(content).first().waitFor()
          found.push(...(await judge(visited, title)))
        }
        await go('bans', 'Bans')
        await page.getByRole('button', { name: 'Lift all' }).click()
        await page.getByRole('dialog').waitFor()
        found.push(...(await judge(visited, 'dialog')))
        await page.keyboard.press('Escape')
        await go('whitelist', 'Whitelist')
        await page.getByLabel('Info hashes or magnet links').fill('wrong')
        await page.getByText('Line 1:').waitFor()
        found.push(...(await judge(visited, 'mistakes')))
        expect(found).toEqual([])
        expect(visited.complaints).toEqual([])
      })
})
