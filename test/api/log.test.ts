/** `GET /api/v1/log`: the last lines, and a stream of new ones (docs/behaviours.md A36). */
import { describe, expect, test } from 'bun:test'
import { MOST_STREAMS_EACH } from '../../src/api/event-stream.ts'
import { TOKEN } from '../support/api/cases.ts'
import { askWithToken, type Serving, serve } from '../support/api/served-api.ts'
import { dechunk } from '../support/http-client.ts'
import { until } from '../support/until.ts'

type Line = { level: string; target: string; fields: { message: string } }
const bearer = { authorization: `Bearer ${TOKEN}` }

function say(api: Serving): void {
  api.log.debug('API', 'first')
  api.log.info('TRACKER', 'second', { n: 2 })
  api.log.error('API', 'third')
}

async function messages(api: Serving, query: string): Promise<string[]> {
  const reply = await askWithToken(api.url, { path: `/api/v1/log${query}` })
  expect(reply.status).toBe(200)
  return (JSON.parse(`${dechunk(reply)}`) as Line[]).map(({ fields }) => fields.message)
}

/** A stream, and what has come of it so far. */
async function follow(
  api: Serving,
  query = '?follow=true',
  headers: Record<string, string> = {},
): Promise<{ response: Response; text: () => string; ended: Promise<void>; leave(): void }> {
  const leaving = new AbortController()
  const response = await fetch(`${api.url}/api/v1/log${query}`, {
    headers: { ...bearer, ...headers },
    signal: leaving.signal,
  })
  let text = ''
  const read = async () => {
    try {
      for await (const part of response.body!) text += Buffer.from(part).toString()
    } catch {
      // It left.
    }
  }
  return { response, text: () => text, ended: read(), leave: () => leaving.abort() }
}

test('A36: the last lines come oldest first, as many and as important as wanted', async () => {
  await using api = await serve()
  say(api)
  expect(await messages(api, '')).toEqual(['first', 'second', 'third'])
  expect(await messages(api, '?lines=2')).toEqual(['second', 'third'])
  expect(await messages(api, '?level=info&follow=false')).toEqual(['second', 'third'])
  expect(await messages(api, '?level=warn')).toEqual(['third'])
  expect(await messages(api, '?lines=0')).toEqual([])
  const { body } = await askWithToken(api.url, { path: '/api/v1/log?lines=1' })
  expect(`${body}`).toContain('"level":"ERROR","fields":{"message":"third"},"target":"API"')
})

test.each([
  ['?lines=-1', 'lines: invalid digit found in string'],
  ['?lines=12345678901', 'lines: invalid digit found in string'],
  ['?level=loud', 'level: unknown variant `loud`, expected one of error, warn, info, debug, trace'],
  ['?follow=yes', 'follow: unknown variant `yes`, expected `true` or `false`'],
])('A36: %s is refused', async (query, why) => {
  await using api = await serve()
  const { status, body } = await askWithToken(api.url, { path: `/api/v1/log${query}` })
  expect([status, `${body}`]).toEqual([400, `Failed to deserialize query string: ${why}`])
})

describe('A36: a stream', () => {
  test('has what is there at once, then what comes, and is not compressed', async () => {
    await using api = await serve()
    say(api)
    const stream = await follow(api, '?follow=true&level=info&lines=1', {
      'accept-encoding': 'gzip, zstd',
    })
    const { headers } = stream.response
    expect(headers.get('content-type')).toBe('text/event-stream')
    expect([headers.get('content-encoding'), headers.get('x-request-id') === null]).toEqual([
      null,
      false,
    ])
    await until('the line that was there', () => stream.text().includes('third'))
    expect(stream.text()).toMatch(/^retry: \d+\n\nid: \d+\ndata: \{"timestamp":.*\n\n$/)
    api.log.debug('API', 'fourth')
    api.log.warn('API', 'fifth')
    await until('the new line', () => stream.text().includes('fifth'))
    expect(stream.text()).not.toContain('fourth')
    stream.leave()
    await stream.ended
  })

  test('is what `Accept` asks for, too; a query goes before it', async () => {
    await using api = await serve()
    const accept = { accept: 'text/event-stream' }
    const stream = await follow(api, '', accept)
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream')
    stream.leave()
    const list = await follow(api, '?follow=false', accept)
    expect(list.response.headers.get('content-type')).toBe('application/json')
    await list.ended
    expect(JSON.parse(list.text())).toEqual([])
  })

  test('goes on after the last event that the client saw', async () => {
    await using api = await serve()
    say(api)
    const first = await follow(api, '?follow=true')
    await until('three lines', () => first.text().includes('third'))
    const [, id] = /id: (\d+)\ndata: .*first/.exec(first.text())!
    first.leave()
    const second = await follow(api, '?follow=true&lines=0', { 'last-event-id': id! })
    await until('what was missed', () => second.text().includes('third'))
    expect(second.text().match(/first|second|third/g)).toEqual(['second', 'third'])
    second.leave()
  })

  test('outlives the time limit of other answers', async () => {
    await using api = await serve({ limitMilliseconds: 500 })
    const stream = await follow(api)
    await Bun.sleep(600)
    api.log.info('API', 'late')
    await until('the line', () => stream.text().includes('late'))
    stream.leave()
  })

  test('that is left makes room for another', async () => {
    await using api = await serve()
    const streams = await Promise.all(Array.from({ length: MOST_STREAMS_EACH }, () => follow(api)))
    const refused = await askWithToken(api.url, { path: '/api/v1/log?follow=true' })
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '10'])
    streams[0]!.leave()
    await until('room', async () => {
      const { response, leave } = await follow(api)
      leave()
      return response.status === 200
    })
    for (const { leave } of streams) leave()
  })

  test('that only the head of is asked for is not opened', async () => {
    await using api = await serve()
    for (let i = 0; i < MOST_STREAMS_EACH * 2; i++) {
      const reply = await askWithToken(api.url, { method: 'HEAD', path: '/api/v1/log?follow=true' })
      expect(reply.status).toBe(200)
    }
  })

  test('ends when the tracker stops, which does not wait for it', async () => {
    const api = await serve()
    const stream = await follow(api)
    api.log.info('API', 'stopping')
    // Longer than the test may take.
    await api.stop(600_000)
    await stream.ended
    expect(stream.text()).toContain('stopping')
  })
})
