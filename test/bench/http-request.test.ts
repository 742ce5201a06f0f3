import { describe, expect, test } from 'bun:test'
import { HttpRequests } from '../../src/bench/http-requests.ts'
import { Population } from '../../src/bench/population.ts'

const OPTIONS = {
  pathOf: () => '/announce',
  host: 'tracker.example',
  port: 7070,
  want: 30,
  closes: false,
}
const [ANNOUNCE, SCRAPE] = [1, 2]

const population = () => new Population({ seed: 7, torrents: 50, peers: 100, seeders: 50 })

/** The first line apart: path, and the values of the query with hashes as hexadecimal digits. */
function parse(request: Buffer) {
  const text = request.toString('latin1')
  expect(text.endsWith('\r\n\r\n')).toBe(true)
  const [line, ...head] = text.trimEnd().split('\r\n')
  const [, path, query] = /^GET ([^? ]*)\?(\S+) HTTP\/1\.1$/.exec(line!)!
  const values: Record<string, string> = {}
  for (const pair of query!.split('&')) {
    const [name, value] = pair.split('=')
    const bytes = value!.replace(/%(..)/g, (_, hex) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
    values[name!] = name === 'info_hash' ? Buffer.from(bytes, 'latin1').toString('hex') : bytes
  }
  return { path: path!, head, values }
}

test('requests carry what the population knows of each peer', () => {
  const people = population()
  const requests = new HttpRequests({ ...OPTIONS, population: people })
  const hash = new Uint8Array(20)
  for (let turn = 0; turn < 200; turn++) {
    const peer = people.nextPeer()
    people.copyInfoHash(peer, hash)
    const { path, head, values } = parse(requests.write(ANNOUNCE, peer))
    expect(path).toBe('/announce')
    expect(head).toContain('Host: tracker.example:7070')
    expect(head).toContain('Connection: keep-alive')
    const { key: _, ...rest } = values
    expect(rest).toEqual({
      info_hash: Buffer.from(hash).toString('hex'),
      peer_id: `-TB0100-${`${peer}`.padStart(12, '0')}`,
      port: `${people.portOf(peer)}`,
      uploaded: '0',
      downloaded: '0',
      left: `${people.leftOf(peer)}`,
      ...(turn < 100 && { event: 'started' }),
      compact: '1',
      numwant: '30',
    })
    const scrape = parse(requests.write(SCRAPE, peer))
    expect([scrape.path, scrape.values]).toEqual([
      '/scrape',
      { info_hash: Buffer.from(hash).toString('hex') },
    ])
  }
})

describe.each([
  ['/announce/KEY', '/scrape/KEY'],
  ['/port=10000/000000000000/announce', '/port=10000/000000000000/scrape'],
  [`/${'%FF'.repeat(20)}/announce?port=10000`, `/${'%FF'.repeat(20)}/scrape`],
])('a path such as %s', (path, scraped) => {
  test('stays as it is, with a key for each peer', () => {
    const people = population()
    const pathOf = (peer: number) => path.replace('KEY', `KEY${peer}`)
    const requests = new HttpRequests({ ...OPTIONS, population: people, pathOf })
    const hash = new Uint8Array(20)
    for (const peer of [5, 6, 5]) {
      people.copyInfoHash(peer, hash)
      const announce = parse(requests.write(ANNOUNCE, peer))
      expect(announce.path).toBe(pathOf(peer).split('?')[0]!)
      expect(announce.values.port).toBe(`${people.portOf(peer)}`)
      expect(announce.values.peer_id).toBe(`-TB0100-00000000000${peer}`)
      expect(announce.values.info_hash).toBe(Buffer.from(hash).toString('hex'))
      expect(parse(requests.write(SCRAPE, peer)).path).toBe(scraped.replace('KEY', `KEY${peer}`))
    }
  })
})

test('a connection for one request says so in its header', () => {
  const requests = new HttpRequests({ ...OPTIONS, population: population(), closes: true })
  expect(parse(requests.write(SCRAPE, 0)).head).toContain('Connection: close')
})
