/** What is wrong with a page of the dashboard for readers who hear it, use a keyboard, or have a small screen. */
import axe from 'axe-core'
import type { Visited } from './browser.ts'

/** What axe-core finds, and where; and whether the page is wider than the window. */
export async function judge({ page }: Visited, where: string): Promise<string[]> {
  await page.evaluate(axe.source)
  const found: string[] = await page.evaluate(`
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(
      ({ id, nodes }) => ${JSON.stringify(where)} + ': ' + id + ' ' + nodes.map(({ html }) => html.slice(0, 200)).join(' | ')))`)
  const isWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth')
  return isWide ? [...found, `${where}: wider than the window`] : found
}
