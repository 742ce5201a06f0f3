/**
 * How far a process grows under the requests that leave most garbage: a whole tracker as a child process, whose
 * peak the kernel reports. Asserts nothing about time.
 */

import { expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TOKEN } from '../support/api/cases.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'
import { sample } from '../support/thorough.ts'
import { announcePacket, connected, hashOf } from '../support/udp-client.ts'

const PATIENCE = 120_000
/** Each kind below comes to 170 MiB and more where nothing is collected, and to half of this where it is. */
const MOST_GROWTH_MIB = 150

const room = sharedDirectory()

type Child = Awaited<ReturnType<typeof startChild>>
async function startChild() {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, '../support/servers/memory-server.ts')],
    {
      cwd: room.path,
      stdin: 'pipe',
      stdout: 'pipe',
    },
  )
  const { value } = await child.stdout.getReader().read()
  const ports = JSON.parse(Buffer.from(value!).toString()) as Record<
    'udp' | 'http' | 'api' | 'health',
    number
  >
  const url = (kind: 'http' | 'api' | 'health') => `http://127.0.0.1:${ports[kind]}`
  const kib = (field: string) =>
    Number(
      new RegExp(`${field}:\\s+(\\d+) kB`).exec(
        readFileSync(`/proc/${child.pid}/status`, 'latin1'),
      )![1],
    )
  return {
    ...ports,
    url,
    /** MiB by which the peak during `deed` is above what was resident before. */
    async growth(deed: () => Promise<unknown>): Promise<number> {
      // The peak begins anew.
      writeFileSync(`/proc/${child.pid}/clear_refs`, '5')
      const before = kib('VmRSS')
      await deed()
      return (kib('VmHWM') - before) / 1024
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await child.exited
    },
  }
}

/** `count` calls of `ask`, some at once. */
async function many(count: number, ask: () => Promise<unknown>): Promise<void> {
  let left = count
  const one = async () => {
    while (left-- > 0) await ask()
  }
  await Promise.all([one(), one(), one(), one()])
}

/** Reads the answer and lets go of it. */
async function fetched(url: string, status: number, init: RequestInit = {}): Promise<void> {
  const response = await fetch(url, {
    ...init,
    headers: { 'accept-encoding': 'identity', ...init.headers },
  })
  expect(response.status).toBe(status)
  for await (const _ of response.body ?? []);
}
const asOperator = { authorization: `Bearer ${TOKEN}` }

async function announceAll(
  tracker: Child,
  count: number,
  fields: (n: number) => Parameters<typeof announcePacket>[1],
) {
  using client = await connected(tracker.udp)
  const answers: Promise<unknown>[] = []
  for (let n = 0; n < count; n++) {
    client.send(announcePacket(client.id, fields(n)))
    answers.push(client.receive(PATIENCE))
    if (answers.length === 32) await Promise.all(answers.splice(0))
  }
  await Promise.all(answers)
}

type Deed = (tracker: Child) => Promise<unknown>
function stays(what: string, deed: Deed, before: Deed = async () => {}): void {
  test.skipIf(process.platform !== 'linux')(
    `memory stays bounded under ${what}`,
    async () => {
      await using tracker = await startChild()
      await before(tracker)
      expect(await tracker.growth(() => deed(tracker))).toBeLessThan(MOST_GROWTH_MIB)
    },
    PATIENCE,
  )
}

stays('datagrams of 64 KiB', async ({ udp }) => {
  using client = await connected(udp)
  const options = new Array<number>(65_000).fill(0)
  const packet = announcePacket(client.id, { options })
  for (let n = 0; n < 7_000; n++) {
    client.send(packet)
    await client.receive(PATIENCE)
  }
})

const target = `?${'a'.repeat(15_000)}`
for (const [kind, path] of sample([
  ['health', '/'],
  ['api', '/api/health_check'],
  ['http', '/announce'],
] as const))
  stays(`long targets to the ${kind} server`, ({ url }) =>
    many(20_000, () => fetched(url(kind) + path + target, 200)),
  )

for (const [what, count, text] of sample([
  ['letters', 200, 'a'.repeat(2_000_000)],
  ['escapes', 16, '\\n'.repeat(1_000_000)],
] as const))
  stays(`API bodies of 2 MiB of ${what}`, ({ url }) => {
    const headers = { ...asOperator, 'content-type': 'application/json' }
    const request = { method: 'POST', headers, body: `{"no":"${text}"}` }
    return many(count, () => fetched(`${url('api')}/api/v1/whitelist/bulk`, 422, request))
  })

const lists = (path: string) => (tracker: Child) =>
  many(40, () => fetched(tracker.url('api') + path, 200, { headers: asOperator }))

stays('questions for 50,000 torrents', lists('/api/v1/torrents?limit=50000'), (tracker) =>
  announceAll(tracker, 50_000, (n) => {
    const infoHash = new Uint8Array(20)
    new DataView(infoHash.buffer).setUint32(0, n * 85_899)
    return { infoHash, want: 1 }
  }),
)

stays(
  'questions for a torrent with 10,000 peers',
  lists(`/api/v1/torrent/${'07'.repeat(20)}`),
  (tracker) =>
    announceAll(tracker, 10_000, (n) => ({ infoHash: hashOf(7), port: 1_000 + n, want: 1 })),
)
