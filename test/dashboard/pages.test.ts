/** A34: every page of the dashboard and every action, in a browser, on a tracker with a small load. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import {
  CHROMIUM,
  logIn,
  seen,
  startBrowser,
  type Visited,
  visit,
} from '../support/dashboard/browser.ts'
import {
  type DashboardTracker,
  startWithDashboard,
  TOKENS,
} from '../support/dashboard/tracker-with-dashboard.ts'
import { announcePacket, hashOf, udpSocket } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const hexOf = (byte: number) => Buffer.from(hashOf(byte)).toString('hex')
const HASHES = [1, 2, 3].map(hashOf)
const MARKUP = ['<img src=x onerror=a()>', '<script>a()</script>', '"><b>&amp;']

let tracker: DashboardTracker
let browser: Browser

describe.skipIf(CHROMIUM === null)('the dashboard', () => {
  beforeAll(async () => {
    ;[tracker, browser] = await Promise.all([startWithDashboard(), startBrowser()])
    await tracker.load(HASHES, MARKUP)
  })
  afterAll(async () => {
    await browser.close()
    await tracker[Symbol.asyncDispose]()
  })

  /** Logs in, and in the end nothing was wrong. */
  const look = async (work: (visited: Visited) => Promise<void>, token: string = TOKENS.all) => {
    await using visited = await visit(browser, tracker.url, { token })
    await visited.page.getByRole('navigation', { name: 'Pages of the dashboard' }).waitFor()
    await work(visited)
    expect(visited.complaints).toEqual([])
    expect(visited.foreign).toEqual([])
  }

  test('a wrong token is told, a right one opens the page and is kept nowhere', async () => {
    await using visited = await visit(browser, tracker.url, { token: 'wrong' })
    const { page } = visited
    await page.getByRole('alert').getByText('This token is not valid.').waitFor()
    await page.getByLabel('Access token').fill(TOKENS.all)
    await page.keyboard.press('Enter')
    await page.getByText('All is well').waitFor()
    expect(await page.evaluate('document.cookie + JSON.stringify(localStorage)')).toBe('{}')
    expect(page.url()).toBe(`${tracker.url}/`)
    await page.reload()
    await page.getByText('All is well').waitFor()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('Access token').waitFor()
    await page.reload()
    await page.getByLabel('Access token').waitFor()
    expect(visited.complaints).toEqual([])
  })

  test('Now: figures, charts and announce URLs', () =>
    look(async ({ page }) => {
      const summary = page.getByLabel('Summary')
      await summary.getByText('3 seed, 3 leech').waitFor()
      expect(await seen(summary)).toMatch(/Peers\s+6\s[\s\S]*Torrents\s+3\s/)
      const url = `udp://127.0.0.1:${tracker.udpPort}/announce`
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
      await page.getByRole('button', { name: `Copy ${url}` }).click()
      expect(await page.evaluate('navigator.clipboard.readText()')).toBe(url)
      const charts = page.locator('.chart canvas')
      await charts.nth(5).waitFor()
      expect(await charts.count()).toBe(6)
      await page.getByText('Last 24 hours').click()
      await page.getByRole('radio', { name: 'Last 24 hours', checked: true }).waitFor()
      await page.locator('.chart canvas').nth(5).waitFor()
      // It goes on by itself.
      const calls = () => seen(page.getByLabel('Requests in the last second'))
      expect(await calls()).toMatch(/UDP/)
      using client = await udpSocket(tracker.udpPort)
      await until('requests on the page', async () => {
        await client.connect()
        return /UDP\s+[1-9]/.test(await calls())
      })
    }))

  test('Torrents: the largest first, found by magnet link, with peers whose names are only text', () =>
    look(async ({ page, go }) => {
      await go('torrents', 'Torrents')
      const rows = page.getByRole('table').getByRole('row')
      await page.getByRole('link', { name: hexOf(1) }).waitFor()
      expect(await seen(rows.nth(1))).toMatch(new RegExp(`^${hexOf(1)}\\s+3\\s+1\\s+0`))
      await page.getByLabel('Find a torrent').fill('<b>')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').getByText('This is no info hash').waitFor()
      await page.getByLabel('Find a torrent').fill(`magnet:?xt=urn:btih:${hexOf(1).toUpperCase()}`)
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: '4 peers' }).waitFor()
      const text = await seen(page.getByLabel('Peers'))
      for (const name of MARKUP) expect(text).toContain(name.replaceAll(' ', '·').slice(0, 20))
      expect(await page.locator('main img, main script, main td b').count()).toBe(0)
      await page.getByLabel('Filter').fill('script')
      await until('one peer', async () => (await rows.count()) === 2)
      // Back and forward.
      await page.goBack()
      await page.getByRole('heading', { level: 1, name: 'Torrents' }).waitFor()
      await page.goForward()
      await page.getByRole('heading', { name: '4 peers' }).waitFor()
      await go(`torrents/${hexOf(9)}`, 'Torrent')
      await page.getByText('The tracker does not know this torrent').waitFor()
      await go('torrents/%3Cscript%3E', 'Torrent')
      await page.getByText('This is no info hash.').waitFor()
      await go('torrents', 'Torrents')
      await page.getByLabel('Order').selectOption('Fastest growing')
      await page.getByText('None has grown since then.').waitFor()
      using client = await udpSocket(tracker.udpPort)
      const id = await client.connect()
      await client.ask(announcePacket(id, { infoHash: hashOf(2), port: 4_711 }))
      await page.getByRole('button', { name: 'Refresh' }).click()
      await page.getByRole('link', { name: hexOf(2) }).waitFor()
      expect(await seen(rows.nth(1))).toMatch(new RegExp(`^${hexOf(2)}\\s+\\+1\\s`))
      expect(await rows.count()).toBe(2)
    }))

  test('Keys: generated, found, removed and brought back with the time that was left', () =>
    look(async ({ page, go }) => {
      await go('keys', 'Keys')
      await page.getByText('There are no keys.').waitFor()
      await page.getByLabel('New keys are valid').selectOption('30 days')
      await page.getByLabel('How many').fill('60')
      await page.getByRole('button', { name: 'Generate 60 keys' }).click()
      const made = (await page.getByLabel('New keys', { exact: true }).inputValue())
        .split('\n')
        .sort()
      expect(made).toHaveLength(60)
      const rows = page.getByRole('table').getByRole('row')
      await until('a page of keys', async () => (await rows.count()) === 51)
      await page.getByRole('link', { name: 'Next' }).click()
      await until('the rest', async () => (await rows.count()) === 11)
      expect(await seen(rows.nth(1))).toContain(made[50]!)

      const key = made[30]!
      await page.getByLabel('Begins with').fill(key.slice(0, 20))
      await page.keyboard.press('Enter')
      await until('one key', async () => (await rows.count()) === 2)
      const remove = page.getByRole('button', { name: `Remove ${key}` })
      await remove.click()
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      await remove.click()
      await page.getByRole('dialog').waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      expect(await tracker.call('GET', 'keys')).toHaveLength(60)
      await remove.click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
      await page.getByText(`Key ${key} was removed.`).waitFor()
      expect(await tracker.call('GET', 'keys')).toHaveLength(59)
      await page.getByText('No entry begins with').waitFor()
      await page.getByRole('button', { name: 'Undo' }).click()
      await until('one key', async () => (await rows.count()) === 2)
      const back = (await tracker.call('GET', 'keys')) as { key: string; valid_until: number }[]
      const [first, again] = [back[0]!, back.find((one) => one.key === key)!]
      expect(Math.abs(again.valid_until - first.valid_until)).toBeLessThan(60)

      await page
        .getByLabel('One a line: 32')
        .fill(`${'a'.repeat(32)} 12h\n${'b'.repeat(32)}\nshort`)
      await page.getByText('Line 3: short is no key').waitFor()
      await page.getByRole('button', { name: 'Add 2 keys without the wrong lines' }).click()
      await page.getByText('2 keys were added.').waitFor()
      expect(await tracker.call('GET', 'keys')).toHaveLength(62)
    }))

  test('Whitelist: 50,000 lines are checked before they are sent, and the page never freezes', () =>
    look(async ({ page, go }) => {
      await go('whitelist', 'Whitelist')
      const lines = Array.from({ length: 50_000 }, (_, i) => i.toString(16).padStart(40, '0'))
      lines[41_999] = '<b>wrong</b>'
      lines[3] = lines[2]!
      const paste = (text: string) =>
        page.evaluate(`{
          const data = new DataTransfer()
          data.setData('text/plain', ${JSON.stringify(text)})
          const field = document.querySelector('#bulk')
          field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
        }`)
      await page.evaluate(`
        window.longest = 0
        new PerformanceObserver((list) => {
          for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
        }).observe({ type: 'longtask' })`)
      await paste(lines.join('\n'))
      await page.getByText('50,000 lines').waitFor()
      await page.getByText('Line 42,000: <b>wrong</b> is no info hash').waitFor()
      await page.getByText('49,998 torrents, 1 line repeated, 1 line wrong').waitFor()
      expect(await tracker.call('GET', 'whitelist?limit=1')).toEqual([])
      await page.getByRole('button', { name: 'Add 49,998 torrents' }).click()
      await page.getByText('49,998 torrents were added to the whitelist.').waitFor()
      // A second would be a page that does not answer; the machine may be slow.
      expect(await page.evaluate('longest')).toBeLessThan(1_000)
      expect(await tracker.call('GET', 'whitelist?offset=49997')).toHaveLength(1)

      const last = (49_999).toString(16).padStart(40, '0')
      await page.getByLabel('Begins with').fill(last)
      await page.keyboard.press('Enter')
      const remove = page.getByRole('button', { name: `Remove ${last}` })
      await remove.click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
      await page.getByText(`${last} was removed from the whitelist.`).waitFor()
      expect(await tracker.call('GET', 'whitelist?offset=49997')).toHaveLength(0)
      await page.getByRole('button', { name: 'Undo' }).click()
      await remove.waitFor()
      expect(await tracker.call('GET', 'whitelist?offset=49997')).toHaveLength(1)

      await paste(lines.slice(0, 2_000).join('\n'))
      await page.getByRole('button', { name: 'Remove 1,999 torrents' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove 1,999 torrents' }).click()
      await page.getByText('1,999 torrents were removed from the whitelist.').waitFor()
      expect(await tracker.call('GET', 'whitelist?limit=1')).toEqual([lines[2_000]!])
    }))

  test('Whitelist: a .torrent is dropped', () =>
    look(async ({ page, go }) => {
      await go('whitelist', 'Whitelist')
      const info = `d6:lengthi1e4:name1:x12:piece lengthi1e6:pieces20:${'p'.repeat(20)}e`
      const hash = new Bun.CryptoHasher('sha1').update(info).digest('hex')
      await page.evaluate(`{
        const data = new DataTransfer()
        data.items.add(new File([${JSON.stringify(`d4:info${info}e`)}], '<i>a\\nb.torrent'))
        data.items.add(new File(['not one'], 'other.torrent'))
        dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
      }`)
      await page.getByText('other.torrent: is not a .torrent file').waitFor()
      expect(await page.getByLabel('Info hashes or magnet links').inputValue()).toBe(
        `${hash} # <i>a b.torrent`,
      )
      await page.getByRole('button', { name: 'Add 1 torrent' }).click()
      await page.getByText('1 torrent was added to the whitelist.').waitFor()
      await tracker.call('DELETE', `whitelist/${hash}`)
    }))

  test('Whitelist: what is refused midway can be tried again', () =>
    look(async ({ page, go }) => {
      await go('whitelist', 'Whitelist')
      const lines = Array.from({ length: 12_000 }, (_, i) => `f${i.toString(16).padStart(39, '0')}`)
      let requests = 0
      await page.route('**/api/v1/whitelist/bulk', (route) =>
        ++requests === 2
          ? route.fulfill({ status: 500, body: 'Unhandled rejection: Err { reason: "disk full" }' })
          : route.continue(),
      )
      await page.evaluate(`{
        const data = new DataTransfer()
        data.items.add(new File([${JSON.stringify(lines.join('\n'))}], 'list.txt'))
        dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
      }`)
      await page.getByRole('button', { name: 'Add 12,000 torrents' }).click()
      const said = page.getByText('The first 5,000 are done, the rest is not: Disk full.')
      await said.waitFor()
      await page.getByRole('button', { name: 'Add 7,000 torrents' }).click()
      await page.getByText('7,000 torrents were added').waitFor()
      await tracker.call('DELETE', 'whitelist/bulk', { info_hashes: lines })
    }))

  test('Bans: listed, lifted one by one and all', () =>
    look(async ({ page, go }) => {
      for (const from of ['127.0.0.7', '127.0.0.8', '127.0.0.9']) {
        using client = await udpSocket(tracker.udpPort, '127.0.0.1', from)
        for (let i = 0; i < 20; i++) client.send(announcePacket(1n))
        await client.receive()
      }
      await until('three addresses', async () => {
        const bans = (await tracker.call('GET', 'bans')) as unknown[]
        return bans.length >= 3
      })
      await go('bans', 'Bans')
      await page.getByRole('button', { name: 'Lift 127.0.0.8' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Lift' }).click()
      await page.getByText('127.0.0.8 was forgiven.').waitFor()
      await page.getByRole('button', { name: 'Lift 127.0.0.8' }).waitFor({ state: 'detached' })
      expect(await tracker.call('GET', 'bans')).toHaveLength(2)
      await page.getByRole('button', { name: 'Lift all' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Lift' }).click()
      await page.getByText('No address has sent a wrong connection id lately.').waitFor()
      expect(await tracker.call('GET', 'bans')).toEqual([])
    }))

  test('Log: lines as they come, by level and text, and none while it is paused', () =>
    look(async ({ page, go }) => {
      await go('log', 'Log')
      const lines = page.getByLabel('Lines of the log').getByRole('listitem')
      await lines.filter({ hasText: 'Ready in' }).waitFor()
      const key = 'l'.repeat(32)
      await tracker.call('POST', 'keys', { key, seconds_valid: null })
      await lines.filter({ hasText: 'addKey' }).filter({ hasText: 'token=admin' }).last().waitFor()
      await page.getByLabel('Filter').fill('deletekey what=llll')
      await until('no line', async () => (await lines.count()) === 0)
      await page.getByRole('button', { name: 'Pause' }).click()
      await tracker.call('DELETE', `key/${key}`)
      await page.getByText('Paused').waitFor()
      await Bun.sleep(500)
      expect(await lines.count()).toBe(0)
      await page.getByRole('button', { name: 'Go on' }).click()
      await lines.filter({ hasText: 'deleteKey' }).waitFor()
      await page.getByLabel('Level').selectOption('error')
      await page.getByText('0 of 0 lines').waitFor()
    }))

  test('alerts are told in words, worst first, counted and said', () =>
    look(async ({ page }) => {
      await page.getByText('All is well').waitFor()
      const overview = await tracker.call('GET', 'overview')
      const alerts = [
        { level: 'critical', name: 'full', text: 'Memory is spent <b>now</b>.' },
        { level: 'warning', name: 'drops', text: 'Datagrams were dropped: `tracker doctor`.' },
      ]
      await page.route('**/api/v1/live', (route) => route.abort())
      await page.route('**/api/v1/overview', (route) =>
        route.fulfill({ json: { ...(overview as object), alerts } }),
      )
      await page.reload()
      await page.getByText('Memory is spent <b>now</b>.').waitFor()
      expect(await seen(page.getByLabel('Alerts'))).toMatch(/^Critical\s.*\s+Warning\s/)
      expect(await page.getByLabel('Alerts').locator('code').allInnerTexts()).toEqual([
        'tracker doctor',
      ])
      await page.getByRole('link', { name: 'Now 2 alerts' }).waitFor()
      expect(await page.title()).toBe('(2) Now · Tracker')
      alerts.pop()
      await page.getByRole('status').getByText('Memory is spent <b>now</b>.').waitFor()
    }))

  test('an overview of another version leaves a message, not an empty page', async () => {
    await using visited = await visit(browser, tracker.url)
    const { page } = visited
    await page.route('**/api/v1/live', (route) => route.abort())
    await page.route('**/api/v1/overview', (route) => route.fulfill({ json: { version: '9' } }))
    await logIn(page, TOKENS.all)
    await page.getByRole('heading', { name: 'The page failed' }).waitFor()
    await page.unroute('**/api/v1/overview')
    await page.getByRole('button', { name: 'Load it again' }).click()
    await page.getByText('All is well').waitFor()
  })

  test('Configuration: values with their origin, secrets masked', () =>
    look(async ({ page, go }) => {
      await go('configuration', 'Configuration')
      const rows = page.getByLabel('Options').getByRole('row')
      const row = (...texts: string[]) =>
        texts.reduce((found, text) => found.filter({ hasText: text }), rows).waitFor()
      await row('core.private', 'false', 'tracker.toml', 'by a reload')
      await row('core.database.path', '"tracker.db"', 'by a restart')
      await row('http_api.access_tokens.admin.token', '***')
      expect(await page.content()).not.toContain(TOKENS.all)
      const all = await rows.count()
      await page.getByLabel('Only what is set').check()
      await until('fewer options', async () => (await rows.count()) < all / 2)
      await page.getByLabel('Filter').fill('PRIVATE')
      await until('one option', async () => (await rows.count()) === 2)
      await page.getByLabel('Filter').fill('<b>')
      await page.getByText('No option fits the filter.').waitFor()
    }))

  test('Configuration: a reload says what it did, and why it did nothing', () =>
    look(async ({ page, go }) => {
      await go('configuration', 'Configuration')
      const reload = async () => {
        await page.getByRole('button', { name: 'Reload', exact: true }).click()
        await page.getByRole('dialog').getByRole('button', { name: 'Reload' }).click()
      }
      const told = () => page.getByRole('status').getByRole('listitem').allInnerTexts()
      await reload()
      await page.getByText('Nothing is different.').waitFor()
      tracker.configure((toml) => toml.replace('private = false', 'private = "<b>"'))
      await reload()
      await page.getByText('Nothing was changed').waitFor()
      expect((await told()).join()).toContain('core.private')
      tracker.configure((toml) =>
        toml.replace('private = false', 'private = true').replace('workers = 2', 'workers = 3'),
      )
      await reload()
      await page.getByText('Needs a restart').waitFor()
      const [applied, restart] = await told()
      expect(applied).toStartWith('core.private: false → true')
      expect(restart).toStartWith('runtime.workers: 2 → 3')
      tracker.configure()
      await reload()
      await page.getByText('core.private: true → false').waitFor()
    }))

  test('a torrent of a listed tracker is added to the whitelist where it is looked at', () =>
    look(async ({ page, go }) => {
      tracker.configure((toml) => toml.replace('listed = false', 'listed = true'))
      await tracker.call('POST', 'reload')
      await tracker.call('DELETE', `whitelist/${hexOf(1)}`)
      await go(`torrents/${hexOf(1)}`, 'Torrent')
      await page.getByText('Not in the whitelist').waitFor()
      await page.getByRole('button', { name: 'Add to the whitelist' }).click()
      await page.getByText('In the whitelist', { exact: true }).waitFor()
      await tracker.call('DELETE', `whitelist/${hexOf(1)}`)
      await page.getByRole('button', { name: 'Remove from the whitelist' }).click()
      await page.getByText('Not in the whitelist').waitFor()
      tracker.configure()
      await tracker.call('POST', 'reload')
    }))

  test('a token that may only read sees everything and is told why it changes nothing', () =>
    look(async ({ page, go }) => {
      await page.getByText('scope: read').waitFor()
      for (const [place, title] of [
        ['keys', 'Keys'],
        ['whitelist', 'Whitelist'],
        ['bans', 'Bans'],
        ['configuration', 'Configuration'],
      ] as const) {
        await go(place, title)
        await page.getByText('the scope of reader is read').waitFor()
        const words = /Remove|Generate|Lift|^Add|^Reload/
        expect(await page.getByRole('main').getByRole('button', { name: words }).count()).toBe(0)
      }
    }, TOKENS.read))

  test('behind a proxy that puts it under a path, it works as well', async () => {
    using proxy = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 60,
      fetch({ url, method, headers, body }) {
        const { pathname, search } = new URL(url)
        if (!pathname.startsWith('/some/path/')) return new Response('', { status: 404 })
        const target = `${tracker.url}${pathname.slice('/some/path'.length)}${search}`
        return fetch(target, { method, headers, body, decompress: false })
      },
    })
    await using visited = await visit(browser, `http://127.0.0.1:${proxy.port}/some/path`)
    const { page, go } = visited
    await logIn(page, TOKENS.all)
    await page.getByText('All is well').waitFor()
    await go(`torrents/${hexOf(1)}`, 'Torrent')
    await page.getByRole('heading', { name: '4 peers' }).waitFor()
    expect(visited.foreign).toEqual([])
  })

  test('a token for metrics is told what it opens', async () => {
    await using visited = await visit(browser, tracker.url, { token: TOKENS.metrics })
    await visited.page.getByRole('heading', { level: 1, name: 'Only metrics' }).waitFor()
    expect(visited.complaints).toEqual([])
  })

  test('the keyboard is enough, and the heading has the focus after each step', () =>
    look(async ({ page }) => {
      await page.keyboard.press('Tab')
      await page.getByRole('button', { name: 'Skip to the content' }).waitFor()
      await page.keyboard.press('Enter')
      expect(await page.evaluate('document.activeElement.id')).toBe('main')
      const link = page.getByRole('link', { name: 'Keys' })
      await link.focus()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: 'Keys' }).waitFor()
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Keys')
      expect(await page.title()).toBe('Keys · Tracker')
      expect(await link.getAttribute('aria-current')).toBe('page')
    }))

  test('the theme is that of the system until another is chosen, which stays', () =>
    look(async ({ page }) => {
      const ground = () =>
        page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
      const light = await ground()
      await page.emulateMedia({ colorScheme: 'dark' })
      const dark = await ground()
      expect(dark).not.toBe(light)
      await page.getByText('Light', { exact: true }).click()
      expect(await ground()).toBe(light)
      await page.reload()
      await page.getByText('All is well').waitFor()
      expect(await ground()).toBe(light)
    }))
})
