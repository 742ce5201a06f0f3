/** Values, lines and columns of TOML texts of every shape. */
import { expect, test } from 'bun:test'
import { printMistake } from '../../src/config/mistake.ts'
import { parseToml } from '../../src/config/toml.ts'
import type { Node, Path } from '../../src/config/tree.ts'
import { plain } from '../support/config/loading.ts'

const parse = (text: string) => parseToml({ name: 'file', text, quotable: false })

function nodeOf(toml: string, path: Path): Node | undefined {
  let node = parse(toml) as Node | undefined
  for (const key of path)
    node =
      node?.kind === 'list'
        ? node.items[Number(key)]
        : node?.kind === 'table'
          ? node.entries.get(String(key))
          : undefined
  return node
}

test.each<[string, string, (string | number)[], string]>([
  ['a key of the root', 'a = 1', ['a'], '1:1'],
  ['an indented key', '\n  a = 1', ['a'], '2:3'],
  ['the second key', 'a = 1\nb = 2', ['b'], '2:1'],
  ['a table', '\n[core]', ['core'], '2:1'],
  ['a key of a table', '[core]\nx = 1', ['core', 'x'], '2:1'],
  ['a key of a table in a table', '[a.b]\nc = 1', ['a', 'b', 'c'], '2:1'],
  ['a table with blanks', '[ a . b ]\nc = 1', ['a', 'b', 'c'], '2:1'],
  ['a parent table that is not written', '[a.b]', ['a'], '1:1'],
  ['a dotted key', 'a.b.c = 1', ['a', 'b', 'c'], '1:5'],
  ['the middle of a dotted key', 'a.b.c = 1', ['a', 'b'], '1:3'],
  ['a table written by two dotted keys', 'a.b = 1\na.c = 2', ['a'], '1:1'],
  ['a quoted key', '"a b" = 1', ['a b'], '1:1'],
  ['a quoted key with a point', 'x."a.b" = 1', ['x', 'a.b'], '1:3'],
  ['a quoted key with an escape', '"\\u0061\\"" = 1', ['a"'], '1:1'],
  ['a literal key', "'a\\b' = 1", ['a\\b'], '1:1'],
  ['the first element of an array of tables', '[[t]]\na = 1\n[[t]]\na = 2', ['t', 0, 'a'], '2:1'],
  ['the second element', '[[t]]\na = 1\n[[t]]\na = 2', ['t', 1, 'a'], '4:1'],
  ['the element itself', '[[t]]\na = 1\n [[t]]\na = 2', ['t', 1], '3:2'],
  ['a table in the latest element', '[[t]]\n[[t]]\n[t.n]\nx = 1', ['t', 1, 'n', 'x'], '4:1'],
  [
    'arrays of tables in arrays of tables',
    '[[a]]\n[[a.b]]\n[[a.b]]\nc=1',
    ['a', 0, 'b', 1, 'c'],
    '4:1',
  ],
  ['an inline table', 'a = { b = 1, c = 2 }', ['a', 'c'], '1:14'],
  ['an inline table over two lines', 'a = [\n  { b = 1 },\n  { b = 2 },\n]', ['a', 1, 'b'], '3:5'],
  ['an element of an array, by its key', 'a = [1, 2,\n 3]', ['a', 2], '1:1'],
  ['an array in an array, by its key', 'b = 0\na = [[1], [2, 3]]', ['a', 1, 1], '2:1'],
  ['after a comment', '# [x]\na = 1 # b = 2\nc = 3', ['c'], '3:1'],
  ['after a comment in an array', 'a = [ # ]\n 1 ]\nb = 2', ['b'], '3:1'],
  ['after a string with a bracket', 'a = "]\\"}"\nb = 2', ['b'], '2:1'],
  ['after a literal string', "a = '\\'\nb = 2", ['b'], '2:1'],
  ['after a text of many lines', 'a = """\n[x]\n\\"""b\n""""\nc = 1', ['c'], '5:1'],
  ['after a literal of many lines', "a = '''\n[x]\n'''\nc = 1", ['c'], '4:1'],
  [
    'after a list of a thousand lines',
    `a = [\n${'{ x = 1 },\n'.repeat(1000)}]\nb = 2`,
    ['b'],
    '1003:1',
  ],
  ['after a text of a thousand lines', `a = '''\n${'x\n'.repeat(1000)}'''\nb = 2`, ['b'], '1003:1'],
  ['after a date', 'a = 1979-05-27 07:32:00\nb = 1', ['b'], '2:1'],
  ['with Windows line ends', 'a = 1\r\n[t]\r\nb = 2', ['t', 'b'], '3:1'],
  [
    'keys that every object has',
    '[__proto__]\nconstructor = 1',
    ['__proto__', 'constructor'],
    '2:1',
  ],
])('%s', (_what, toml, path, position) => {
  const node = nodeOf(toml, path)
  expect(`${node?.at.line}:${node?.at.column}`).toBe(position)
})

test('values keep the types of TOML', () => {
  const tree = parse(`
whole = 18446744073709551616
float = 1.0
list = [1, [true], { a.b = 'x' }, []]
[__proto__]
day = 1979-05-27
[[tables]]
[[tables.inner]]
[[tables]]
a.b = "\u00e9"
`)
  expect(plain(tree as Node)).toEqual(
    Object.fromEntries([
      ['whole', 2n ** 64n],
      ['float', 1],
      ['list', [1n, [true], { a: { b: 'x' } }, []]],
      ['__proto__', { day: new Date('1979-05-27') }],
      ['tables', [{ inner: [{}] }, { a: { b: 'é' } }]],
    ]),
  )
})

test.each([
  ['a key twice', 'a = 1\na = 2', '2:1'],
  ['a table twice', '[a]\n[a]', '2:2'],
  ['a table that is a value', 'a = 1\n[a.b]', '2:2'],
  ['elements added to a closed list', 'a = []\n[[a]]', '2:3'],
  ['a word without quotes', 'a = True', '1:5'],
  ['a missing bracket', '[a', '1:2'],
])('%s is a mistake with its place', (_what, toml, place) => {
  const mistake = parse(toml)
  if ('entries' in mistake) throw new Error('is accepted')
  expect(printMistake(mistake)).toStartWith(`file:${place}: TOML: `)
})
