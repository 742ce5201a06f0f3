/** Debian's Chromium without a window, and pages in it that must neither complain nor load anything from elsewhere. */
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'

/** null: there is none on this machine, and tests that need it are skipped. */
export const CHROMIUM = Bun.which('chromium')
const PATIENCE_MILLISECONDS = 20_000

export async function startBrowser(more: readonly string[] = []): Promise<Browser> {
  if (CHROMIUM === null) throw new Error('there is no chromium')
  return await chromium.launch({
    executablePath: CHROMIUM,
    // Its sandbox wants what containers do not have; it sees nothing but our own pages.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', ...more],
  })
}

export type Visit = {
  readonly width?: 390 | 1440
  readonly theme?: 'light' | 'dark'
  /** Logs in with it. */
  readonly token?: string
}

export type Visited = Awaited<ReturnType<typeof visit>>

/** A browser of its own that shows the dashboard. */
export async function visit(browser: Browser, url: string, { width, theme, token }: Visit = {}) {
  const context = await browser.newContext({
    viewport: { width: width ?? 1440, height: 900 },
    colorScheme: theme ?? 'light',
    reducedMotion: 'reduce',
  })
  context.setDefaultTimeout(PATIENCE_MILLISECONDS)
  const page = await context.newPage()
  const complaints: string[] = []
  const foreign: string[] = []
  page.on('console', (message) => {
    // The browser itself reports every answer with an error, and every connection that fails.
    const isNetwork = /Failed to load resource|net::ERR/.test(message.text())
    if (['error', 'warning'].includes(message.type()) && !isNetwork) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) foreign.push(request.url())
  })
  await page.goto(`${url}/`)
  if (token !== undefined) await logIn(page, token)
  return {
    page,
    /** What the page complained of: errors, violations of its policy. */
    complaints,
    /** What it asked others than the tracker for. */
    foreign,
    /** Shows a page of the dashboard, as a click on a link does. */
    async go(place: string, title: string): Promise<void> {
      await page.evaluate(`location.hash = ${JSON.stringify(`#/${place}`)}`)
      await page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor()
    },
    [Symbol.asyncDispose]: () => context.close(),
  }
}

/** The text as a reader sees it. */
export const seen = async (place: Locator): Promise<string> =>
  (await place.allInnerTexts()).join('\n')

export async function logIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Access token').fill(token)
  await page.getByRole('button', { name: 'Log in' }).click()
}
