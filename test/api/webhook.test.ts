/** The webhook of accounting against receivers of all kinds (docs/behaviours.md N29). */
import { expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Webhook, type WebhookPace } from '../../src/api/webhook.ts'
import { MemoryAccounting } from '../support/api/memory-accounting.ts'
import { capturedLog } from '../support/captured-log.ts'
import { certify } from '../support/certificate.ts'
import { fakeHttpServer, respond, type Sender } from '../support/client/fake-http.ts'
import { dice, seed } from '../support/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

const SECRET = 'a secret of the tests'
const PACE: WebhookPace = {
  requestMilliseconds: 5_000,
  firstWaitMilliseconds: 1,
  longestWaitMilliseconds: 4,
  lookMilliseconds: 5,
}

type Page = {
  readonly accounts: { readonly id: number; readonly uploaded: number; readonly batch: number }[]
  readonly next: number
}

/** A webhook of `accounting`, which posts to `url`. */
function webhook(accounting: MemoryAccounting, url: string, changes: Partial<WebhookPace> = {}) {
  const { log, lines } = capturedLog()
  const reports: unknown[] = []
  const hook = new Webhook({
    accounting: accounting.store,
    log,
    report: (_what, error) => reports.push(error),
    pace: { ...PACE, ...changes },
  })
  hook.follow({ url, secret: SECRET })
  return { hook, lines, reports, [Symbol.asyncDispose]: () => hook[Symbol.asyncDispose]() }
}

/** A site that answers with what `statusOf` returns, and keeps the pages that it took. */
function site(
  statusOf: (posts: number) => number = () => 200,
  tls?: { cert: string; key: string },
) {
  const pages: Page[] = []
  const signatures: boolean[] = []
  let posts = 0
  let under = 0
  let most = 0
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    ...(tls && { tls }),
    async fetch(request) {
      most = Math.max(most, ++under)
      const body = await request.text()
      const expected = createHmac('sha256', SECRET).update(body).digest('hex')
      const isJson = request.headers.get('content-type') === 'application/json'
      signatures.push(request.headers.get('x-signature') === `sha256=${expected}` && isJson)
      const status = statusOf(posts++)
      if (status >= 200 && status < 300) pages.push(JSON.parse(body))
      under--
      const headers = status === 302 ? { location: '/elsewhere' } : {}
      return new Response(status === 204 || status === 304 ? null : 'x', { status, headers })
    },
  })
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${server.port}/hook?token=hidden`,
    port: server.port!,
    pages,
    signatures,
    get posts() {
      return posts
    },
    /** Requests at a time. */
    get most() {
      return most
    },
    /** What a copy of the pages, in their order, holds. */
    copy: () =>
      new Map(pages.flatMap(({ accounts }) => accounts.map((one) => [one.id, one.uploaded]))),
    [Symbol.dispose]: () => server.stop(true),
  }
}

const truth = ({ accounts }: MemoryAccounting) =>
  new Map([...accounts.values()].map(({ id, uploaded }) => [id, Number(uploaded)]))

test('N29: pages are signed, in order, one at a time, and a restart goes on behind the last', async () => {
  using receiver = site()
  const accounting = new MemoryAccounting()
  accounting.write(1, 2)
  for (let run = 0; run < 3; run++) {
    await using one = webhook(accounting, receiver.url)
    for (let n = 0; n < 20; n++) {
      accounting.write(n % 7)
      if (n % 5 === 0) await Bun.sleep(1)
    }
    await until('all is taken', () => accounting.marks.get('webhook') === accounting.batch)
    expect(one.reports).toEqual([])
    expect(one.lines).toEqual([])
  }
  const order = receiver.pages.map(({ next }) => next)
  expect(order).toEqual([...new Set(order)].sort((a, b) => a - b))
  expect(receiver.copy()).toEqual(truth(accounting))
  expect(new Set(receiver.signatures)).toEqual(new Set([true]))
  expect(receiver.most).toBe(1)
  expect(accounting.listeners.size).toBe(0)
})

test('N29: order holds over failures of site and database, and over restarts', async () => {
  const roll = dice()
  using receiver = site(() => [200, 200, 500, 204, 302, 404, 429][roll(7)]!)
  const accounting = new MemoryAccounting()
  for (let run = 0; run < 10; run++) {
    await using one = webhook(accounting, receiver.url)
    for (let n = 0; n < 30; n++) {
      accounting.write(roll(9))
      accounting.isAway = roll(4) === 0
      if (roll(3) === 0) await Bun.sleep(roll(4))
    }
    accounting.isAway = false
    if (run === 9)
      await until('all is taken', () => accounting.marks.get('webhook') === accounting.batch)
    expect(one.reports).toEqual([])
  }
  const order = receiver.pages.map(({ next }) => next)
  expect({ seed, order }).toEqual({ seed, order: order.toSorted((a, b) => a - b) })
  expect({ seed, copy: receiver.copy() }).toEqual({ seed, copy: truth(accounting) })
  expect(receiver.most).toBe(1)
})

test('one line says that it fails, one that it works again, and neither what is secret', async () => {
  using receiver = site((posts) => (posts < 6 ? 503 : 200))
  const accounting = new MemoryAccounting()
  accounting.write(1)
  await using one = webhook(accounting, receiver.url)
  await until('it is taken', () => receiver.pages.length === 1)
  await until('it says so', () => one.lines.length === 2)
  const origin = `http://127.0.0.1:${receiver.port}`
  expect(one.lines).toEqual([
    `ERROR ACCOUNTING: webhook ${origin}: HTTP status 503; it is tried again`,
    ` INFO ACCOUNTING: webhook ${origin}: works again after 0 s`,
  ])
})

