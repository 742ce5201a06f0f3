/**
 * A slow twin of the grammar of override values, independent of the reader in `src`: cuts strings with regular
 * expressions and throws where the text does not fit.
 */
const SPACE = /^[ \t\n\f\r]*/

export function naiveOverride(text: string): unknown {
  try {
    const [value, rest] = anyValue(text)
    return rest === '' ? value : text
  } catch {
    return text
  }
}

const skip = (text: string) => text.replace(SPACE, '')

function anyValue(text: string): [unknown, string] {
  const [value, rest] = bareValue(skip(text))
  return [value, skip(rest)]
}

function bareValue(text: string): [unknown, string] {
  if (text.startsWith('{')) {
    const [pairs, rest] = items(text.slice(1), '}', pairOf)
    return [Object.fromEntries(pairs), rest]
  }
  if (text.startsWith('[')) return items(text.slice(1), ']', anyValue)
  if (text.startsWith('"')) return quoted(text)
  if (text.startsWith("'")) {
    const [whole, character] = /^'([\s\S])'/u.exec(text)!
    return [character, text.slice(whole.length)]
  }
  const [token] = /^[^,{}[\]]*/.exec(text)!
  return [wordOf(token.trim()), text.slice(token.length)]
}

function items<T>(text: string, close: string, one: (text: string) => [T, string]): [T[], string] {
  if (text.startsWith(close)) return [[], text.slice(1)]
  const [first, rest] = one(text)
  if (rest.startsWith(',')) {
    const [others, end] = items(rest.slice(1), close, one)
    return [[first, ...others], end]
  }
  if (!rest.startsWith(close)) throw new Error('not closed')
  return [[first], rest.slice(1)]
}

function pairOf(text: string): [[string, unknown], string] {
  text = skip(text)
  const [key, behind] = text.startsWith('"')
    ? quoted(text)
    : [/^[A-Za-z0-9_-]+/.exec(text)![0], text.replace(/^[A-Za-z0-9_-]+/, '')]
  const rest = skip(behind)
  if (!rest.startsWith('=')) throw new Error('no value')
  const [value, end] = anyValue(rest.slice(1))
  return [[key, value], end]
}

function quoted(text: string): [string, string] {
  const [whole, inside] = /^"((?:[^"\\]|\\["\\nrtbf]|\\u[0-9a-fA-F]{4})*)"/.exec(text)!
  const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' }
  const value = inside!.replace(/\\(u(....)|.)/g, (_, short, hex) =>
    hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (escapes[short] ?? short),
  )
  return [value, text.slice(whole.length)]
}

function wordOf(word: string): unknown {
  if (word === 'true' || word === 'false') return word === 'true'
  if (word.includes('.') && /^[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?$/.test(word)) {
    if (/[0-9]/.test(word.split(/[eE]/)[0]!)) return Number(word)
  } else if (/^[+-]?[0-9]+$/.test(word)) {
    const digits = word.startsWith('+') ? word.slice(1) : word
    const value = BigInt(digits)
    if (BigInt.asUintN(64, value) === value || BigInt.asIntN(64, value) === value) return value
  }
  return word
}
