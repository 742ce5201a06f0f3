/** Tables whose cells are all numbers. */

export type Line = Readonly<Record<string, number | string>>

/** Milliseconds with fractions, everything else without. */
export function print(lines: readonly Line[]): void {
  const row = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`)
  const names = Object.keys(lines[0]!)
  row(names)
  row(names.map((name) => (typeof lines[0]![name] === 'string' ? '---' : '---:')))
  for (const line of lines) row(names.map((name) => cell(name, line[name]!)))
}

const cell = (name: string, value: number | string) =>
  typeof value === 'string' ? value : value.toFixed(/\bms\b/.test(name) ? 2 : 0)
