/** A34: the files of the dashboard, as the tracker sends them. */
import { expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { Dashboard } from '../../src/dashboard/assets.ts'

/** What a phone loads over a slow line in a second or two. */
const MOST_BYTES = 75_000

async function allFiles() {
  const dashboard = new Dashboard()
  const page = await dashboard.find('')
  const html = Buffer.from(page!.bytes).toString()
  const names = Array.from(html.matchAll(/(?:href|src)="assets\/([^"]+)"/g), ([, name]) => name!)
  const files = await Promise.all(names.map((name) => dashboard.find(name)))
  return { html, names, files: [page!, ...files.map((file) => file!)] }
}

test('all of it is small', async () => {
  const { names, files } = await allFiles()
  expect(names.map((name) => name.replace(/^.*\./, '')).sort()).toEqual(['css', 'js', 'svg'])
  const size = files.reduce((sum, { bytes }) => sum + gzipSync(bytes).length, 0)
  expect(size).toBeLessThan(MOST_BYTES)
  // It is not empty either.
  expect(size).toBeGreaterThan(30_000)
})

test('the page has neither code nor styles in it, and every address is relative', async () => {
  const { html } = await allFiles()
  expect(html).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/)
  for (const [, address] of html.matchAll(/(?:href|src)="([^"]*)"/g))
    expect(address).toMatch(/^assets\/[\w.-]+$/)
})
