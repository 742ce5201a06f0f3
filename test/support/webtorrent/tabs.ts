/**
 * Tabs of a browser that exchange files with WebTorrent, through the page share/webtorrent/demo.html. All stays on the
 * loopback.
 */
import { join } from 'node:path'
import type { Browser, BrowserContext } from 'playwright-core'
import { CHROMIUM, startBrowser } from '../dashboard/browser.ts'
import { npmFile } from '../npm-packages.ts'
import { PATIENCE_MILLISECONDS } from '../until.ts'

export const PAGE = join(import.meta.dir, '../../../share/webtorrent/demo.html')
const webtorrent = npmFile('webtorrent/dist/webtorrent.min.js')
export const HAS_WEBTORRENT = CHROMIUM !== null && webtorrent !== null

const ARGUMENTS = [
  // Otherwise the addresses in offers are names that only the local network resolves.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--allow-loopback-in-peer-connection',
]

export type Tabs = Awaited<ReturnType<typeof startTabs>>
export type Tab = Awaited<ReturnType<typeof openTab>>

/** A browser, and a server for the page and the library. */
export async function startTabs() {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    routes: {
      '/': () => new Response(Bun.file(PAGE)),
      '/webtorrent.min.js': () => new Response(Bun.file(webtorrent!)),
    },
  })
  const browser: Browser = await startBrowser(ARGUMENTS)
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  context.setDefaultTimeout(PATIENCE_MILLISECONDS)
  // With it a page may use every address of the machine; without it only one on the way to the internet.
  await context.grantPermissions(['microphone'])
  return {
    /** Shows the page, with that tracker. */
    open: (tracker: string) => {
      const parameters = { tracker, webtorrent: '/webtorrent.min.js', stun: 'none' }
      return openTab(context, `${server.url}?${new URLSearchParams(parameters)}`)
    },
    async [Symbol.asyncDispose]() {
      await browser.close()
      await server.stop(true)
    },
  }
}

async function openTab(context: BrowserContext, url: string) {
  const page = await context.newPage()
  const frames: (string | Buffer)[] = []
  const sent: string[] = []
  const complaints: string[] = []
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => frames.push(payload))
    socket.on('framesent', ({ payload }) => sent.push(String(payload)))
  })
  page.on('pageerror', ({ message }) => complaints.push(message))
  await page.goto(url)
  return {
    /** What the tracker sent to it: texts, unless it sends binary frames. */
    frames,
    /** What it sent to the tracker. */
    sent,
    /** Errors of the page. */
    complaints,
    /** Offers a file; resolves with its magnet link. */
    async seed(name: string, content: Uint8Array): Promise<string> {
      const file = { name, mimeType: 'application/octet-stream', buffer: Buffer.from(content) }
      await page.locator('#seed').setInputFiles(file)
      return (await page.locator('#result a[href^="magnet:"]').textContent()) ?? ''
    },
    /** Resolves with the SHA-256 of the file, hexadecimal, once all of it is here. */
    async download(magnet: string): Promise<string> {
      await page.locator('#magnet').fill(magnet)
      await page.locator('#download').click()
      await page.locator('#result a[download]').waitFor()
      return await page.evaluate<string>(`(async () => {
        const { href } = document.querySelector('#result a[download]')
        const bytes = await (await fetch(href)).arrayBuffer()
        return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).toHex()
      })()`)
    },
    close: () => page.close(),
  }
}
