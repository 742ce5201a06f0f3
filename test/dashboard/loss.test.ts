/** A34: the dashboard while its tracker is gone, and when it is back. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { CHROMIUM, logIn, startBrowser, visit } from '../support/dashboard/browser.ts'
import { startWithDashboard, TOKENS } from '../support/dashboard/tracker-with-dashboard.ts'
import { compiled } from '../support/e2e/program.ts'

describe.skipIf(CHROMIUM === null)('a tracker that stops and comes back', () => {
  // Its files are in the executable.
  const program = compiled()
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  })
  afterAll(() => browser.close())

  test('is missed, and the page goes on without being loaded again', async () => {
    await using tracker = await startWithDashboard(program)
    await using visited = await visit(browser, tracker.url, { token: TOKENS.all })
    const { page, go, complaints } = visited
    await page.getByText('All is well').waitFor()
    await go('keys', 'Keys')
    const field = page.getByLabel('One a line: 32')
    await field.fill('half done')

    await tracker.stop()
    await page.getByRole('alert').getByText('Connection lost').waitFor()
    await page.getByText('No connection').waitFor()
    // What is asked for now is not done, and that is said.
    await page.getByRole('button', { name: 'Generate 1 key' }).click()
    await page.getByText('Nothing was generated: The tracker does not answer.').waitFor()

    await tracker.start()
    // Sessions are in the tracker's memory: after a restart the token is asked for again, and cannot be evaded.
    await page.getByText('The session has ended').waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await logIn(page, TOKENS.all)
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByText('Live').waitFor()
    expect(await field.inputValue()).toBe('half done')
    await page.getByText('There are no keys.').waitFor()
    expect(complaints).toEqual([])
  })

  test('that does not answer for a while is missed, and heard again by itself', async () => {
    await using tracker = await startWithDashboard(program)
    await using visited = await visit(browser, tracker.url, { token: TOKENS.read })
    const { page, complaints } = visited
    await page.getByText('All is well').waitFor()
    tracker.pause()
    await page.getByText('No connection').waitFor()
    tracker.goOn()
    await page.getByText('Live').waitFor()
    await page.getByText('Connection lost').waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
  })

  test('is not kept busy by a page that nobody looks at', async () => {
    await using tracker = await startWithDashboard(program)
    await using visited = await visit(browser, tracker.url, { token: TOKENS.read })
    const { page, complaints } = visited
    await page.getByText('All is well').waitFor()
    const turn = (isHidden: boolean) =>
      page.evaluate(`{
        Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }`)
    const isLive = (request: { url(): string }) => request.url().endsWith('/live')
    const closed = page.waitForEvent('requestfailed', isLive)
    await turn(true)
    await closed
    const opened = page.waitForRequest(isLive)
    await turn(false)
    await opened
    await page.getByText('Live').waitFor()
    expect(complaints).toEqual([])
  })
})
