/** Links between threads: what crosses, in which order, and what does not when the other side falls behind. */
import { expect, test } from 'bun:test'
import { MessageChannel } from 'node:worker_threads'
import { LIMITS } from '../../src/limits.ts'
import { Links, RELAYED } from '../../src/relay/links.ts'
import { until } from '../support/until.ts'

type Heard = { readonly thread: number; readonly to: number; readonly text: string }

/** Both ends of a link, threads 1 and 2. */
function linked() {
  const heard: Heard[] = []
  const note = (thread: number, words: Int32Array, at: number, text: string) =>
    void heard.push({ thread, to: words[at + RELAYED.to]!, text })
  const [one, two] = [new Links(note), new Links(note)]
  const counts = join(one, two)
  return { one, two, heard, counts }
}

function join(one: Links, two: Links): Int32Array {
  const { port1, port2 } = new MessageChannel()
  const counts = new SharedArrayBuffer(8)
  one.add({ thread: 2, port: port1, counts, isFirst: true })
  two.add({ thread: 1, port: port2, counts, isFirst: false })
  return new Int32Array(counts)
}

function send(links: Links, thread: number, to: number): boolean {
  const room = links.send(thread, `text ${to}`)
  if (room === undefined) return false
  room.words[room.at + RELAYED.to] = to
  return true
}

test('what is sent in one turn arrives whole and in order, in both directions', async () => {
  const { one, two, heard, counts } = linked()
  for (let i = 0; i < 50; i++) expect(send(one, 2, i)).toBe(true)
  expect(send(two, 1, 99)).toBe(true)
  expect([...counts]).toEqual([50, 1])
  await until('all is there', () => heard.length === 51)
  expect(heard.filter(({ thread }) => thread === 1)).toEqual(
    Array.from({ length: 50 }, (_, i) => ({ thread: 1, to: i, text: `text ${i}` })),
  )
  expect(heard.filter(({ thread }) => thread === 2)).toEqual([
    { thread: 2, to: 99, text: 'text 99' },
  ])
  expect([...counts]).toEqual([0, 0])
  one.close()
  two.close()
})

test('nothing goes to a thread that there is no link to', () => {
  const { one, two } = linked()
  expect(send(one, 3, 1)).toBe(false)
  one.close()
  two.close()
})

test('W56: what is under way to a thread that does not read is limited', async () => {
  const { one, two, heard } = linked()
  for (let i = 0; i < LIMITS.relayedUnderWay; i++) expect(send(one, 2, i)).toBe(true)
  expect(send(one, 2, 0)).toBe(false)
  expect(send(two, 1, 0)).toBe(true)
  await until('it has read', () => heard.length === LIMITS.relayedUnderWay + 1)
  expect(send(one, 2, 0)).toBe(true)
  one.close()
  two.close()
})

test('W56: long messages count for more, so that memory is limited, and no longer once they are read', async () => {
  const { one, two, heard, counts } = linked()
  const text = 'x'.repeat(LIMITS.webSocketMessage)
  let sent = 0
  while (one.send(2, text) !== undefined) sent++
  expect(sent * text.length).toBeLessThan(2 ** 24)
  await until('it has read', () => heard.length === sent)
  expect([...counts]).toEqual([0, 0])
  one.close()
  two.close()
})

test('W55: a link that replaces another begins empty; what the old one held is gone', async () => {
  const { one, two, heard } = linked()
  for (let i = 0; i < LIMITS.relayedUnderWay; i++) send(one, 2, i)
  two.close()
  const successor = new Links((thread, words, at, text) => {
    heard.push({ thread, to: words[at + RELAYED.to]!, text })
  })
  join(one, successor)
  expect(send(one, 2, 7)).toBe(true)
  await until('it is there', () => heard.length > 0)
  expect(heard).toEqual([{ thread: 1, to: 7, text: 'text 7' }])
  one.close()
  successor.close()
})