test('410 ends it, until it has other settings', async () => {
  using gone = site(() => 410)
  using other = site()
  const accounting = new MemoryAccounting()
  accounting.write(1)
  await using one = webhook(accounting, gone.url)
  await until('it says so', () => one.lines.length === 1)
  expect(one.lines[0]).toContain('it answered 410: nothing is posted any more')
  accounting.write(2)
  one.hook.follow({ url: gone.url, secret: SECRET })
  await Bun.sleep(20)
  expect(gone.posts).toBe(1)
  expect(accounting.listeners.size).toBe(0)
  one.hook.follow({ url: other.url, secret: SECRET })
  await until('the other has it', () => other.copy().size === 2)
  one.hook.follow(null)
  await one.hook[Symbol.asyncDispose]()
  accounting.write(3)
  await Bun.sleep(20)
  expect(other.copy().size).toBe(2)
})

test('redirects are not followed', async () => {
  using receiver = site((posts) => (posts === 0 ? 302 : 200))
  const accounting = new MemoryAccounting()
  accounting.write(1)
  await using one = webhook(accounting, receiver.url)
  await until('it is taken', () => receiver.pages.length === 1)
  expect(receiver.posts).toBe(2)
  expect(one.lines[0]).toContain('HTTP status 302')
})

test('a certificate that nobody vouches for is refused', async () => {
  using directory = temporaryDirectory()
  const { cert, key } = await certify(directory.path, 'hook', { host: '127.0.0.1' })
  using receiver = site(() => 200, {
    cert: readFileSync(cert, 'utf8'),
    key: readFileSync(key, 'utf8'),
  })
  const accounting = new MemoryAccounting()
  accounting.write(1)
  await using one = webhook(accounting, receiver.url)
  await until('it says so', () => one.lines.length === 1)
  expect(one.lines[0]).toMatch(/certificate|SELF_SIGNED/i)
  expect(receiver.posts).toBe(0)
})

const endless = (socket: Sender, head: string): void => {
  socket.write(head)
  const timer = setInterval(() => {
    try {
      if (Number(socket.write('x'.repeat(65_536))) < 0) clearInterval(timer)
    } catch {
      clearInterval(timer)
    }
  }, 1)
  setTimeout(() => clearInterval(timer), 2_000)
}
const LIARS: Record<string, (request: string, socket: Sender) => void> = {
  'never answers': () => {},
  'closes at once': (_request, socket) => void socket.end(),
  'speaks no HTTP': (_request, socket) => {
    socket.write('220 smtp.example ESMTP\r\n')
    socket.end()
  },
  'begins an answer and goes silent': (_request, socket) => void socket.write('HTTP/1.1 2'),
  'sends headers without end': (_request, socket) => endless(socket, 'HTTP/1.1 200 OK\r\nx: '),
}
test.each(Object.entries(LIARS))('a receiver that %s is tried again', async (_name, behave) => {
  let isHonest = false
  const accounting = new MemoryAccounting()
  accounting.write(1)
  using receiver = await fakeHttpServer((request, socket) => {
    if (isHonest) socket.write(respond('thanks'))
    else behave(request, socket)
  })
  const url = `http://127.0.0.1:${receiver.port}/`
  await using one = webhook(accounting, url, { requestMilliseconds: 100 })
  await until('it is tried again', () => receiver.requests.length > 2)
  expect(accounting.marks.has('webhook')).toBe(false)
  isHonest = true
  await until('it is taken', () => accounting.marks.get('webhook') === 1)
  await until('connections are closed', () => receiver.open() === 0)
  expect(one.lines.map((line) => line.slice(0, 5).trim())).toEqual(['ERROR', 'INFO'])
  expect(one.reports).toEqual([])
})

test('a body that never ends is not read', async () => {
  const accounting = new MemoryAccounting()
  accounting.write(1)
  using receiver = await fakeHttpServer((_request, socket) =>
    endless(socket, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000\r\n'),
  )
  await using one = webhook(accounting, `http://127.0.0.1:${receiver.port}/`)
  await until('it is taken', () => accounting.marks.get('webhook') === 1)
  await until('the connection is closed', () => receiver.open() === 0)
  expect(one.lines).toEqual([])
})

test('a stop does not wait for a receiver that hangs, nor for the next try', async () => {
  using receiver = await fakeHttpServer(() => {})
  const accounting = new MemoryAccounting()
  accounting.write(1)
  const hanging = webhook(accounting, `http://127.0.0.1:${receiver.port}/`, {
    requestMilliseconds: 1e9,
  })
  await until('it hangs', () => receiver.requests.length === 1)
  await hanging.hook[Symbol.asyncDispose]()
  await until('the connection is closed', () => receiver.open() === 0)

  using refusing = site(() => 500)
  const waiting = webhook(accounting, refusing.url, {
    firstWaitMilliseconds: 1e9,
    longestWaitMilliseconds: 1e9,
  })
  await until('it waits', () => waiting.lines.length === 1)
  await waiting.hook[Symbol.asyncDispose]()
  expect(refusing.posts).toBe(1)
  expect(accounting.listeners.size).toBe(0)
  expect(hanging.lines).toEqual([])
})
