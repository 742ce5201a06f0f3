/** What the dashboard shows of users who are accounted, and changes, in a browser. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { CHROMIUM, seen, startBrowser, type Visited, visit } from '../support/dashboard/browser.ts'
import { judge } from '../support/dashboard/judge.ts'
import {
  type DashboardTracker,
  startWithDashboard,
  TOKENS,
} from '../support/dashboard/tracker-with-dashboard.ts'
import { announceQuery, get, percent } from '../support/http-client.ts'
import { hashOf } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

/** More than a number of JavaScript holds. */
const LARGE = '9007199254740993'
const GIB = 2 ** 30
const hexOf = (byte: number) => Buffer.from(hashOf(byte)).toString('hex')
const accounted = (toml: string) =>
  toml
    .replace('private = false', 'private = true')
    .replace('[runtime]', '[core.accounting]\nlevel = "users"\n[runtime]')

let tracker: DashboardTracker
let browser: Browser
const keys: string[] = []

describe.skipIf(CHROMIUM === null)('the dashboard of a tracker that accounts users', () => {
  beforeAll(async () => {
    ;[tracker, browser] = await Promise.all([startWithDashboard(), startBrowser()])
    await tracker.stop()
    tracker.configure(accounted)
    await tracker.start()
    for (const user of ['17', LARGE, 'null']) {
      const body = `{"key":null,"seconds_valid":null,"user_id":${user}}`
      keys.push(/"key":"(\w+)"/.exec(await tracker.callText('POST', 'keys', body))![1]!)
    }
    // A seeder that claims 3 GiB, a leecher that has got 2 of 4 GiB.
    await announce(0, { uploaded: 0, left: 0 })
    await announce(1, { downloaded: 0, left: 4 * GIB })
    await announce(0, { uploaded: 3 * GIB, left: 0 })
    await announce(1, { downloaded: 2 * GIB, left: 2 * GIB })
  })
  afterAll(async () => {
    await browser.close()
    await tracker[Symbol.asyncDispose]()
  })

  const announce = async (user: number, counters: Readonly<Record<string, number>>) => {
    const query = announceQuery({
      info_hash: percent(hashOf(1)),
      peer_id: `-TR4050-${String(user).padStart(12, '0')}`,
      port: 2_000 + user,
      event: undefined,
      ...counters,
    })
    const { body } = await get(tracker.httpUrl(), `/announce/${keys[user]}?${query}`)
    expect(`${body}`).toContain('8:interval')
    // Now it is in the books, before what another thread notes.
    await account(user + 1)
  }
  const look = async (work: (visited: Visited) => Promise<void>, token: string = TOKENS.all) => {
    await using visited = await visit(browser, tracker.url, { token })
    await visited.page.getByRole('link', { name: 'Accounts' }).waitFor()
    await work(visited)
    expect(visited.complaints).toEqual([])
    expect(visited.foreign).toEqual([])
  }
  const account = async (id: number) =>
    (await tracker.call('GET', `account/${id}`)) as Record<string, unknown>

  test('Accounts: listed in the order of choice, found by user id and by number', () =>
    look(async ({ page, go }) => {
      await go('accounts', 'Accounts')
      const rows = page.getByLabel('Accounts', { exact: true }).getByRole('row')
      await rows.nth(3).waitFor()
      expect(await seen(rows.nth(1))).toMatch(/^1\s+17\s+3 GiB\s+0 bytes\s+–\s/)
      expect(await seen(rows.nth(2))).toMatch(
        new RegExp(`^2\\s+${LARGE}\\s+0 bytes\\s+2 GiB\\s+0\\.00\\s`),
      )
      expect(await seen(rows.nth(3))).toMatch(/^3\s+none\s+.*never\s+served/s)
      await page.getByLabel('Order').selectOption('Most downloaded')
      await until('another order', async () => /^2\s/.test(await seen(rows.nth(1))))
      await page.getByLabel('Find by').fill('x')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').getByText('This is no number.').waitFor()
      await page.getByLabel('Find by').fill('18')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').getByText('User 18 is not known.').waitFor()
      await page.getByLabel('Find by').fill(LARGE)
      await page.keyboard.press('Enter')
      await page.getByText(`Account 2, user ${LARGE}`).waitFor()
      await page.getByLabel('What the number is').selectOption('account')
      await page.getByLabel('Find by').fill('1')
      await page.keyboard.press('Enter')
      await page.getByText('Account 1, user 17').waitFor()
      const figures = await seen(page.getByLabel('Figures'))
      expect(figures).toMatch(/Ratio\s+–\s+Uploaded\s+3 GiB\s+moved: 3 GiB\s/)
      expect(figures).toMatch(/Now\s+1\s+1 seeding, 0 leeching/)
      const moved = page.getByLabel('Torrents of the account')
      await moved.getByText('-TR4050-').waitFor()
      expect(await seen(moved)).toMatch(/3 GiB\s+0 bytes\s+.*seeds\s+no\s+.*-TR4050-/s)
      await moved.getByRole('link', { name: hexOf(1).slice(0, 12) }).click()
      await page.getByRole('heading', { level: 1, name: 'Torrent', exact: true }).waitFor()
      await page.getByText('Balance').waitFor()
      expect(await seen(page.getByLabel('Figures'))).toMatch(
        /Uploaded\s+3 GiB\s+Downloaded\s+2 GiB\s+Balance\s+1 GiB/,
      )
      await go('accounts/99', 'Account')
      await page.getByRole('alert').getByText('Account 99 is not known.').waitFor()
      await go('accounts/%3Cb%3E', 'Account')
      await page.getByText('This is no account').waitFor()
    }))

  test('an account is changed, and only in what was touched', () =>
    look(async ({ page, go }) => {
      await go('accounts/3', 'Account')
      await page.getByLabel('Downloads at once').fill('2')
      await page.getByLabel('Upload credited').fill('150')
      await page.getByLabel('It may download').uncheck()
      await page.getByLabel('Freeleech until').fill('2033-05-18T03:33:20')
      // By another, meanwhile.
      await tracker.call('PATCH', 'account/3', { max_peers: 7 })
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('Account 3 was changed.').waitFor()
      await page.getByText('may not download').waitFor()
      const free = await page.evaluate('new Date(2033, 4, 18, 3, 33, 20).getTime() / 1000')
      expect(await account(3)).toMatchObject({
        max_downloads: 2,
        max_peers: 7,
        up_percent: 150,
        down_percent: 100,
        can_download: false,
        enabled: true,
        free_until: free,
      })
      await page.getByLabel('Downloads at once').fill('')
      await page.getByLabel('Freeleech until').fill('')
      await page.getByRole('button', { name: 'Save' }).click()
      await until('no limit of its own', async () => (await account(3)).max_downloads === null)
      expect((await account(3)).free_until).toBeNull()
      // The browser itself refuses what is no percentage.
      await page.getByLabel('Upload credited').fill('1001')
      await page.getByRole('button', { name: 'Save' }).click()
      expect((await account(3)).up_percent).toBe(150)
    }))

  test('a gift and a fine, with a reason that is in the log', () =>
    look(async ({ page, go }) => {
      await go('accounts/3', 'Account')
      const adjust = async (amount: string, said: string) => {
        await page.getByLabel('Amount').fill(amount)
        await page.getByLabel('Reason').fill('a <b>gift</b>')
        await page.getByRole('button', { name: 'Adjust' }).click()
        await page.getByText(said).waitFor()
      }
      await adjust('1.5', '+1.5 GiB for account 3.')
      expect(await account(3)).toMatchObject({ credited_uploaded: 1.5 * GIB, uploaded: 0 })
      await adjust('-0.5', '−512 MiB for account 3.')
      expect((await account(3)).credited_uploaded).toBe(GIB)
      await go('log', 'Log')
      const lines = page.getByLabel('Lines of the log').getByRole('listitem')
      await lines.filter({ hasText: 'a <b>gift</b>' }).first().waitFor()
    }))

  test('flags are reviewed, and it can be taken back', () =>
    look(async ({ page, go }) => {
      // No one can have got this from user 17.
      await announce(0, { uploaded: 5_000 * GIB, left: 0 })
      await go('accounts', 'Accounts')
      const flags = page.getByLabel('Flags', { exact: true })
      await flags.getByText('faster than allowed').first().waitFor()
      const waiting = await flags.getByRole('row').count()
      await page.getByRole('button', { name: 'Reviewed flag' }).first().click()
      await page.getByText(/Flag \d+ is reviewed\./).waitFor()
      await until('one less', async () =>
        waiting === 2
          ? (await flags.count()) === 0
          : (await flags.getByRole('row').count()) === waiting - 1,
      )
      await page.getByRole('button', { name: 'Undo' }).click()
      await until('it again', async () => (await flags.getByRole('row').count()) === waiting)
      await go('accounts/1', 'Account')
      await flags.getByText('faster than allowed').first().waitFor()
      await go('accounts/2', 'Account')
      await page.getByText('No flag.').waitFor()
    }))

  test('Keys: for a user, replaced, and removed', () =>
    look(async ({ page, go }) => {
      await go('keys', 'Keys')
      await page.getByRole('link', { name: LARGE }).waitFor()
      await page.getByRole('link', { name: 'account 3' }).waitFor()
      await page.getByLabel('New keys are of user').fill('1x')
      const generate = page.getByRole('button', { name: 'Generate 1 key' })
      expect(await generate.isDisabled()).toBe(true)
      await page.getByLabel('New keys are of user').fill(LARGE)
      await generate.click()
      const made = await page.getByLabel('New key', { exact: true }).inputValue()
      await until(
        'two keys',
        async () => (await page.getByRole('link', { name: LARGE }).count()) === 2,
      )

      await page.getByRole('button', { name: `Replace ${made}` }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Replace' }).click()
      await page.getByText('The new key is').waitFor()
      await page.getByText(made).first().waitFor({ state: 'detached' })
      const text = await tracker.callText('GET', 'keys')
      expect(text).not.toContain(made)
      expect(text.split(`"user_id":${LARGE}`)).toHaveLength(3)

      await page
        .getByLabel('One a line: 32')
        .fill(`${'a'.repeat(32)} user=17\n${'b'.repeat(32)} 30d\n${'c'.repeat(32)} user=x`)
      await page.getByText(`Line 3: ${'c'.repeat(32)} user=x needs a number`).waitFor()
      await page.getByRole('button', { name: 'Add 2 keys without the wrong lines' }).click()
      await page.getByText('2 keys were added.').waitFor()
      const added = (await tracker.call('GET', 'keys')) as { key: string; account: number }[]
      const accountOf = (letter: string) =>
        added.find(({ key }) => key === letter.repeat(32))?.account
      expect([accountOf('a'), accountOf('b')]).toEqual([1, 2])

      await page.getByRole('button', { name: `Remove ${'a'.repeat(32)}` }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
      await page.getByRole('button', { name: 'Undo' }).click()
      await until('it again', async () =>
        /"key":"a{32}"[^}]*"account":1,/.test(await tracker.callText('GET', 'keys')),
      )
      // To an account without a user id no key can be given.
      await page.getByRole('button', { name: `Remove ${keys[2]}` }).click()
      await page.getByText('Account 3 stays, but has no user id').waitFor()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
      await page.getByText(`Key ${keys[2]} was removed.`).waitFor()
      expect(await page.getByRole('button', { name: 'Undo' }).count()).toBe(0)
    }))

  for (const theme of ['light', 'dark'] as const)
    for (const width of [390, 1440] as const)
      test(`axe-core finds nothing: ${theme}, ${width} px`, async () => {
        await using visited = await visit(browser, tracker.url, { theme, width, token: TOKENS.all })
        const { page, go } = visited
        await page.getByText('All is well').waitFor()
        const found: string[] = []
        for (const [place, title, content] of [
          ['accounts', 'Accounts', 'Flags to review'],
          ['accounts/2', 'Account', '-TR4050-'],
          ['keys', 'Keys', LARGE],
          [`torrents/${hexOf(1)}`, 'Torrent', 'Balance'],
        ] as const) {
          await go(place, title)
          await page.getByRole('main').getByText(content).first().waitFor()
          found.push(...(await judge(visited, title)))
        }
        expect(found).toEqual([])
        expect(visited.complaints).toEqual([])
      })

  test('a token that may only read sees accounts and changes nothing', () =>
    look(async ({ page, go }) => {
      await go('accounts', 'Accounts')
      await page.getByRole('link', { name: '1', exact: true }).first().waitFor()
      await go('accounts/1', 'Account')
      await page.getByText('the scope of reader is read').waitFor()
      const words = /Save|Adjust|eviewed/
      expect(await page.getByRole('main').getByRole('button', { name: words }).count()).toBe(0)
    }, TOKENS.read))
})

test.skipIf(CHROMIUM === null)(
  'N26: without accounts the dashboard has no page for them',
  async () => {
    await using tracker = await startWithDashboard()
    await using browser = await startBrowser()
    await using visited = await visit(browser, tracker.url, { token: TOKENS.all })
    const { page, go } = visited
    await page.getByText('All is well').waitFor()
    expect(await page.getByRole('link', { name: 'Accounts' }).count()).toBe(0)
    await go('accounts', 'Accounts')
    await page.getByText('This tracker keeps no accounts of users.').waitFor()
    await go('keys', 'Keys')
    await page.getByText('There are no keys.').waitFor()
    expect(await page.getByText('New keys are of user').count()).toBe(0)
    expect(visited.complaints).toEqual([])
  },
)
