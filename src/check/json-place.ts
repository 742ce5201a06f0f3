/**
 * Finds the place where a text stops being JSON (RFC 8259), which the built-in parser does not report. Meant for
 * texts that the parser refused; the values are not read.
 */

const SPACE = /[ \t\n\r]*/y
const TOKEN =
  /[{}[\],:]|"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|(?:true|false|null)(?!\w)/uy

type Wanted =
  | 'a value'
  | 'a value or ]'
  | 'a name'
  | 'a name or }'
  | ':'
  | ', or ]'
  | ', or }'
  | 'the end'

/** `LINE:COLUMN: expected …, found …`, both counted from 1; undefined: no fault found. */
export function jsonFault(text: string): string | undefined {
  const open: ('[' | '{')[] = []
  let wanted: Wanted = 'a value'
  let at = 0
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0] ?? ''
    at += found.length
    return found
  }
  const afterValue = (): Wanted => {
    const inside = open.at(-1)
    return inside === undefined ? 'the end' : inside === '[' ? ', or ]' : ', or }'
  }
  for (;;) {
    match(SPACE)
    if (wanted === 'the end' && at === text.length) return undefined
    const from = at
    const token = match(TOKEN)
    const next = follow(wanted, token, open, afterValue)
    if (next === undefined) return describe(text, from, wanted)
    wanted = next
  }
}

/** What may follow `token`; undefined: the token may not stand here. */
function follow(
  wanted: Wanted,
  token: string,
  open: ('[' | '{')[],
  afterValue: () => Wanted,
): Wanted | undefined {
  if (token === '' || wanted === 'the end') return undefined
  if (wanted === ':') return token === ':' ? 'a value' : undefined
  // Each `… or ]` and `… or }` ends with the bracket that may come instead.
  if (token === wanted.at(-1)) {
    open.pop()
    return afterValue()
  }
  if (wanted === ', or ]') return token === ',' ? 'a value' : undefined
  if (wanted === ', or }') return token === ',' ? 'a name' : undefined
  if (wanted.startsWith('a name')) return token.startsWith('"') ? ':' : undefined
  if (token === '[' || token === '{') {
    open.push(token)
    return token === '[' ? 'a value or ]' : 'a name or }'
  }
  return /[}\],:]/.test(token.charAt(0)) ? undefined : afterValue()
}

function describe(text: string, at: number, wanted: Wanted): string {
  const before = text.slice(0, at).split('\n')
  const place = `${before.length}:${before.at(-1)!.length + 1}`
  const rest = /^(?:[\w.+-]+|[\s\S])/u.exec(text.slice(at))?.[0].slice(0, 20)
  const found = rest === undefined ? 'the end' : /^[\w.+-]/.test(rest) ? rest : JSON.stringify(rest)
  return `${place}: expected ${wanted}, found ${found}`
}
