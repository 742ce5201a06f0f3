/** Line and column of keys and elements in TOML texts of every shape. */
import { expect, test } from 'bun:test'
import { findPositions, positionKey } from '../../src/config/positions.ts'

const at = (toml: string, ...path: (string | number)[]) => {
  const position = findPositions(toml).get(positionKey(path))
  return position && `${position.line}:${position.column}`
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
  ['an element of an array', 'a = [1, 2,\n 3]', ['a', 2], '2:2'],
  ['an array in an array', 'a = [[1], [2, 3]]', ['a', 1, 1], '1:15'],
  ['after a comment', '# [x]\na = 1 # b = 2\nc = 3', ['c'], '3:1'],
  ['after a comment in an array', 'a = [ # ]\n 1 ]\nb = 2', ['b'], '3:1'],
  ['after a string with a bracket', 'a = "]\\"}"\nb = 2', ['b'], '2:1'],
  ['after a literal string', "a = '\\'\nb = 2", ['b'], '2:1'],
  ['after a text of many lines', 'a = """\n[x]\n\\"""b\n""""\nc = 1', ['c'], '5:1'],
  ['after a literal of many lines', "a = '''\n[x]\n'''\nc = 1", ['c'], '4:1'],
  ['after a date', 'a = 1979-05-27 07:32:00\nb = 1', ['b'], '2:1'],
  ['with Windows line ends', 'a = 1\r\n[t]\r\nb = 2', ['t', 'b'], '3:1'],
  [
    'keys that every object has',
    '[__proto__]\nconstructor = 1',
    ['__proto__', 'constructor'],
    '2:1',
  ],
])('%s', (_what, toml, path, position) => {
  expect(at(toml, ...path)).toBe(position)
})

test('what is not written has no position', () => {
  expect(at('a = 1', 'b')).toBeUndefined()
})

test.each(['[', '[[', 'a = [', 'a = {', 'a = "', "a = '''", '= = =', ']', '\\', 'a = [1 2', '"a'])(
  'the search ends for a text that is not TOML: %p',
  (toml) => {
    expect(findPositions(toml).size).toBeLessThan(5)
  },
)
