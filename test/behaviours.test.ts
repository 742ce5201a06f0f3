/** Every id that code and tests cite stands in docs/behaviours.md, once. */
import { expect, test } from 'bun:test'
import { Glob } from 'bun'

const ID = '[UHWSKNAMCDTO]\\d+'
const IDS = `${ID}(?:(?:–|, )${ID})*`
/** `docs/behaviours.md U1, U6`, `(U11)` in a comment, `U11: …` at the beginning of a test's name. */
const CITATIONS = new RegExp(`behaviours\\.md (${IDS})|\\((${IDS})\\)|['"\`](${IDS}): `, 'g')
const ROOT = `${import.meta.dir}/..`

const page = await Bun.file(`${ROOT}/docs/behaviours.md`).text()
const defined = Array.from(page.matchAll(/^- \*\*([A-Z]\d+)\*\* /gm), ([, id]) => id!)

test('ids are unique and in order', () => {
  expect(new Set(defined).size).toBe(defined.length)
  const topics = [...new Set(defined.map((id) => id[0]!))]
  const number = (id: string) => Number(id.slice(1))
  const sorted = defined.toSorted(
    (a, b) => topics.indexOf(a[0]!) - topics.indexOf(b[0]!) || number(a) - number(b),
  )
  expect(defined).toEqual(sorted)
})

test('every id that is cited is defined, and every behaviour of WebTorrent and of accounting is tested', async () => {
  const unknown: string[] = []
  const cited = new Set<string>()
  let citations = 0
  for await (const path of new Glob('{src,test,bench}/**/*.ts').scan(ROOT)) {
    const text = (await Bun.file(`${ROOT}/${path}`).text()).replaceAll(/\n\s*(\*|\/\/) /g, ' ')
    for (const match of text.matchAll(CITATIONS))
      for (const [id] of match[0].matchAll(new RegExp(ID, 'g'))) {
        citations++
        cited.add(id)
        if (!defined.includes(id)) unknown.push(`${path}: ${id}`)
      }
  }
  expect(unknown).toEqual([])
  expect(citations).toBeGreaterThan(80)
  expect(defined.filter((id) => /^[WN]/.test(id) && !cited.has(id))).toEqual([])
})
